"""Small causal transformers to be trained on a processor, with a choice of how tokens are mixed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces.base import SPACES
from gennas.spaces.gpt.base import KERNEL, CausalSpace, IntegerArray, Positions, Residual
from gennas.spaces.layered import Decision, Group
from gennas.spaces.scaling import rounded_to

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.gpt.networks import Layer
    from gennas.spaces.parts import Parts, Size
    from gennas.spaces.spec import TaskSpec

__all__ = ["GPT"]

MIXERS = ("attention", "conv", "none")


@SPACES.register("gpt")
class GPT(CausalSpace):
    r"""Small causal transformers: width, depth, and for every layer a token mixer, its heads and the MLP's ratio.

    A layer mixes tokens by ``attention`` (rotary positions), by a causal depthwise ``conv`` of five tokens, or not at
    all (``none``). With :math:`e` widths, :math:`h` numbers of heads, :math:`o` mixers other than attention and
    :math:`r` ratios the space holds

    .. math:: e \sum_d ((h + o) r)^d

    architectures: 216,960 by default. This space is ours; its blocks are GPT-NeoX's (Black et al. 2022, arXiv
    2204.06745), and with other settings GPT-2's (Radford et al. 2019). Under a fixed number of training steps the
    largest network is not the best: see ``docs/language-models.md``.

    The text form is ``embed=32;depth=2;mixer=attention,conv;heads=2,-;mlp=2,4``.

    Args:
        embeds: channels ``E``.
        depths: numbers of layers.
        heads: heads of an attention; each divides every width.
        mlp: channels of the MLP over ``E``.
        mixers: out of ``attention``, ``conv`` and ``none``.
        positions: ``rotary``, or ``learned`` (added to the embedding).
        rotary: share of a head's channels that rotary positions turn, rounded down to an even number.
        residual: mixer and MLP in ``parallel`` (GPT-NeoX) or ``sequential`` (GPT-2).
        bias: whether linear layers and convolutions have biases.
        tied: whether a language model's head is the embedding's matrix.
        context: longest input; by default the task's.

    Raises:
        ConfigError: a setting is empty, repeated or out of range, or a number of heads does not divide a width.

    Example:
        >>> from gennas.spaces import TaskSpec
        >>> gpt2 = GPT((768,), (1, 12), (12,), (4,), ("attention",), "learned", 0.5, "sequential", True, True, 1024)
        >>> arch = gpt2.from_text("embed=768;depth=12;mixer=" + ",".join(["attention"] * 12) + ";heads="
        ...     + ",".join(["12"] * 12) + ";mlp=" + ",".join(["4"] * 12))
        >>> spec = TaskSpec("language", (1024,), 50257, vocabulary=50257)
        >>> gpt2.count_parameters(Population.of(gpt2.schema, [arch]), spec).tolist()
        [124439808]
    """

    name = "gpt"

    def __init__(
        self,
        embeds: Sequence[int] = (16, 32, 48, 64),
        depths: Sequence[int] = (1, 2, 3, 4),
        heads: Sequence[int] = (1, 2, 4),
        mlp: Sequence[float] = (1, 2, 4),
        mixers: Sequence[str] = MIXERS,
        positions: Positions = "rotary",
        rotary: float = 0.5,
        residual: Residual = "parallel",
        bias: bool = True,
        tied: bool = False,
        context: int | None = None,
    ) -> None:
        self.embeds, self.heads, self.bias = tuple(embeds), tuple(heads), bias
        rules = (
            (all(x > 0 for x in (*embeds, *heads, *mlp)), f"positive numbers, got {(*embeds, *heads, *mlp)}"),
            (bool(embeds and heads), f"some widths and heads, got {tuple(embeds)} and {tuple(heads)}"),
            (0 < rotary <= 1, f"rotary in (0, 1], got {rotary}"),
            (bool(mixers) and set(mixers) <= set(MIXERS), f"mixers out of {MIXERS}, got {tuple(mixers)}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")
        wrong = [(h, e) for e in embeds for h in heads if e % h] if "attention" in mixers else []
        if wrong:
            raise ConfigError(
                f"{self.name}: expected heads that divide every width, got {wrong[0][0]} for {wrong[0][1]} channels."
            )
        self._least = max(heads) * math.ceil(2 / rotary) if "attention" in mixers and positions == "rotary" else 1
        if min(embeds) < self._least:
            raise ConfigError(
                f"{self.name}: expected at least {self._least} channels, so that rotary positions turn two a head, "
                f"got {min(embeds)}."
            )
        layer = (
            Decision("mixer", tuple(mixers)),
            *([Decision("heads", self.heads, when={"mixer": ("attention",)})] if "attention" in mixers else []),
            Decision("mlp", tuple(mlp)),
        )
        super().__init__(
            self.name,
            [Decision("embed", self.embeds)],
            Group("layer", tuple(depths), layer),
            positions,
            rotary,
            residual,
            tied,
            context,
        )

    def _channels(self, embed: float) -> int:
        if self._width == 1:
            return int(embed)
        return max(self._least, rounded_to(embed * self._width, math.lcm(*self.heads)))

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A causal transformer of parts; in a shared one sizes are slices, and the first layers run.

        Numbers of heads share the channels of a layer, so that they cannot be mixed, only chosen.

        Raises:
            ConfigError: another kind of task, texts longer than the context, or another depth than the space's.
        """
        return self._of_parts(parts, spec, self.bias)

    def _layers(self, config: Mapping[str, Any], width: Size) -> list[Layer]:
        from gennas.spaces.gpt.networks import Layer
        from gennas.spaces.parts import sized

        heads = [1 if h is None else sized(int, h) for h in config.get("heads", [1] * len(config["mixer"]))]
        return [
            Layer(mixer, h, sized(lambda w, n: w // n, width, h), sized(lambda w, r: int(r * w), width, ratio))
            for mixer, h, ratio in zip(config["mixer"], heads, config["mlp"], strict=True)
        ]

    def _has_bias(self, population: Population) -> IntegerArray:
        return np.full(len(population), int(self.bias), dtype=np.int64)

    def _mixers(self, population: Population, width: IntegerArray) -> IntegerArray:
        bias, wide = self._has_bias(population), width[:, None]
        counts = {"attention": self._attention(width, wide, bias), "none": 0 * wide}
        counts["conv"] = wide**2 + KERNEL * wide + 2 * bias[:, None] * wide + 2 * wide
        mixers = dict.fromkeys(self._layout.groups[0].layer[0].values)
        total = sum(self.chosen(population, "mixer", m).astype(np.int64) * counts[str(m)] for m in mixers)
        return np.asarray(total, dtype=np.int64)
