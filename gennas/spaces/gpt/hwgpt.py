"""HW-GPT-Bench: three scales of GPT-NeoX-like language models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gennas.errors import InvalidArchitectureError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.gpt.base import CausalSpace, IntegerArray
from gennas.spaces.layered import Decision, Group
from gennas.spaces.scaling import rounded_to
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.gpt.networks import Layer
    from gennas.spaces.parts import Parts, Size

__all__ = ["HWGPT", "GPTLarge", "GPTMedium", "GPTSmall"]

HEAD_DIM = 64
BLOCK_SIZE = 1024
VOCABULARY = 50254
_OFFICIAL = {
    "sample_embed_dim": "embed",
    "sample_bias": "bias",
    "sample_n_layer": "depth",
    "sample_n_head": "heads",
    "sample_mlp_ratio": "mlp",
}


def _from_json(text: str) -> str:
    """The text form of an official dictionary in JSON."""
    import json

    from gennas.spaces.layered.text import config_text

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # deep, or a number of many digits
        raise InvalidArchitectureError(f"gpt: expected a dictionary in JSON ({error}).") from error
    return config_text(_plain(found))


def _plain(config: Any) -> dict[str, Any]:
    """The values by our names of an official dictionary; lists are cut to the number of layers."""
    if not isinstance(config, Mapping):
        raise InvalidArchitectureError(f"gpt: expected a dictionary with sample_embed_dim, got {config!r:.60}.")
    known = {**_OFFICIAL, "sample_layer_indices": ""}
    wrong = [name for name in config if name not in known] + [name for name in _OFFICIAL if name not in config]
    if wrong:
        raise InvalidArchitectureError(f"gpt: expected the names {', '.join(_OFFICIAL)}; see {shown(wrong[0])}.")
    found = {name: config[official] for official, name in _OFFICIAL.items()}
    bias = str(found["bias"])
    if bias not in ("True", "False"):
        raise InvalidArchitectureError(f"gpt: expected sample_bias True or False, got {shown(bias)}.")
    found["bias"] = int(bias == "True")
    for name in ("heads", "mlp"):
        if isinstance(found[name], list) and isinstance(found["depth"], int) and len(found[name]) > found["depth"]:
            found[name] = found[name][: found["depth"]]
    return found


class HWGPT(CausalSpace):
    r"""GPT-NeoX blocks of 64 channels per head; width, biases and depth of the whole, heads and MLP of each layer.

    With 9 choices in a layer, 3 widths and biases or none, a scale with depths :math:`d` holds
    :math:`6 \sum_d 9^d` architectures (Sukthanker et al. 2024, "HW-GPT-Bench", arXiv 2405.10299); uniform samples are
    therefore mostly of the largest depth. Networks: parallel residual, rotary positions on half of each head,
    normalisation always with bias, no bias in the head. The text form is
    ``embed=384;bias=1;depth=10;heads=4,8,…;mlp=2,4,…``; :meth:`from_config` reads the official ``sample_…`` dictionary.

    The benchmark counts parameters with head and embedding as *two* matrices, and so are networks built unless ``tied``
    is set (its supernet ties them): with the benchmark's vocabulary of 50,254

    .. math:: P = 2 V E + 2 E + \sum_l [4 E + 4 q E + 2 m E + b (3 q + E + m + E)], \quad q = 64 heads, m = r E.

    Args:
        tied: whether a language model's head is the embedding's matrix.
        context: longest input.
    """

    embeds: ClassVar[tuple[int, ...]]
    depths: ClassVar[tuple[int, ...]]
    head_counts: ClassVar[tuple[int, ...]]
    formats: ClassVar[Mapping[str, Callable[[str], str]]] = {"hw-gpt-bench": _from_json}
    published_spec: ClassVar[TaskSpec] = TaskSpec("language", (BLOCK_SIZE,), VOCABULARY, vocabulary=VOCABULARY)
    """The task of the benchmark: OpenWebText with 50,254 tokens, 1,024 at a time."""

    def __init__(self, tied: bool = False, context: int = BLOCK_SIZE) -> None:
        layer = (Decision("heads", self.head_counts), Decision("mlp", (2, 3, 4)))
        super().__init__(
            self.name,
            [Decision("embed", self.embeds), Decision("bias", (0, 1))],
            Group("layer", self.depths, layer),
            "rotary",
            0.5,
            "parallel",
            tied,
            context,
        )

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """Read values by name, or the official dictionary ``{"sample_embed_dim": 384, "sample_n_head": [4, …], …}``.

        The benchmark draws lists for the largest depth; what stands beyond ``sample_n_layer`` is not used.

        Raises:
            InvalidArchitectureError: a name is missing or unknown, a value is not in the space, or a list is short.
        """
        is_official = any(str(name).startswith("sample_") for name in config)
        return super().from_config(_plain(config) if is_official else config)

    def official_config(self, arch: Architecture) -> dict[str, Any]:
        """The benchmark's dictionary of an architecture, its lists as long as it has layers."""
        config = self.config(arch)
        return {o: bool(config[name]) if name == "bias" else config[name] for o, name in _OFFICIAL.items()}

    def flops_hwgpt(self, population: Population, length: int = BLOCK_SIZE) -> IntegerArray:
        r"""FLOPs of a sequence by the benchmark's own estimate: :math:`2 P T + 4 L E T^2`, ``(b,)``.

        All parameters count, embedding and head untied, and the number of heads does not matter. A multiplication
        and its addition are *two*; ``gennas`` counts them as one elsewhere, and what is really computed.

        Args:
            population: the architectures.
            length: tokens ``T``.
        """
        P = self.count_parameters(population, self.published_spec, tied=False)
        E, L = self.column(population, "embed"), self.depth(population.decisions)
        flops: IntegerArray = 2 * P * length + 4 * L * E.astype(np.int64) * length**2
        return flops

    def _head_dim(self) -> int:
        return HEAD_DIM if self._width == 1 else rounded_to(HEAD_DIM * self._width, 4)

    def _channels(self, embed: float) -> int:
        return int(embed) if self._width == 1 else rounded_to(embed * self._width, 1)

    def _layers(self, config: Mapping[str, Any], width: Size) -> list[Layer]:
        from gennas.spaces.gpt.networks import Layer
        from gennas.spaces.parts import sized

        pairs = zip(config["heads"], config["mlp"], strict=True)
        return [
            Layer("attention", sized(int, h), self._head_dim(), sized(lambda r, c: int(r * c), ratio, width))
            for h, ratio in pairs
        ]

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A causal transformer of parts; in a shared one sizes are slices, and the first layers run.

        Numbers of heads can be chosen, not mixed, and so can biases.

        Raises:
            ConfigError: another kind of task, texts longer than the context, or another depth than the space's.
        """
        return self._of_parts(parts, spec, self.values(parts)["bias"])

    def _has_bias(self, population: Population) -> IntegerArray:
        return self.column(population, "bias").astype(np.int64)

    def _mixers(self, population: Population, width: IntegerArray) -> IntegerArray:
        q = self.column(population, "heads") * self._head_dim()
        return self._attention(width, q, self._has_bias(population))


@SPACES.register("gpt-s")
class GPTSmall(HWGPT):
    """HW-GPT-Bench's small scale: 1,903,784,282,946 networks of 10 to 12 layers, up to 162 M parameters untied.

    Example:
        >>> GPTSmall().size
        1903784282946
    """

    name = "gpt-s"
    embeds, depths, head_counts = (192, 384, 768), (10, 11, 12), (4, 8, 12)


@SPACES.register("gpt-m")
class GPTMedium(HWGPT):
    """HW-GPT-Bench's medium scale: about 5.4e23 networks of 22 to 24 layers, up to 405 M parameters untied."""

    name = "gpt-m"
    embeds, depths, head_counts = (256, 512, 1024), (22, 23, 24), (8, 12, 16)


@SPACES.register("gpt-l")
class GPTLarge(HWGPT):
    """HW-GPT-Bench's large scale: about 1.5e35 networks of 34 to 36 layers, up to 837 M parameters untied."""

    name = "gpt-l"
    embeds, depths, head_counts = (320, 640, 1280), (34, 35, 36), (8, 16, 20)
