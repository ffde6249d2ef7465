"""The closed form against the proxy on real networks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.eval.proxies import ProxyEvaluator
from gennas.spaces import MacroChain, NASBench201
from gennas.testing.landscapes import MeanFieldLogSynflow, macro12
from gennas.testing.landscapes.mean_field import _taps


def test_it_ranks_as_the_proxy_and_is_much_quicker() -> None:
    landscape = MeanFieldLogSynflow()
    archs = landscape.space.sample(400, np.random.default_rng(1))
    archs = archs[np.flatnonzero(landscape.costs(archs) <= landscape.bound)][:60]
    start = time.process_time()
    values = landscape.values(archs)
    ours = time.process_time() - start
    proxy = ProxyEvaluator(landscape.space, ["logsynflow", "params"])
    start = time.process_time()
    found = [proxy.evaluate(arch, FULL_FIDELITY, 0) for arch in archs]
    theirs = time.process_time() - start
    truth = np.array([f["logsynflow"] for f in found])
    assert len(archs) == 60 and spearmanr(values, truth).statistic >= 0.998
    assert np.median(np.abs(values / truth - 1)) < 0.03
    assert landscape.costs(archs).tolist() == [f["params"] for f in found]
    assert theirs > 100 * ours


def test_deep_chains_too() -> None:
    landscape = macro12()
    archs = landscape.space.sample(24, np.random.default_rng(2))
    proxy = ProxyEvaluator(landscape.space, ["logsynflow"])
    truth = [proxy.evaluate(arch, FULL_FIDELITY, 0)["logsynflow"] for arch in archs]
    assert spearmanr(landscape.values(archs), truth).statistic > 0.99


def test_rows_inside_of_an_image() -> None:
    """Against counting: of 5 rows with a kernel of 3, the outputs see 2, 3, 3, 3, 2, and every other one 2, 3, 2."""
    taps = _taps(7, 8)
    assert taps[3, 1, 5] == pytest.approx(13 / 5) and taps[3, 2, 5] == pytest.approx(7 / 3)
    assert taps[1, 2, 7] == 1 and taps[7, 1, 2] == 2


def test_spaces_with_fewer_operations() -> None:
    landscape = MeanFieldLogSynflow(MacroChain(max_depth=3, min_depth=1, operations=("conv",), strides=(1,)))
    assert (landscape.values(landscape.space.sample(5, np.random.default_rng(0))) > 0).all()
    with pytest.raises(ConfigError, match="MacroChain"):
        MeanFieldLogSynflow(NASBench201())  # type: ignore[arg-type]
