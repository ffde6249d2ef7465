"""Spaces of landscapes: decisions without networks behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Architecture, GraphSchema
from gennas.spaces import Space
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ChoiceSpace", "DeepChain"]


class ChoiceSpace(Space):
    r"""Independent choices in a row: every one of :math:`k^d` combinations is an architecture, and none has a network.

    Args:
        decisions: ``d``, how many choices.
        labels: ``k``, how many labels each has.
        ordinal: whether the labels are the numbers from 1 to ``k``, rather than mere names.

    Raises:
        ConfigError: there is nothing to choose.

    Example:
        >>> ChoiceSpace(3, 2).size
        8
    """

    name = "choices"

    def __init__(self, decisions: int = 48, labels: int = 4, ordinal: bool = False) -> None:
        if decisions < 1 or labels < 2:
            raise ConfigError(
                f"{self.name}: expected a decision and two labels at least, got {decisions} and {labels}."
            )
        self.num_labels, self.ordinal = labels, ordinal
        names = tuple(f"{'n' if ordinal else 'c'}{i + 1}" for i in range(labels))
        edges = np.zeros((decisions, decisions, 2), dtype=bool)
        edges[..., 0] = True
        edges[np.arange(decisions - 1), np.arange(1, decisions)] = [False, True]
        ordinals = {name: i + 1.0 for i, name in enumerate(names)} if ordinal else {}
        nodes = np.ones((decisions, labels), dtype=bool)
        self.schema = GraphSchema(self.name, names, ("none", "next"), nodes, edges, ordinals=ordinals)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Refuse: there are no networks.

        Raises:
            ConfigError: always.
        """
        _refuse(self.name)


class DeepChain(LayeredSpace):
    """The shape of a deep transformer's space: 75 decisions, three of the whole and two of each layer; no networks.

    Args:
        depths: numbers of layers.
    """

    def __init__(self, depths: tuple[int, ...] = (34, 35, 36)) -> None:
        whole = (Decision("embed", (320, 640, 1280)), Decision("bias", ("with", "without")))
        layer = (Decision("mlp", (2, 3, 4)), Decision("heads", (8, 16, 20)))
        super().__init__("deep-chain", whole, [Group("layer", tuple(depths), layer)])

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Refuse: there are no networks.

        Raises:
            ConfigError: always.
        """
        _refuse(self.name)


def _refuse(name: str) -> NoReturn:
    raise ConfigError(
        f"Space {name!r} has no networks: it is for landscapes, whose values are formulas. Expected an evaluator of "
        "gennas.testing.landscapes."
    )
