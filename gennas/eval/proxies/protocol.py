"""Under which conditions a proxy was measured; values of different conditions are never pooled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gennas.errors import ConfigError
from gennas.spaces.spec import KINDS, Kind, TaskSpec

__all__ = ["INITIALISATIONS", "Protocol", "require_same"]

Initialisation = Literal["default", "kaiming", "normal"]
INITIALISATIONS: tuple[Initialisation, ...] = ("default", "kaiming", "normal")


@dataclass(frozen=True)
class Protocol:
    """Identity of proxy values.

    Args:
        batch: where the batch comes from: ``noise`` (standard normal inputs, uniform labels) or the name of
            a task, whose training part it is drawn from.
        batch_size: examples in the batch; a graph is one batch whatever its size.
        initialisation: ``default`` (what the space builds), ``kaiming`` (He et al. 2015, fan-in, zero biases,
            unit normalisation) or ``normal`` (standard normal weights).
        input_shape: ``(channels, height, width)``, or ``(features,)`` of graph nodes.
        num_classes: outputs of the network.
        target: accuracy that the scores are compared with, such as ``c10_val_200``; empty while there is none.
        seed: seed of initialisation, batch and perturbations.
        dtype: type of the passes on data; synflow and its kin always compute in float64.
        device: ``cpu``, ``cuda`` or ``auto``.
        kind: of the task; empty for ``image`` where ``input_shape`` has three sizes, else ``node``.
        vocabulary: different tokens, of the kinds whose inputs are tokens.
        second_shape: shape of the second input of a ``pair``.

    Example:
        >>> Protocol(batch_size=16).identity
        'noise x16; init default; input 3x32x32; 10 classes; seed 0; float32; cpu; target none'
    """

    batch: str = "noise"
    batch_size: int = 64
    initialisation: Initialisation = "default"
    input_shape: tuple[int, ...] = (3, 32, 32)
    num_classes: int = 10
    target: str = ""
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "cpu"
    kind: Kind | Literal[""] = ""
    vocabulary: int = 0
    second_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "second_shape", tuple(self.second_shape))
        rules = (
            (self.batch_size >= 1, f"batch_size >= 1, got {self.batch_size}"),
            (self.initialisation in INITIALISATIONS, f"initialisation in {INITIALISATIONS}, got {self.initialisation}"),
            (self.dtype in ("float32", "float64"), f"dtype float32 or float64, got {self.dtype}"),
            (
                bool(self.input_shape) and all(isinstance(n, int) and n > 0 for n in self.input_shape),
                f"positive sizes in input_shape, got {self.input_shape}",
            ),
            (self.num_classes >= 1, f"num_classes >= 1, got {self.num_classes}"),
            (self.kind in ("", *KINDS), f"kind in {KINDS}, got {self.kind!r}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"Proxy protocol: expected {rule}.")

    @property
    def spec(self) -> TaskSpec:
        """What networks are built for."""
        guess: Kind = "image" if len(self.input_shape) == 3 else "node"
        return TaskSpec(self.kind or guess, self.input_shape, self.num_classes, self.vocabulary, self.second_shape)

    @property
    def identity(self) -> str:
        """One line that two protocols share only if their values may be pooled."""
        shape = "x".join(map(str, self.input_shape))
        kind = self.spec.kind
        other = "" if kind in ("image", "node") else f"; {kind}"  # these came later: earlier protocols keep their name
        other += f" of {self.vocabulary} tokens" if self.vocabulary else ""
        other += f" and {'x'.join(map(str, self.second_shape))}" if self.second_shape else ""
        return (
            f"{self.batch} x{self.batch_size}; init {self.initialisation}; input {shape}; {self.num_classes} classes; "
            f"seed {self.seed}; {self.dtype}; {self.device}; target {self.target or 'none'}{other}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for records."""
        values = {**asdict(self), "input_shape": list(self.input_shape), "second_shape": list(self.second_shape)}
        later = ("kind", "vocabulary", "second_shape")
        return {name: value for name, value in values.items() if value or name not in later}


def require_same(protocols: Iterable[Protocol]) -> Protocol:
    """Return the one protocol of all.

    Raises:
        ConfigError: there are none, or they differ.
    """
    distinct = list(dict.fromkeys(protocols))
    if len(distinct) != 1:
        found = " | ".join(p.identity for p in distinct) or "none"
        raise ConfigError(f"Proxy values of different protocols are never pooled: expected one protocol, got {found}.")
    return distinct[0]
