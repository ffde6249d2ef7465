from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.models.tensors import condition_tensor, decision_tensor, graph_tensors
from gennas.spaces import NASBench101

ARCHS = NASBench101().sample(5, np.random.default_rng(0))


def test_labels_and_decisions_are_those_of_the_population() -> None:
    X, E = graph_tensors(ARCHS)
    D = decision_tensor(ARCHS)
    assert {t.dtype for t in (X, E, D)} == {torch.int64}
    assert (X.numpy() == ARCHS.X).all() and (E.numpy() == ARCHS.E).all() and (D.numpy() == ARCHS.decisions).all()
    X += 1  # tensors of its own
    assert (X.numpy() == ARCHS.X + 1).all()


def test_one_row_of_conditions_serves_all() -> None:
    one, many = np.array([0.5, np.nan]), np.arange(6.0).reshape(3, 2)
    spread = condition_tensor(one, 3, 2)
    assert spread.shape == (3, 2) and spread[:, 0].tolist() == [0.5] * 3 and spread[:, 1].isnan().all()
    assert condition_tensor(many, 3, 2).tolist() == many.tolist()
    assert condition_tensor(np.zeros(0), 4, 0).shape == (4, 0)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (3, 1), (3, 2, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"Expected conditions \(2,\) or \(3, 2\), got"):
        condition_tensor(np.zeros(shape), 3, 2)
