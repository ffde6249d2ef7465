"""NAS-Bench-BERT: the part of FlexiBERT of which 500 encoders are measured on GLUE."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.flexibert.base import FEED_FORWARD, HEADS, HIDDEN, OPERATIONS, STACKS, EncoderSpace, IntegerArray
from gennas.spaces.layered import Decision

if TYPE_CHECKING:
    from gennas.spaces.flexibert.networks import EncoderLayer

__all__ = ["NASBenchBERT"]

_LAYER = {
    "num_operation_heads": "heads",
    "feed_forward_dimension": "ff",
    "num_feed_forward": "stack",
}
_NAMES = ("operation_type", "operation_parameter", *_LAYER)


@SPACES.register("nasbench-bert")
class NASBenchBERT(EncoderSpace):
    r"""Encoders of 2 or 4 layers, of which NAS-Bench-BERT holds 500 with GLUE scores (Serianni and Kalita 2023).

    The table stands in "Training-free Neural Architecture Search for RNNs and Transformers" (arXiv 2306.00288); its
    space is FlexiBERT's (Tuli et al. 2023, arXiv 2205.11656) with one number of channels for the whole network and one
    width for all stacked feed-forward layers. A layer has :math:`6 \cdot 2 \cdot 2 \cdot 2 = 48` ways, and the space

    .. math:: 2 (48^2 + 48^4) = 10{,}621{,}440

    encoders. The text form is the official dictionary in JSON, which is also what ``gennas convert-table`` writes; the
    form ``hidden=128;depth=2;operation=sa-sdp,dsc-5;heads=2,4;stack=1,3;ff=512,512`` is read, too.

    Args:
        context: longest input; by default the task's.

    Example:
        >>> space = NASBenchBERT()
        >>> arch = space.from_text("hidden=128;depth=2;operation=sa-sdp,dsc-5;heads=2,4;stack=1,3;ff=512,1024")
        >>> space.official_config(arch)["encoder_layers"][1]["operation_parameter"]
        5
    """

    name = "nasbench-bert"
    reference: ClassVar[Mapping[str, str]] = {
        "NAS-Bench-BERT-0": "hidden=256;depth=4;operation=sa-wma,lt-dct,sa-sdp,sa-sdp;heads=4,2,4,4;stack=3,3,3,1;"
        "ff=1024,512,512,1024"
    }

    def __init__(self, context: int | None = None) -> None:
        layer = (
            Decision("operation", OPERATIONS),
            Decision("heads", HEADS),
            Decision("stack", STACKS),
            Decision("ff", FEED_FORWARD),
        )
        super().__init__(self.name, [Decision("hidden", HIDDEN)], layer, context)

    # ------------------------------------------------------------------ the official dictionary

    def official_config(self, arch: Architecture) -> dict[str, Any]:
        """The table's ``model_hparam_overrides`` of an architecture, without the level ``nas_config``."""
        config = self.config(arch)
        layers = []
        for i, operation in enumerate(config["operation"]):
            kind, _, parameter = operation.partition("-")
            operation_parameter = int(parameter) if parameter.isdigit() else parameter.upper()
            numbers = {official: config[name][i] for official, name in _LAYER.items()}
            layers.append({"operation_type": kind.upper(), "operation_parameter": operation_parameter, **numbers})
        return {"hidden_size": config["hidden"], "encoder_layers": layers}

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """Read values by name, or the official dictionary with ``hidden_size`` and ``encoder_layers``.

        The latter may stand under ``nas_config``, as in the table.

        Raises:
            InvalidArchitectureError: a name is missing or unknown, or a value is not in the space.
        """
        return super().from_config(self._plain(config) if "hidden_size" in config else config)

    def _plain(self, config: Mapping[str, Any]) -> dict[str, Any]:
        inner = config.get("nas_config", config)
        layers = inner.get("encoder_layers") if isinstance(inner, Mapping) else None
        if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
            raise InvalidArchitectureError(
                f"{self.name}: expected a list of layers 'encoder_layers', got {layers!r:.60}."
            )
        for i, layer in enumerate(layers, 1):
            if set(layer) != set(_NAMES):
                raise InvalidArchitectureError(
                    f"{self.name}: expected layer {i} with {', '.join(_NAMES)}, got {', '.join(map(str, layer)):.80}."
                )
        found = {"hidden": config["hidden_size"], "depth": len(layers)}
        operations = [f"{layer['operation_type']}-{layer['operation_parameter']}".lower() for layer in layers]
        return {
            **found,
            "operation": operations,
            **{name: [layer[official] for layer in layers] for official, name in _LAYER.items()},
        }

    def to_text(self, arch: Architecture) -> str:
        """The official dictionary in JSON, without blanks."""
        return json.dumps(self.official_config(arch), separators=(",", ":"))

    def from_text(self, text: str) -> Architecture:
        """Read the official dictionary in JSON, or one field for each decision.

        Raises:
            InvalidArchitectureError: the text is malformed or names an architecture outside the space.
        """
        if not text.lstrip().startswith("{"):
            return super().from_text(text)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:  # deep, or a number of many digits
            raise InvalidArchitectureError(f"{self.name}: expected a dictionary in JSON ({error}).") from error
        return self.from_config(found)

    # ------------------------------------------------------------------ networks

    def _encoder_layers(self, config: Mapping[str, Any]) -> list[EncoderLayer]:
        from gennas.spaces.flexibert.networks import EncoderLayer

        rows = zip(config["operation"], config["heads"], config["stack"], config["ff"], strict=True)
        return [EncoderLayer(config["hidden"], o, n, (f,) * STACKS[-1], stack) for o, n, stack, f in rows]

    def _widths(self, population: Population) -> tuple[IntegerArray, list[IntegerArray]]:
        hidden = self._mapped(self.column(population, "hidden"), self._channels)
        ff, stack = self._mapped(self.column(population, "ff"), self._scaled), self.column(population, "stack")
        rest = ff * (stack > 1)
        return hidden[:, None].repeat(ff.shape[1], 1), [ff, rest, rest]
