"""HAT: encoder-decoder transformers for translation, and their encoders for tagging and text classification."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES, FloatArray
from gennas.spaces.hat.published import WMT
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import rounded_to, stretched, stretched_layers
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["HAT"]

ATTENTION = 512  # channels of queries, keys and values, whatever the width
EMBED = (512, 640)
_CHOICES = {"wmt": ((1024, 2048, 3072), (4, 8)), "iwslt": ((512, 1024, 2048), (2, 4))}  # of feed-forward layers, heads
_OFFICIAL = {
    "encoder-embed-dim-subtransformer": "encoder_embed",
    "decoder-embed-dim-subtransformer": "decoder_embed",
    "encoder-layer-num-subtransformer": "encoder.depth",
    "encoder-ffn-embed-dim-all-subtransformer": "encoder.ffn",
    "encoder-self-attention-heads-all-subtransformer": "encoder.heads",
    "decoder-layer-num-subtransformer": "decoder.depth",
    "decoder-ffn-embed-dim-all-subtransformer": "decoder.ffn",
    "decoder-self-attention-heads-all-subtransformer": "decoder.self_heads",
    "decoder-ende-attention-heads-all-subtransformer": "decoder.cross_heads",
    "decoder-arbitrary-ende-attn-all-subtransformer": "decoder.arbitrary",
}
IntegerArray = NDArray[np.int64]


@SPACES.register("hat")
class HAT(LayeredSpace):
    r"""Hardware-aware transformers for translation (Wang et al. 2020, ACL, arXiv 2005.14187).

    Widths of encoder and decoder; six encoder layers with channels of the feed-forward layer and heads; one to six
    decoder layers with the same, heads of the cross-attention, and how many encoder layers it sees (``arbitrary``: -1
    the last one, 1 the last two, 2 the last three):

    .. math:: 4 \cdot 6^6 \cdot \sum_{d=1}^{6} 36^d = 417{,}846{,}678{,}672{,}384

    architectures. Attention has 512 channels whatever the width, layers normalise after adding.

    There is no translation task here, so that a whole architecture is counted (:meth:`count_subtransformer`, equal to
    the published numbers) and not built; ``part="encoder"`` is the space of the 93,312 encoders, with networks for
    tagging and text classification and the text form ``embed=512;depth=6;ffn=1024,…;heads=4,…``.

    The text form of the whole is ``encoder_embed=512;decoder_embed=512;encoder.depth=6;encoder.ffn=1024,…;…``;
    :meth:`from_config` reads the official YAML's dictionary.

    Args:
        dataset: ``wmt``, or ``iwslt`` with narrower feed-forward layers and fewer heads.
        part: ``whole`` or ``encoder``.
        context: longest input of a built encoder; by default the task's.

    Raises:
        ConfigError: a setting is not among these.

    Example:
        >>> HAT().size, HAT(part="encoder").size
        (417846678672384, 93312)
    """

    unshared: ClassVar[str] = "decoders and encoders of several lengths and attended layers are not written with parts"

    name = "hat"
    reference: ClassVar[Mapping[str, str]] = WMT

    def __init__(
        self,
        dataset: Literal["wmt", "iwslt"] = "wmt",
        part: Literal["whole", "encoder"] = "whole",
        context: int | None = None,
    ) -> None:
        rules = (
            (dataset in _CHOICES, f"dataset 'wmt' or 'iwslt', got {shown(dataset)}"),
            (part in ("whole", "encoder"), f"part 'whole' or 'encoder', got {shown(part)}"),
            (context is None or context > 0, f"a positive context, got {context}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")
        self.dataset, self.part, self.context = dataset, part, context
        self._width = self._depth_factor = 1.0
        ffn, heads = _CHOICES[dataset]
        encoder = Group("encoder", (6,), (Decision("ffn", ffn), Decision("heads", heads)))
        if part == "encoder":
            super().__init__(self.name, [Decision("embed", EMBED)], [encoder])
            return
        layer = (
            Decision("ffn", ffn),
            Decision("self_heads", heads, prefix="heads"),
            Decision("cross_heads", heads, prefix="cross"),
            Decision("arbitrary", (-1, 1, 2)),
        )
        whole = [Decision("encoder_embed", EMBED, prefix="embed"), Decision("decoder_embed", EMBED, prefix="embed")]
        super().__init__(self.name, whole, [encoder, Group("decoder", (1, 2, 3, 4, 5, 6), layer)])

    # ------------------------------------------------------------------ the official dictionary

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """Read values by name, or those of an official YAML file such as ``decoder-layer-num-subtransformer``.

        Other keys of the file that begin otherwise (those of its training) are refused, not passed over. Of a whole
        architecture the encoder's part can be read with ``HAT(part="encoder")``.

        Raises:
            InvalidArchitectureError: a name is missing or unknown, a value is not in the space, or a list has not as
                many entries as there are layers.
        """
        if not any(str(name).endswith("-subtransformer") for name in config):
            return super().from_config(config)
        unknown = [name for name in config if name not in _OFFICIAL]
        if unknown:
            raise InvalidArchitectureError(
                f"{self.name}: expected names like {next(iter(_OFFICIAL))}, got {unknown[0]!r:.60}."
            )
        found = {_OFFICIAL[name]: value for name, value in config.items()}
        if self.part == "encoder":
            found = {
                n.replace(".", "_").removeprefix("encoder_"): v for n, v in found.items() if n.startswith("encoder")
            }
        return super().from_config(found)

    def official_config(self, arch: Architecture) -> dict[str, Any]:
        """The dictionary of the official YAML file of an architecture.

        Raises:
            ConfigError: the space is that of encoders.
        """
        if self.part == "encoder":
            raise ConfigError(f"{self.name}: expected part 'whole', got 'encoder': HAT's files describe both parts.")
        config = self.config(arch)
        return {official: config[name] for official, name in _OFFICIAL.items()}

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The encoder, and a linear head on each token or on their mean.

        Raises:
            ConfigError: another kind of task, texts longer than the context, or the space of whole architectures.
        """
        from gennas.spaces.hat.networks import HATEncoder

        spec.require(self.name, "text", "tagging")
        if self.part == "whole":
            raise ConfigError(
                f"{self.name}: there is no task of translation to build a whole architecture for; search its encoders "
                "with part='encoder' (--space-option part=encoder)."
            )
        config = self.config(arch)
        pairs = zip(config["heads"], config["ffn"], strict=True)
        layers = stretched([(int(heads), self._scaled(ffn, 1)) for heads, ffn in pairs], self._depth_factor)
        return HATEncoder(self._scaled(config["embed"], 4), layers, self._scaled(ATTENTION, 8), spec, self.context)

    def count_parameters(self, population: Population, spec: TaskSpec) -> IntegerArray | None:
        """Parameters of the built encoders, ``(b,)``; None for whole architectures, which are not built."""
        if self.part == "whole":
            return None
        embed = self._sizes(self.column(population, "embed"), 4)
        ffn = self._sizes(self.column(population, "ffn"), 1)
        which = stretched_layers(self.depth(population.decisions), self._depth_factor)
        layers = _encoder(embed[:, None], ffn, self._scaled(ATTENTION, 8))
        total: IntegerArray = (np.take_along_axis(layers, np.maximum(which, 0), axis=1) * (which >= 0)).sum(1)
        total += embed * spec.vocabulary + (embed + 1) * spec.num_outputs
        return total

    def count_subtransformer(self, population: Population) -> IntegerArray:
        r"""Parameters of encoder and decoder without embeddings, as HAT's authors state them, ``(b,)``.

        With :math:`A(q, v) = 2 \cdot 512 q + 2 \cdot 512 v + 3 \cdot 512 + q`, widths :math:`E, D` and feed-forward
        channels :math:`F`:

        .. math:: \sum_{enc} [A(E, E) + 4 E + 2 E F + F + E] + \sum_{dec} [A(D, D) + A(D, E) + 6 D + 2 D F + F + D]

        Raises:
            ConfigError: the space is that of encoders.

        Example:
            >>> space = HAT()
            >>> arch = space.from_text(space.reference["wmt14ende_titanxp@208.1ms_bleu@28.5"])
            >>> space.count_subtransformer(Population.of(space.schema, [arch])).tolist()
            [49380864]
        """
        if self.part == "encoder":
            raise ConfigError(f"{self.name}: expected part 'whole', got 'encoder': there is no decoder to count.")
        E, D, F = (
            self.column(population, name).astype(np.int64) for name in ("encoder_embed", "decoder_embed", "encoder.ffn")
        )
        E, D = E[:, None], D[:, None]
        encoder = _encoder(E, F, ATTENTION)
        F = self.column(population, "decoder.ffn").astype(np.int64)
        decoder = _attention(D, D, ATTENTION) + _attention(D, E, ATTENTION) + 6 * D + 2 * D * F + F + D
        total: IntegerArray = encoder.sum(1) + np.where(F > 0, decoder, 0).sum(1)
        return total

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> HAT:
        """The same space with ``width`` times the channels and ``depth`` times the layers in its encoders.

        Widths become multiples of 4 and the attention's channels of 8. Layers are cut from the end, or the last one is
        repeated.
        """
        space = copy(self)
        space._width, space._depth_factor = self._width * width, self._depth_factor * depth
        return space

    def _scaled(self, value: float, step: int) -> int:
        return rounded_to(value * self._width, step)

    def _sizes(self, values: FloatArray, step: int) -> IntegerArray:
        found = np.zeros(values.shape, dtype=np.int64)
        for value in np.unique(values):
            found[values == value] = self._scaled(float(value), step)
        return found


def _attention(q: IntegerArray, v: IntegerArray, channels: int) -> IntegerArray:
    """Parameters of an attention with inputs of ``q`` and ``v`` channels."""
    return 2 * channels * q + 2 * channels * v + 3 * channels + q


def _encoder(E: IntegerArray, F: IntegerArray, channels: int) -> IntegerArray:
    """Parameters of encoder layers, ``(b, layers)``."""
    return _attention(E, E, channels) + 4 * E + 2 * E * F + F + E
