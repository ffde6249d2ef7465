from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from gennas.errors import ConfigError
from gennas.eval.proxies.combine import LogRank, smooth_over_graphs
from gennas.spaces import NASBench201

SPACE = NASBench201()


def test_noise_without_a_pattern_is_not_predicted(rng: np.random.Generator) -> None:
    noise = rng.normal(size=400)
    smooth = smooth_over_graphs(noise, SPACE.sample(400, rng), trees=30)
    assert abs(kendalltau(smooth, noise)[0]) < 0.15  # a row never sees its own value


def test_bad_input(rng: np.random.Generator) -> None:
    population = SPACE.sample(20, rng)
    with pytest.raises(ConfigError, match="20 architectures"):
        smooth_over_graphs(np.zeros(19), population)
    with pytest.raises(ConfigError, match="1 that are not finite"):
        smooth_over_graphs([np.nan, *range(19)], population)


@pytest.mark.shared
def test_published_jacov_gains_without_labels(shared_data: Path) -> None:
    proxies = pd.read_csv(shared_data / "proxies_nb201_cifar10.csv.gz", index_col="index")
    table = pd.read_csv(shared_data / "nb201.csv.gz", index_col="index").loc[proxies.index]
    scores = {"params": proxies["params"], "jacov": proxies["jacov"]}
    smooth = smooth_over_graphs(proxies["jacov"], SPACE.from_texts(table["arch"].tolist()), trees=30)
    for target, before, after in (("c10_test_200_nats", 0.760, 0.770), ("c100_test_200_nats", 0.745, 0.757)):
        taus = [kendalltau(LogRank().fit(s).score(s), table[target])[0] for s in (scores, {**scores, "jacov": smooth})]
        assert taus[0] > before and taus[1] > after
