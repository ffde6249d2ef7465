"""Rank sums by hand, and the published pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.eval.correlation import correlate
from gennas.eval.proxies.combine import LogRank, MeanRank

SCORES = {"a": [3.0, 1.0, 1.0, 7.0], "b": [0.0, 5.0, 2.0, 9.0]}


def test_by_hand() -> None:
    # ranks of a: 3, 1.5, 1.5, 4; of b: 1, 3, 2, 4
    expected = np.log([3 / 16, 4.5 / 16, 3 / 16, 1.0])
    assert LogRank().fit(SCORES).score(SCORES) == pytest.approx(expected)
    assert MeanRank().fit(SCORES).score(SCORES) == pytest.approx([0.5, 4.5 / 8, 3.5 / 8, 1.0])


def test_columns_are_those_of_the_fit() -> None:
    model = LogRank().fit({"a": SCORES["a"]})
    assert model.score(SCORES) == pytest.approx(np.log(np.array([3, 1.5, 1.5, 4]) / 4))


@pytest.mark.shared
def test_published_pair(shared_data: Path) -> None:
    """log-rank(params, jacov) of the published columns: tau .728, rho .905."""
    proxies = pd.read_csv(shared_data / "proxies_nb201_cifar10.csv.gz", index_col="index")[["params", "jacov"]]
    other = pd.read_csv(shared_data / "robustness_nb201_cifar10.csv.gz", index_col="index")
    found = correlate(LogRank().fit(proxies).score(proxies), other["val_accs"].loc[proxies.index], resamples=0)
    assert len(proxies) == 9445
    assert round(found["kendall"].value, 3) == 0.728 and round(found["spearman"].value, 3) == 0.905
