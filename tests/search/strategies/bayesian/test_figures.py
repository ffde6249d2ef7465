"""Figures of rounds, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.search.strategies.bayesian.figures import RoundFigures


def test_figures_by_hand() -> None:
    figures = RoundFigures()
    figures.expect({"a": (0.0, 1.0), "b": (3.0, 0.1), "c": (0.5, 1.0)})
    figures.note(["a", "b", "c"], np.arange(11.0), np.array([5.0, 4.5, 20.0]), np.array([False, False, True]))
    # Normal scores among eleven: a 0.0 (inside), b near 0 (far below 3), c 1.73 (inside 0.5 +- 1.64).
    assert figures.record["hit_rate"] == pytest.approx(1 / 3)
    assert figures.record["coverage_90"] == pytest.approx(2 / 3)
    assert figures.record["surrogate_tau"] == pytest.approx(-1 / 3)  # of three pairs one agrees


def test_figures_look_three_rounds_back() -> None:
    figures = RoundFigures()
    for mean in (5.0, 1.0, 2.0, 3.0):
        figures.expect({"k": (mean, 1.0)})
        figures.note(["k"], np.arange(4.0), np.array([mean if mean < 5 else -1.0]), np.array([False]))
    assert figures.record["surrogate_tau"] == 1.0
    twin = RoundFigures()
    twin.load_state_dict(figures.state_dict())
    assert twin.state_dict() == figures.state_dict()
