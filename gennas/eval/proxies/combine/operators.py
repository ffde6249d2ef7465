r"""A prior over architectures from what operators are, learned elsewhere.

Operators have no names here, only facts: what one more of them adds to a network's parameters, multiply-accumulates,
layers with weights, kernel sizes and modules, measured by building networks (:func:`measure_operators`, no labels).
An architecture becomes columns (:func:`operator_columns`): for each fact its total over the live graph, and its
largest, smallest and mean sum over the paths from input to output. These columns mean the same in every space, so a
predictor that was fitted on the labels of one table scores architectures of another, with operators it never saw.

After: Qiao et al. 2024, "TG-NAS", arXiv 2404.00271, which embeds descriptions of operators with a sentence transformer
and predicts with a graph convolutional network. Here the description is numeric, the predictor a forest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.eval.proxies.combine.base import Combination, Quantiles, Scores, labelled_rows
from gennas.graph import Population
from gennas.graph.paths import ends, longest_from, paths_through
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec

__all__ = ["FACTS", "OperatorFacts", "OperatorPrior", "measure_operators", "operator_columns"]

FloatArray = NDArray[np.float64]
FACTS = ("params", "flops", "layers", "kernel", "modules")


@dataclass(frozen=True)
class OperatorFacts:
    """What one more of each label adds to a network, as shares of the most that any label adds.

    Args:
        nodes: for each node label, ``(labels, facts)``.
        edges: for each edge label, ``(labels, facts)``; label 0, no edge, adds nothing.
        names: of the facts.
    """

    nodes: FloatArray
    edges: FloatArray
    names: tuple[str, ...] = FACTS


def measure_operators(space: Space, spec: TaskSpec, *, n: int = 40, seed: int = 0) -> OperatorFacts:
    """Facts by non-negative least squares of ``n`` sampled networks' properties on their counts of labels.

    Networks are built without memory (on PyTorch's ``meta`` device). Where contributions add up, as in
    NAS-Bench-201, the facts are exact; elsewhere they are means.

    Raises:
        ConfigError: the space cannot build networks for ``spec``.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201(num_cells=1, width=4)
        >>> facts = measure_operators(space, TaskSpec("image", (3, 8, 8), 10))
        >>> dict(zip(space.schema.edge_labels, facts.edges[:, 2].round(2).tolist()))["nor_conv_1x1"]
        1.0
    """
    from scipy.optimize import nnls

    population = space.sample(n, np.random.default_rng(seed))
    counts = _label_counts(population)
    properties = np.array([_properties(space, population[i], spec) for i in range(n)])
    scale = np.maximum(properties.max(0), 1.0)
    chosen = np.flatnonzero(counts.std(0) > 0)  # labels that every network has equally often are no operators
    design = np.hstack([counts[:, chosen], np.ones((n, 1))])
    facts = np.zeros((counts.shape[1], len(FACTS)))
    facts[chosen] = np.stack([nnls(design, column)[0][:-1] for column in (properties / scale).T], axis=1)
    facts /= np.maximum(facts.max(0), 1e-12)
    facts[facts < 1e-9] = 0.0  # rounding
    nodes = len(space.schema.node_labels)
    return OperatorFacts(facts[:nodes], facts[nodes:])


def operator_columns(population: Population, facts: OperatorFacts) -> dict[str, FloatArray]:
    """Totals and path sums of each fact, ``(b,)`` per column, and the number and length of paths.

    Only the live graph counts: what lies on a path from a source to a sink; without one all columns are 0.

    Raises:
        ConfigError: the facts belong to another number of labels.
    """
    schema = population.schema
    if (len(facts.nodes), len(facts.edges)) != (len(schema.node_labels), len(schema.edge_labels)):
        raise ConfigError(
            f"Expected facts of {len(schema.node_labels)} node and {len(schema.edge_labels)} edge labels, got "
            f"{len(facts.nodes)} and {len(facts.edges)}; measure them for this space."
        )
    sources, sinks = ends(schema)
    _, through = paths_through(schema, population.present)
    live = through > 0
    number = through[:, sources].sum((1, 2))
    columns = {"paths": np.log1p(number)}
    columns |= _over_paths("edges", live.astype(np.float64), live, through, number, (sources, sinks))
    for i, name in enumerate(facts.names):  # a node's fact counts on the edges that enter it
        entering = facts.nodes[population.X][:, None, :, i] * live
        gain = facts.edges[population.E, i] * live + entering
        columns |= _over_paths(name, gain, live, through, number, (sources, sinks))
        on_nodes = facts.nodes[population.X, i] * live.any(1)
        columns[f"{name}:total"] = (facts.edges[population.E, i] * live).sum((1, 2)) + on_nodes.sum(1)
    return columns


class OperatorPrior(Combination):
    """A forest on :func:`operator_columns`, fitted on the labels of other tasks or spaces.

    Columns and labels enter as quantiles of their population: what is scored needs a population, too, and
    levels of accuracy do not matter. :attr:`n_labels` counts the source's labels; the target needs none.

    Args:
        trees: of the forest.
        min_leaf: fewest labelled rows in a leaf.
        seed: of the forest.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201(num_cells=1, width=4)
        >>> facts = measure_operators(space, TaskSpec("image", (3, 8, 8), 10))
        >>> columns = operator_columns(space.sample(80, np.random.default_rng(0)), facts)
        >>> prior = OperatorPrior(trees=20).fit(columns, columns["params:total"])
        >>> bool(np.corrcoef(prior.score(columns), columns["params:total"])[0, 1] > 0.9)
        True
    """

    name = "operator prior"
    needs_labels = True

    def __init__(self, trees: int = 200, min_leaf: int = 5, seed: int = 0) -> None:
        self.trees, self.min_leaf, self.seed = trees, min_leaf, seed
        self._forest: Any = None

    def score(self, scores: Scores) -> FloatArray:
        """Predicted quantiles, ``(n,)``."""
        table = self._table(scores)
        found: FloatArray = self._forest.predict(Quantiles(table)(table))
        return found

    def _learn(self, scores: Scores, labels: FloatArray) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        rows = labelled_rows(labels, 2 * self.min_leaf, self.name)
        table = self._table(scores)
        target = Quantiles(labels[rows, None])(labels[rows, None])[:, 0]
        self._forest = ExtraTreesRegressor(
            self.trees, min_samples_leaf=self.min_leaf, max_features=0.5, random_state=self.seed
        )
        self._forest.fit(Quantiles(table)(table)[rows], target)


def _over_paths(
    name: str,
    gain: FloatArray,
    live: NDArray[np.bool_],
    through: FloatArray,
    number: FloatArray,
    ends: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> dict[str, FloatArray]:
    sources, sinks = ends
    most = longest_from(sources, live, gain)[:, sinks & ~sources].max(1)
    least = -longest_from(sources, live, -gain)[:, sinks & ~sources].max(1)
    found = {
        f"{name}:most": np.where(np.isfinite(most), most, 0.0),
        f"{name}:least": np.where(np.isfinite(least), least, 0.0),
        f"{name}:mean": (gain * through).sum((1, 2)) / np.maximum(number, 1),
    }
    return found


def _label_counts(population: Population) -> FloatArray:
    """How often each node label and each edge label occurs, ``(b, node labels + edge labels)``, 0 for no edge."""
    schema = population.schema
    nodes = (population.X[..., None] == np.arange(len(schema.node_labels))).sum(1)
    edges = (population.E[..., None] == np.arange(len(schema.edge_labels))).sum((1, 2))
    edges[:, 0] = 0
    return np.hstack([nodes, edges]).astype(np.float64)


def _properties(space: Space, arch: Any, spec: TaskSpec) -> list[float]:
    """Parameters, multiply-accumulates, layers with weights, sides of kernels and leaf modules of one network."""
    import torch

    from gennas.eval.complexity import count_flops
    from gennas.eval.proxies._weights import weighted_layers

    with torch.device("meta"):
        net = space.build(arch, spec)
        counted = count_flops(net, (1, *spec.input_shape))
    leaves = [m for m in net.modules() if not list(m.children())]
    sides: list[Any] = [getattr(m, "kernel_size", 0) for m in leaves]
    kernels = sum(float(np.max(side)) for side in sides)
    return [counted.params, counted.flops, len(weighted_layers(net)), kernels, len(leaves)]
