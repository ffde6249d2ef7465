"""Shares that follow the yield, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.search.strategies.bayesian.bandit import ShareBandit


def test_fixed_shares_stay() -> None:
    bandit = ShareBandit({"diffusion": 0.2, "mutation": 0.5, "random": 0.3})
    bandit.offer({"diffusion": 1, "mutation": 1, "random": 1})
    bandit.note(["diffusion"], np.array([True]))
    assert bandit.shares() == {"diffusion": 0.2, "mutation": 0.5, "random": 0.3}


def test_yield_moves_shares_and_is_forgotten() -> None:
    bandit = ShareBandit({"diffusion": 0.4, "mutation": 0.3, "random": 0.3}, adaptive=True, decay=0.5)
    assert list(bandit.shares().values()) == pytest.approx([0.1 + 0.7 * 0.4, 0.1 + 0.7 * 0.3, 0.1 + 0.7 * 0.3])
    for _ in range(5):
        bandit.offer({"diffusion": 40, "mutation": 30, "random": 30})
        bandit.note(["mutation", "mutation", "random"], np.array([True, True, False]))
    good = bandit.shares()
    assert sum(good.values()) == pytest.approx(1) and good["mutation"] > 0.5 and min(good.values()) >= 0.1
    for _ in range(20):
        bandit.offer({"diffusion": 40, "mutation": 30, "random": 30})
    assert bandit.shares()["mutation"] == pytest.approx(0.31, abs=1e-3)
