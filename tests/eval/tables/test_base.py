"""Tables: lookups, optima, coverage, and the evaluator on top."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from gennas.errors import ConfigError, EvaluationError, TableError, UnknownNameError
from gennas.eval.base import Evaluator, Fidelity, Metric
from gennas.eval.tables.base import Table, TableEvaluator
from gennas.graph import Population
from gennas.spaces.nasbench201.space import NASBench201

SPACE = NASBench201()
TEXTS = [
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
]
ARCHS = Population.of(SPACE.schema, [SPACE.from_text(text) for text in TEXTS])
OTHER = SPACE.from_text("|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def make_table(accuracy: tuple[float, ...] = (0.5, 0.9, 0.9), keys: tuple[str, ...] | None = None) -> Table:
    metrics = {"accuracy": Metric("accuracy", "max"), "params": Metric("params", "min", "M")}
    columns = {"accuracy": np.array(accuracy), "params": np.array([1.0, 4.0, 2.0])}
    return Table("tiny", "tiny/1", SPACE, keys or tuple(ARCHS.keys), metrics, columns)


def test_lookup_returns_the_row_of_the_architecture() -> None:
    table = make_table()
    assert table.lookup(ARCHS[0]) == {"accuracy": 0.5, "params": 1.0}
    assert table.lookup(ARCHS[1]) == {"accuracy": 0.9, "params": 4.0}
    assert all(type(value) is float for value in table.lookup(ARCHS[2]).values())
    assert ARCHS[0] in table
    assert OTHER not in table


def test_lookup_population_equals_single_lookups() -> None:
    values = make_table().lookup_population(ARCHS[np.array([2, 0, 2])])
    assert values["accuracy"].tolist() == [0.9, 0.5, 0.9]
    assert values["params"].tolist() == [2.0, 1.0, 2.0]


def test_missing_architecture_is_named_with_the_coverage() -> None:
    with pytest.raises(TableError, match=r"tiny has no row for this architecture: \|avg_pool_3x3~0\|.*0\.02%"):
        make_table().lookup(OTHER)
    both = Population.of(SPACE.schema, [ARCHS[0], OTHER])
    with pytest.raises(TableError, match=r"1 of 2 architectures, first: \|avg_pool_3x3~0\|"):
        make_table().lookup_population(both)


def test_optimum_gives_every_key_that_attains_it() -> None:
    table = make_table()
    assert table.optimum("accuracy") == (0.9, (ARCHS[1].key, ARCHS[2].key))
    assert table.optimum("accuracy", "min") == (0.5, (ARCHS[0].key,))
    assert table.optimum("params") == (1.0, (ARCHS[0].key,))
    cheap = table.columns["params"] <= 2
    assert table.optimum("accuracy", "max", within=cheap) == (0.9, (ARCHS[2].key,))


def test_optimum_refuses_what_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean accuracy"):
        make_table().optimum("acuracy")
    with pytest.raises(ConfigError, match="no architecture keeps the constraints"):
        make_table().optimum("accuracy", within=np.zeros(3, dtype=bool))


def test_coverage_is_the_share_of_the_space() -> None:
    assert make_table().coverage == 3 / 15625
    assert len(make_table()) == 3


def test_table_refuses_inconsistent_parts() -> None:
    with pytest.raises(TableError, match="different keys, got 3"):
        make_table(keys=(ARCHS.keys[0],) * 3)
    with pytest.raises(TableError, match=r"expected 3 values of 'accuracy', got shape \(2,\)"):
        make_table(accuracy=(0.5, 0.9))
    with pytest.raises(TableError, match="a column for every metric"):
        Table("t", "t", SPACE, ("a",), {"accuracy": Metric("accuracy", "max")}, {"other": np.zeros(1)})


def test_evaluator_satisfies_the_protocol_and_survives_pickling() -> None:
    evaluator = TableEvaluator(make_table())
    assert isinstance(evaluator, Evaluator)
    assert (evaluator.cost_class, evaluator.protocol) == ("expensive", "tiny/1")
    copy = pickle.loads(pickle.dumps(evaluator))
    assert copy.evaluate(ARCHS[1], Fidelity(), seed=3) == {"accuracy": 0.9, "params": 4.0}


def test_evaluator_raises_evaluation_errors() -> None:
    evaluator = TableEvaluator(make_table())
    with pytest.raises(EvaluationError, match=r"full evaluations only, got Fidelity\(epochs=5"):
        evaluator.evaluate(ARCHS[0], Fidelity(epochs=5), seed=0)
    with pytest.raises(EvaluationError, match="no row for this architecture"):
        evaluator.evaluate(OTHER, Fidelity(), seed=0)
