from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from gennas.errors import ConfigError
from gennas.eval.proxies.combine import OperatorPrior, measure_operators, operator_columns
from gennas.eval.proxies.combine.operators import FACTS, OperatorFacts
from gennas.graph import Population
from gennas.spaces import MacroChain, NASBench201, TaskSpec

SPACE = NASBench201(num_cells=1, width=4)
SPEC = TaskSpec("image", (3, 8, 8), 10)


@pytest.fixture(scope="module")
def facts() -> OperatorFacts:
    return measure_operators(SPACE, SPEC, n=30)


def test_facts_are_those_of_the_modules(facts: OperatorFacts) -> None:
    found = dict(zip(SPACE.schema.edge_labels, facts.edges, strict=True))
    assert not facts.nodes.any() and not found["none"].any() and not found["skip_connect"][:4].any()
    # a cell at each of 4, 8, 16 channels: kernels k * k * c * c and two parameters of batch norm per channel
    params = [k * (4 * 4 + 8 * 8 + 16 * 16) + 2 * (4 + 8 + 16) for k in (1, 9)]
    assert found["nor_conv_1x1"][0] == pytest.approx(params[0] / params[1])
    assert found["nor_conv_1x1"][FACTS.index("flops")] == pytest.approx(1 / 9)
    assert found["nor_conv_1x1"][FACTS.index("layers")] == pytest.approx(1)
    assert found["avg_pool_3x3"][FACTS.index("kernel")] == pytest.approx(1)
    assert found["avg_pool_3x3"][0] == pytest.approx(0, abs=1e-9)


def test_columns_count_the_live_graph_and_its_paths(facts: OperatorFacts) -> None:
    texts = [
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # leads nowhere
    ]
    population = Population.of(SPACE.schema, [SPACE.from_text(t) for t in texts])
    columns = operator_columns(population, facts)
    layers = {kind: columns[f"layers:{kind}"].tolist() for kind in ("total", "most", "least", "mean")}
    expected = {"total": [3, 0], "most": [3, 0], "least": [0, 0], "mean": [1.5, 0]}
    assert {kind: pytest.approx(v, abs=1e-6) for kind, v in expected.items()} == layers
    assert columns["paths"].tolist() == pytest.approx([np.log(3), 0])
    assert columns["edges:most"].tolist() == [3, 0]


def test_operators_on_nodes_and_other_spaces() -> None:
    space = MacroChain(max_depth=3, widths=(8, 16), kernels=(1, 3))
    facts = measure_operators(space, TaskSpec("image", (3, 8, 8), 10), n=20)
    columns = operator_columns(space.sample(5, np.random.default_rng(0)), facts)
    assert all(np.isfinite(column).all() and column.shape == (5,) for column in columns.values())
    assert facts.nodes.any()
    with pytest.raises(ConfigError, match="measure them for this space"):
        operator_columns(SPACE.sample(2, np.random.default_rng(0)), facts)


def test_it_ranks_operators_that_it_never_saw(facts: OperatorFacts, rng: np.random.Generator) -> None:
    population = SPACE.sample(400, rng)
    D, unseen = population.decisions, SPACE.schema.edge_labels.index("nor_conv_1x1")
    quality = np.array([0.0, 0.3, 2.0, 3.0, 0.1])  # of the edge operations
    truth = quality[D].sum(1) + 0.2 * rng.normal(size=len(D))
    columns = operator_columns(population, facts)
    known = ~(D == unseen).any(1)
    prior = OperatorPrior().fit(columns, np.where(known, truth, np.nan))
    others = {name: column[~known] for name, column in columns.items()}
    assert prior.n_labels == known.sum() and kendalltau(prior.score(others), truth[~known])[0] > 0.5
