from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.surrogate import ForestSurrogate, GPSurrogate, StackSurrogate
from gennas.testing.generators import toy_schema


def archs(n: int) -> Population:
    rng = np.random.default_rng(n)
    return Population.from_decisions(toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(n, 8)))


def test_moments_are_those_of_the_mixture() -> None:
    train, test = archs(30), archs(12)
    members = [GPSurrogate(), ForestSurrogate(num_trees=20)]
    stack = StackSurrogate(members)
    stack.fit(train, train.decisions.sum(1).astype(float))
    (m1, s1), (m2, s2) = (m.predict(test) for m in members)
    mean, std = stack.predict(test)
    np.testing.assert_allclose(mean, (m1 + m2) / 2)
    np.testing.assert_allclose(std**2, (s1**2 + s2**2) / 2 + (m1 - m2) ** 2 / 4)
    np.testing.assert_allclose(np.diag(stack.covariance(test)), std**2, atol=1e-5)
    assert stack.noise == pytest.approx(members[0].noise / 2)


def test_nothing_to_stack_is_refused() -> None:
    with pytest.raises(ConfigError, match="got none"):
        StackSurrogate([])
