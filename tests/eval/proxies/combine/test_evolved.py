from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import kendalltau

from gennas.errors import ConfigError
from gennas.eval.proxies.combine import EvolvedExpression


@pytest.fixture
def scores(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.random(300) for name in ("a", "b", "noise", "other")}


def test_it_finds_what_no_single_column_says(scores: dict[str, np.ndarray]) -> None:
    truth = np.minimum(scores["a"], 1 - scores["b"])
    labels = np.where(np.arange(300) < 80, truth, np.nan)
    model = EvolvedExpression(seed=1).fit(scores, labels)
    tau = kendalltau(model.score(scores)[80:], truth[80:])[0]
    single = max(abs(kendalltau(column[80:], truth[80:])[0]) for column in scores.values())
    assert single < 0.6 and tau > 0.8, str(model.expression)
    assert {"a", "b"} <= model.expression.columns and model.n_labels == 80 and 0.7 < model.validation_tau <= 1


def test_the_price_keeps_expressions_small(scores: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    labels = scores["a"] + rng.normal(0, 0.3, 300)
    sizes = [EvolvedExpression(price=p, generations=8).fit(scores, labels).expression.size for p in (0.0, 0.2)]
    assert sizes[1] <= 2 and sizes[0] >= sizes[1]


def test_a_score_depends_on_its_row_alone(scores: dict[str, np.ndarray]) -> None:
    model = EvolvedExpression(generations=2, population=20).fit(scores, scores["a"] * scores["b"])
    some = {name: column[:7] for name, column in scores.items()}
    assert model.score(some) == pytest.approx(model.score(scores)[:7])


def test_settings_out_of_range() -> None:
    with pytest.raises(ConfigError, match="validation"):
        EvolvedExpression(validation=1.0)


def test_the_expression_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import numpy as np; from gennas.eval.proxies.combine import EvolvedExpression as E; "
        "a, b, c = np.random.default_rng(0).random((3, 60)); "
        "print(E(population=40, generations=6).fit({'a': a, 'b': b, 'c': c}, np.minimum(a, 1 - b) + c).expression)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
