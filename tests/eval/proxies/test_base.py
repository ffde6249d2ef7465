from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from torch import nn

from gennas.errors import EvaluationError
from gennas.eval.proxies import AZNAS, PROXIES, NotApplicableError, Protocol, Proxy, UndefinedError, noise_batch
from gennas.eval.proxies import Score as PublicScore
from gennas.eval.proxies.outcome import WORST, Score
from gennas.eval.proxies.passes import Passes
from gennas.eval.proxies.runner import make_proxies, score_network

BATCH = noise_batch(Protocol(batch_size=4, input_shape=(1, 2, 2), num_classes=3))


class Constant(Proxy):
    """Returns, or raises, what it is given."""

    name = "constant"
    passes = frozenset()

    def __init__(self, outcome: float | Exception, power: int = 2) -> None:
        self.outcome, self.power = outcome, power

    def score(self, run: Passes) -> float:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Cost(Constant):
    direction = "min"


def scored(proxy: Proxy) -> Score:
    return score_network(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), [proxy], BATCH)["constant"]


def test_a_value_is_a_score_without_a_reason() -> None:
    assert scored(Constant(2.5)) == Score(2.5, "") and PublicScore is Score
    with pytest.raises(FrozenInstanceError):
        scored(Constant(1.0)).value = 2.0  # type: ignore[misc]


def test_no_value_is_the_worst_one_with_a_reason() -> None:
    assert scored(Constant(UndefinedError("no rank"))) == Score(-WORST, "no rank")
    assert scored(Cost(UndefinedError("no rank"))) == Score(WORST, "no rank")
    assert scored(Constant(float("nan"))) == Score(-WORST, "the formula gives nan")
    assert scored(Cost(float("-inf"))) == Score(WORST, "the formula gives -inf")


def test_no_meaning_is_an_error_that_names_the_proxy() -> None:
    with pytest.raises(NotApplicableError, match="Proxy 'constant': has no ReLU"):
        scored(Constant(NotApplicableError("has no ReLU")))
    assert issubclass(NotApplicableError, EvaluationError) and issubclass(UndefinedError, EvaluationError)


def test_settings_are_part_of_the_identity_in_a_fixed_order() -> None:
    assert Constant(1.0, power=3).identity == "constant(outcome=1.0, power=3)"
    assert PROXIES.get("snip")().identity == "snip"


def test_a_proxy_of_populations_scores_no_single_network() -> None:
    with pytest.raises(NotApplicableError, match=r"az_expressivity"):
        AZNAS().score(None)  # type: ignore[arg-type]
    columns = {part: np.array([1.0, 2.0, 3.0]) for part in AZNAS.parts}
    assert np.argsort(AZNAS().combine(columns)).tolist() == [0, 1, 2]


def test_names_are_read_once_and_spaces_do_not_matter() -> None:
    assert [p.name for p in make_proxies(["snip", " params ", "snip"])] == ["snip", "params"]
