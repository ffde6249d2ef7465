"""A general space of graph neural networks for nodes and graphs.

Sources of its choices: You et al., "Design Space for Graph Neural Networks", NeurIPS 2020, arXiv 2011.08843; Gao et
al., "GraphNAS: Graph Neural Architecture Search with Reinforcement Learning", IJCAI 2020, arXiv 1904.09981; the
operators are torch-geometric's.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import refuse_depth
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["GNN", "check_pooling"]

OPERATORS = ("gcn", "sage", "gin", "gat", "gatv2", "cheb", "arma", "graph", "tag", "transformer", "fc")
AGGREGATING, ATTENDING = ("sage", "gin", "graph"), ("gat", "gatv2", "transformer")
# Weights of inputs x outputs, and vectors of outputs. Besides, gin has a second layer of outputs x outputs, and
# arma one for further steps, which torch-geometric keeps although there is a single step.
_WEIGHTS = {"gcn": (1, 1), "sage": (2, 1), "gin": (1, 2), "gat": (1, 3), "gatv2": (2, 4), "cheb": (2, 1),
            "arma": (2, 1), "graph": (2, 1), "tag": (4, 1), "transformer": (4, 4), "fc": (1, 1)}  # fmt: skip


@SPACES.register("gnn")
class GNN(LayeredSpace):
    r"""One to four layers of eleven operators with aggregation or heads and activation, between dense layers.

    Of the whole network: ``hidden`` width, dense layers before (``pre``) and after (``post``) the message passing,
    ``connectivity``, batch norm and dropout. Of each layer: the operator, the aggregation of ``sage``, ``gin``
    and ``graph``, the heads of ``gat``, ``gatv2`` and ``transformer``, and the activation. With 432 choices of the
    whole and 5 (3 * 3 + 3 * 4 + 5) = 130 of a layer the space holds

    .. math:: 432 \, (130 + 130^2 + 130^3 + 130^4) = 124,339,980,960

    networks. ``skip-sum`` adds a layer's input to its output (by a linear map where the widths differ); ``skip-cat``
    hands the concatenation of the first layer's input and all outputs on (jumping knowledge, Xu et al. 2018, arXiv
    1806.03536).

    Args:
        pooling: how the nodes of a graph become one vector where graphs are classified.

    Raises:
        ConfigError: an unknown pooling.

    Example:
        >>> space = GNN()
        >>> space.size
        124339980960
        >>> arch = space.from_text(space.reference["GCN"])
        >>> space.config(arch)["op"], space.config(arch)["heads"]
        (['gcn', 'gcn'], [None, None])
    """

    name = "gnn"
    reference: ClassVar[Mapping[str, str]] = {
        "GCN": "hidden=16;pre=0;post=0;connectivity=stack;batch_norm=0;dropout=0.6;depth=2;"
        "op=gcn,gcn;aggr=-,-;heads=-,-;act=relu,relu",
        "GAT": "hidden=64;pre=0;post=0;connectivity=stack;batch_norm=0;dropout=0.6;depth=2;"
        "op=gat,gat;aggr=-,-;heads=8,8;act=elu,elu",
    }

    def __init__(self, pooling: Literal["mean", "sum", "max"] = "mean") -> None:
        check_pooling(self.name, pooling)
        self.pooling: Literal["mean", "sum", "max"] = pooling
        self._factor = 1.0
        whole = (
            Decision("hidden", (16, 32, 64, 128)),
            Decision("pre", (0, 1)),
            Decision("post", (0, 1, 2)),
            Decision("connectivity", ("stack", "skip-sum", "skip-cat")),
            Decision("batch_norm", (0, 1)),
            Decision("dropout", (0, 0.3, 0.6)),
        )
        layer = (
            Decision("op", OPERATORS),
            Decision("aggr", ("sum", "mean", "max"), when={"op": AGGREGATING}),
            Decision("heads", (1, 2, 4, 8), when={"op": ATTENDING}),
            Decision("act", ("relu", "elu", "leaky_relu", "tanh", "prelu")),
        )
        super().__init__(self.name, whole, [Group("layer", (1, 2, 3, 4), layer)])

    def _hidden(self, hidden: float) -> int:
        """Width of a network where the label says ``hidden``: a multiple of 8, the most heads."""
        return max(8, 8 * round(hidden * self._factor / 8))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A network with ``forward(x, edge_index)`` for nodes, ``forward(x, edge_index, batch)`` for graphs.

        Raises:
            ConfigError: the task is about neither.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; a shared layer has a module for each operator, aggregation and number of heads.

        Widths are leading slices, which can be chosen, not mixed, and the first layers run.

        Raises:
            ConfigError: as :meth:`build`.
        """
        from gennas.spaces.gnn.networks import GNNNetwork
        from gennas.spaces.parts import sized, unmixed

        spec.require(self.name, "node", "graph")
        config = self.values(parts)
        hidden = unmixed(sized(self._hidden, config["hidden"]))
        return GNNNetwork({**config, "hidden": hidden}, spec, self.pooling, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of all layers, ``(b,)``."""
        spec.require(self.name, "node", "graph")
        features, classes = spec.input_shape[0], spec.num_outputs
        hidden = np.array([self._hidden(h) for h in self.column(population, "hidden")], dtype=np.int64)
        pre, post = (self.column(population, name).astype(np.int64) for name in ("pre", "post"))
        depth = self.column(population, "depth").astype(np.int64)
        summed, joined = (self.chosen(population, "connectivity", f"skip-{how}") for how in ("sum", "cat"))
        first = np.where(pre > 0, hidden, features)
        total = pre * (features + 1) * hidden + np.where(summed & (first != hidden), first * hidden, 0)
        for op, (matrices, vectors) in _WEIGHTS.items():
            chosen = self.chosen(population, "op", op)
            own = vectors * hidden + (hidden**2 if op in ("gin", "arma") else 0)
            total += chosen.sum(1) * (matrices * hidden**2 + own) + chosen[:, 0] * matrices * (first - hidden) * hidden
        total += self.chosen(population, "act", "prelu").sum(1)
        total += 2 * hidden * depth * self.column(population, "batch_norm").astype(np.int64)
        last = np.where(joined, first + depth * hidden, hidden)
        total += np.where(post > 0, (last + 1) * hidden + np.maximum(post - 1, 0) * (hidden + 1) * hidden, 0)
        found: NDArray[np.int64] = total + (np.where(post > 0, hidden, last) + 1) * classes
        return found

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> GNN:
        """The same space with ``width`` times the hidden units, in multiples of 8.

        Raises:
            ConfigError: another depth, which is what the space chooses.
        """
        refuse_depth(self.name, depth)
        space = copy(self)
        space._factor = self._factor * width
        return space


def check_pooling(name: str, pooling: str) -> None:
    """Refuse an unknown pooling.

    Raises:
        ConfigError: it is unknown.
    """
    if pooling not in ("mean", "sum", "max"):
        raise ConfigError(f"{name}: expected pooling 'mean', 'sum' or 'max', got {shown(pooling)}.")
