"""GraphGym's design space: 5,832 graph networks, and 54 ways to train each.

Source: You, Ying and Leskovec, "Design Space for Graph Neural Networks", NeurIPS 2020, arXiv 2011.08843.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.gnn.space import check_pooling
from gennas.spaces.layered import Decision, LayeredSpace
from gennas.spaces.scaling import refuse_depth
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["GraphGym"]

_TRAINING = (
    Decision("batch_size", (16, 32, 64)),
    Decision("lr", (0.1, 0.01, 0.001)),
    Decision("optimizer", ("sgd", "adam")),
    Decision("epochs", (100, 200, 400)),
)


@SPACES.register("graphgym")
class GraphGym(LayeredSpace):
    r"""Dense layers before and after, two to eight layers of one kind of message passing, and how they are trained.

    Batch norm, dropout, activation, aggregation, connectivity, and numbers of layers before (``pre``), of message
    passing (``layers``) and after (``post``): :math:`2 \cdot 3^6 \cdot 4` = 5,832 networks. With ``training`` the batch
    size, learning rate, optimizer and epochs are decisions, too: 54 times as many, 314,928; an architecture then brings
    its :meth:`hyperparameters`. A layer is the paper's equation 1,

    .. math:: h_v' = AGG\{ACT(DROPOUT(BN(W h_u + b))), u \in N(v)\}

    ``skip-sum`` adds a layer's input, ``skip-cat`` puts it beside the output. ``adam`` is AdamW here. Graphs are
    trained full-batch where a task is one graph, and the batch size then has no effect.

    Args:
        training: whether training settings are decisions.
        hidden: width of every layer.
        pooling: how the nodes of a graph become one vector where graphs are classified.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> GraphGym().size, GraphGym(training=False).size
        (314928, 5832)
        >>> space = GraphGym()
        >>> arch = space.from_text(
        ...     "batch_norm=1;dropout=0;act=prelu;aggr=sum;connectivity=skip-cat;pre=1;layers=4;post=2;"
        ...     "batch_size=32;lr=0.01;optimizer=adam;epochs=400"
        ... )
        >>> space.hyperparameters(arch)
        {'batch_size': 32, 'lr': 0.01, 'optimizer': 'adamw', 'epochs': 400}
    """

    name = "graphgym"

    def __init__(self, training: bool = True, hidden: int = 64, pooling: Literal["mean", "sum", "max"] = "sum") -> None:
        check_pooling(self.name, pooling)
        if hidden < 1:
            raise ConfigError(f"{self.name}: expected a positive hidden width, got {hidden}.")
        self.training, self.hidden = training, hidden
        self.pooling: Literal["mean", "sum", "max"] = pooling
        whole = (
            Decision("batch_norm", (0, 1)),
            Decision("dropout", (0, 0.3, 0.6)),
            Decision("act", ("relu", "prelu", "swish")),
            Decision("aggr", ("mean", "max", "sum")),
            Decision("connectivity", ("stack", "skip-sum", "skip-cat")),
            Decision("pre", (1, 2, 3)),
            Decision("layers", (2, 4, 6, 8)),
            Decision("post", (1, 2, 3)),
        )
        super().__init__(self.name, (*whole, *(_TRAINING if training else ())))

    def hyperparameters(self, arch: Architecture) -> Mapping[str, Any]:
        """Batch size, learning rate, optimizer and epochs, where they are decisions."""
        if not self.training:
            return {}
        found = {decision.name: self.config(arch)[decision.name] for decision in _TRAINING}
        return found | ({"optimizer": "adamw"} if found["optimizer"] == "adam" else {})

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A network with ``forward(x, edge_index)`` for nodes, ``forward(x, edge_index, batch)`` for graphs.

        Raises:
            ConfigError: the task is about neither.
        """
        from gennas.spaces.parts import Plain

        return self._of_parts(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one batch norms, activations and aggregations have a module for each choice.

        Raises:
            ConfigError: as :meth:`build`, or training settings are decisions, which no shared weights can have.
        """
        if self.training:
            raise ConfigError(
                f"Space {self.name!r} has no weight-sharing network with training settings as decisions, which shared "
                "weights cannot follow: set training=false."
            )
        return self._of_parts(parts, spec)

    def _of_parts(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        from gennas.spaces.graphgym.networks import GraphGymNetwork

        spec.require(self.name, "node", "graph")
        return GraphGymNetwork(self.values(parts), self.hidden, spec, self.pooling, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of all layers, ``(b,)``."""
        spec.require(self.name, "node", "graph")
        names = ("batch_norm", "pre", "layers", "post")
        norm, pre, layers, post = (self.column(population, name).astype(np.int64) for name in names)
        h, features = self.hidden, spec.input_shape[0]
        joined = self.chosen(population, "connectivity", "skip-cat")
        # skip-cat: layer i reads (i + 1) h features, and (layers + 1) h are handed on
        inputs = np.where(joined, layers * (layers + 1) // 2, layers) * h
        last = np.where(joined, layers + 1, 1) * h
        total = (features + 1) * h + (pre - 1) * (h + 1) * h
        total += inputs * h + layers * (h + 2 * h * norm + self.chosen(population, "act", "prelu"))
        found: NDArray[np.int64] = total + (last + 1) * h + (post - 1) * (h + 1) * h + (h + 1) * spec.num_outputs
        return found

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> GraphGym:
        """The same space with ``width`` times the hidden units.

        Raises:
            ConfigError: another depth, which is what the space chooses.
        """
        refuse_depth(self.name, depth)
        space = copy(self)
        space.hidden = max(1, round(self.hidden * width))
        return space
