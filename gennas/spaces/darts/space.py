"""DARTS: a normal and a reduction cell, each of four nodes that take two inputs.

Sources: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv 1806.09055 (space and
networks); Zela et al., "Surrogate NAS Benchmarks", ICLR 2022, arXiv 2008.09777 (NAS-Bench-301, configurations).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces.base import SPACES
from gennas.spaces.darts.genotype import NODES, OPERATIONS, Genotype
from gennas.spaces.in_degree import InDegreeSpace
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["DARTS"]

_CELL = 7  # nodes: two inputs, four sums, a concatenation
_LABELS = ("none", *OPERATIONS)


def _from_nasbench301(text: str) -> str:
    """The genotype of a NAS-Bench-301 configuration in JSON."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArchitectureError(f"darts: expected a configuration in JSON, got {text!r:.100}.") from error
    if not isinstance(config, dict):
        raise InvalidArchitectureError(f"darts: expected a configuration in JSON, got {text!r:.100}.")
    return str(Genotype.of_config(config.get("optimized_hyperparamater_config", config)))


def _published(normal: str, reduce: str) -> str:
    """A genotype from words like ``sep_conv_3x3~0``."""
    cells = [[(word.split("~")[0], int(word.split("~")[1])) for word in text.split()] for text in (normal, reduce)]
    return str(Genotype(*map(tuple, cells)))


@SPACES.register("darts")
class DARTS(InDegreeSpace):
    r"""Two cells of four nodes; every node sums two of the outputs before it, each through one of seven operations.

    The inputs of a cell are the outputs of the two cells before it, its output is the concatenation of the four nodes.
    The space holds

    .. math:: \Bigl(\prod_{i=2}^{5} \binom{i}{2} 7^2\Bigr)^2 = 1{,}076{,}746{,}950{,}455{,}072{,}400

    pairs of the 1,037,664,180 cells, sampled uniformly. Every pair has 120 neighbours: 96 with another operation on an
    edge, 24 in which an edge comes from another node and keeps its operation. Nodes that take the same inputs could
    change places; such cells count as different, as they do in NAS-Bench-301.

    The text is the published ``Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=range(2, 6), reduce=[…],
    reduce_concat=range(2, 6))``; it is parsed, not executed, and the edges of a node may come in any order.
    :meth:`from_config` reads the dictionaries of NAS-Bench-301.

    Networks stack ``num_cells`` cells; those at one and two thirds are reduction cells, which halve the images and
    double the channels. With ``num_cells=20, width=36`` they are the published ones for CIFAR-10 (DARTS-V2 has
    3,349,342 parameters, 3,825,768 with its auxiliary head), with ``num_cells=14, width=48, stem="imagenet"`` those
    for ImageNet (4,718,752). For 8x8 images few cells of few channels do: ``num_cells=3, width=8``.

    Args:
        num_cells: cells in a row, at least 3.
        width: channels of the nodes in the first cells.
        auxiliary: whether a second classifier after the last reduction learns, too, with weight 0.4; in training mode
            only (see :class:`gennas.spaces.darts.networks.DARTSNetwork`).
        drop_path: share of the paths that are dropped at the end of training; it rises from 0.
        stem: ``cifar`` keeps the images' size, ``imagenet`` divides it by eight.

    Raises:
        ConfigError: fewer than three cells, no channels, or a share outside [0, 1).

    Example:
        >>> space = DARTS()
        >>> space.size
        1076746950455072400
        >>> len(space.neighbours(space.from_text(space.reference["DARTS-V2"])))
        120
    """

    name = "darts"
    formats: ClassVar = {"nasbench301": _from_nasbench301}
    reference: ClassVar[Mapping[str, str]] = {
        "DARTS-V1": _published(
            "sep_conv_3x3~1 sep_conv_3x3~0 skip_connect~0 sep_conv_3x3~1 skip_connect~0 sep_conv_3x3~1 sep_conv_3x3~0 "
            "skip_connect~2",
            "max_pool_3x3~0 max_pool_3x3~1 skip_connect~2 max_pool_3x3~0 max_pool_3x3~0 skip_connect~2 skip_connect~2 "
            "avg_pool_3x3~0",
        ),
        "DARTS-V2": _published(
            "sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~1 skip_connect~0 skip_connect~0 "
            "dil_conv_3x3~2",
            "max_pool_3x3~0 max_pool_3x3~1 skip_connect~2 max_pool_3x3~1 max_pool_3x3~0 skip_connect~2 skip_connect~2 "
            "max_pool_3x3~1",
        ),
        "NAS-Bench-301-example": _published(
            "skip_connect~0 sep_conv_3x3~1 sep_conv_3x3~0 skip_connect~1 dil_conv_3x3~0 dil_conv_5x5~2 sep_conv_3x3~1 "
            "skip_connect~2",
            "max_pool_3x3~0 avg_pool_3x3~1 skip_connect~0 dil_conv_5x5~1 sep_conv_3x3~1 sep_conv_5x5~2 sep_conv_3x3~2 "
            "dil_conv_3x3~3",
        ),
    }

    def __init__(
        self,
        num_cells: int = 20,
        width: int = 36,
        auxiliary: bool = False,
        drop_path: float = 0.0,
        stem: Literal["cifar", "imagenet"] = "cifar",
    ) -> None:
        if num_cells < 3 or width < 2 or not 0 <= drop_path < 1 or stem not in ("cifar", "imagenet"):
            raise ConfigError(
                "darts: expected num_cells >= 3 (one of them normal), width >= 2, drop_path in [0, 1) and a stem out "
                f"of cifar, imagenet; got {num_cells}, {width}, {drop_path} and {shown(stem)}."
            )
        self.num_cells, self.width, self.auxiliary = num_cells, width, auxiliary
        self.drop_path, self.stem = drop_path, stem
        super().__init__(_schema(), {start + v: 2 for start in (0, _CELL) for v in NODES})

    def genotype(self, arch: Architecture) -> Genotype:
        """The operations and sources of both cells."""
        cells = []
        for start in (0, _CELL):
            edges = arch.edges[start : start + _CELL, start : start + _CELL]
            cells.append(tuple((_LABELS[edges[u, v]], u) for v in NODES for u in range(v) if edges[u, v]))
        return Genotype(*cells)

    def from_genotype(self, genotype: Genotype) -> Architecture:
        """The architecture of a pair of cells."""
        E = np.zeros((2 * _CELL, 2 * _CELL), dtype=np.int16)
        for start, edges in ((0, genotype.normal), (_CELL, genotype.reduce)):
            for i, (operation, source) in enumerate(edges):
                E[start + source, start + NODES[i // 2]] = _LABELS.index(operation)
        nodes = self.schema.node_mask.argmax(1)
        return self.architecture(self.schema.to_decisions(nodes[None], E[None])[0])

    def to_text(self, arch: Architecture) -> str:
        """The published form."""
        return str(self.genotype(arch))

    def from_text(self, text: str) -> Architecture:
        """Read the published form, without executing it.

        Raises:
            InvalidArchitectureError: it is something else, or names an unknown operation or a wrong source.
        """
        return self.from_genotype(Genotype.parse(text))

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture of a NAS-Bench-301 configuration (see :meth:`Genotype.of_config`)."""
        return self.from_genotype(Genotype.of_config(config))

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> DARTS:
        """The same space with ``width`` times the channels and ``depth`` times the cells (at least three)."""
        cells = max(3, scaled_count(self.num_cells, depth))
        return DARTS(cells, max(2, round(self.width * width)), self.auxiliary, self.drop_path, self.stem)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The network that DARTS evaluates: stem, cells, mean over the image, linear classifier."""
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The network, of parts; in a shared one all operations stand on all edges.

        Raises:
            ConfigError: the task is not about images.
        """
        from gennas.spaces.darts.networks import DARTSNetwork

        spec.require(self.name, "image")
        settings = (self.num_cells, self.width, self.auxiliary, self.drop_path, self.stem)
        return DARTSNetwork(parts, self.schema.edge_labels, spec, *settings)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of the skeleton and of all operations, ``(b,)``."""
        from gennas.spaces.darts.counting import operation_parameters, skeleton_parameters

        spec.require(self.name, "image")
        skeleton = skeleton_parameters(spec, self.num_cells, self.width, self.auxiliary, self.stem)
        total = np.full(len(population), skeleton.fixed, dtype=np.int64)
        slots, D = self.schema.slots, population.decisions
        for channels, is_reduction in skeleton.cells:
            start = _CELL if is_reduction else 0
            for t, slot in enumerate(slots):
                assert slot.source is not None
                if start <= slot.target < start + _CELL:
                    halves = is_reduction and slot.source - start < 2
                    total += operation_parameters(channels, halves)[D[:, t]]
        return total


def _schema() -> GraphSchema:
    """Twice: inputs 0 and 1, sums 2 to 5 with free edges, and the concatenation of the sums."""
    n = 2 * _CELL
    node_mask = np.zeros((n, 3), dtype=bool)
    node_mask[np.arange(n), [0, 0, 1, 1, 1, 1, 2] * 2] = True
    edge_mask = np.zeros((n, n, len(_LABELS)), dtype=bool)
    edge_mask[..., 0] = True
    for start in (0, _CELL):
        for v in NODES:
            edge_mask[start : start + v, start + v] = True
            edge_mask[start + v, start + _CELL - 1] = np.arange(len(_LABELS)) == _LABELS.index("skip_connect")
    kinds = ("input0", "input1", *(f"node{v}" for v in NODES), "output")
    names = tuple(f"{cell} {kind}" for cell in ("normal", "reduce") for kind in kinds)
    return GraphSchema("darts", ("input", "sum", "concat"), _LABELS, node_mask, edge_mask, names)
