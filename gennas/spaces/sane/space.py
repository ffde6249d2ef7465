"""SANE: three layers of eleven aggregators, which of them count, and how they are joined: 31,944 networks.

Source: Zhao, Yao and Tu, "Search to Aggregate Neighborhood for Graph Neural Network", ICDE 2021, arXiv 2104.06608.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.gnn.space import check_pooling
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import refuse_depth
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SANE"]

# Weights of hidden x hidden, and vectors of hidden, by aggregator.
_WEIGHTS = {"sage-sum": (2, 1), "sage-mean": (2, 1), "sage-max": (2, 1), "gcn": (1, 1), "gat": (1, 3),
            "gat-sym": (1, 3), "gat-cos": (1, 3), "gat-linear": (1, 3), "gat-gen-linear": (1, 4), "gin": (2, 2),
            "geniepath": (4, 6)}  # fmt: skip
_DEPTH = 3


@SPACES.register("sane")
class SANE(LayeredSpace):
    r"""Three layers, each with an aggregator and whether the join reads it (``skip``), and the join.

    Aggregators are ``sage-sum``, ``sage-mean``, ``sage-max``, ``gcn``, five kinds of attention ``gat``, ``gat-sym``,
    ``gat-cos``, ``gat-linear``, ``gat-gen-linear``, ``gin`` and ``geniepath``; joins are ``cat``, ``max`` and
    ``lstm``: :math:`11^3 \cdot 2^3 \cdot 3` = 31,944. As in the paper all of them count, although a layer after the
    last one that is read changes nothing, and a network that reads none gives the same logits for all inputs.

    Args:
        hidden: width of every layer.
        heads: of the attention, whose outputs are concatenated.
        dropout: rate after every layer.
        pooling: how the nodes of a graph become one vector where graphs are classified.

    Raises:
        ConfigError: settings out of range, or heads that do not divide the width.

    Example:
        >>> space = SANE()
        >>> space.size
        31944
        >>> space.from_text("join=cat;depth=3;op=gcn,gat-cos,geniepath;skip=1,0,1")
        Architecture(sane: cat gcn skip1 gat-cos skip0 geniepath skip1)
    """

    unshared: ClassVar[str] = "it is not written with parts"

    name = "sane"

    def __init__(
        self,
        hidden: int = 64,
        heads: int = 2,
        dropout: float = 0.5,
        pooling: Literal["mean", "sum", "max"] = "mean",
    ) -> None:
        check_pooling(self.name, pooling)
        if hidden < 1 or heads < 1 or hidden % heads:
            raise ConfigError(f"{self.name}: expected heads that divide hidden, got heads={heads}, hidden={hidden}.")
        if not 0 <= dropout < 1:
            raise ConfigError(f"{self.name}: expected a dropout in [0, 1), got {dropout}.")
        self.hidden, self.heads, self.dropout = hidden, heads, dropout
        self.pooling: Literal["mean", "sum", "max"] = pooling
        layer = (Decision("op", tuple(_WEIGHTS)), Decision("skip", (0, 1)))
        super().__init__(self.name, [Decision("join", ("cat", "max", "lstm"))], [Group("layer", (_DEPTH,), layer)])

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A network with ``forward(x, edge_index)`` for nodes, ``forward(x, edge_index, batch)`` for graphs.

        Raises:
            ConfigError: the task is about neither.
        """
        from gennas.spaces.sane.networks import SANENetwork

        spec.require(self.name, "node", "graph")
        return SANENetwork(self.config(arch), self.hidden, self.heads, self.dropout, spec, self.pooling)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of the input layer, all aggregators, the join and the classifier, ``(b,)``."""
        spec.require(self.name, "node", "graph")
        h, joined = self.hidden, self.chosen(population, "join", "cat")
        total = np.full(len(population), (spec.input_shape[0] + 1) * h, dtype=np.int64)
        for op, (matrices, vectors) in _WEIGHTS.items():
            total += self.chosen(population, "op", op).sum(1) * (matrices * h**2 + vectors * h)
        memory = _DEPTH * h // 2  # of torch-geometric's bidirectional LSTM over layers
        lstm = 2 * (4 * memory * (h + memory) + 8 * memory) + 2 * memory + 1
        total += self.chosen(population, "join", "lstm") * lstm
        found: NDArray[np.int64] = total + (np.where(joined, _DEPTH * h, h) + 1) * spec.num_outputs
        return found

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> SANE:
        """The same space with ``width`` times the hidden units, in multiples of the heads.

        Raises:
            ConfigError: another depth, which is fixed.
        """
        refuse_depth(self.name, depth, "networks have three layers")
        space = copy(self)
        space.hidden = max(1, round(self.hidden * width / self.heads)) * self.heads
        return space
