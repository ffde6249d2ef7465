from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from gennas.errors import CheckpointError
from gennas.graph import GraphSchema, Population
from gennas.models.encoder import GraphEncoder
from gennas.models.surrogate import GNNSurrogate
from gennas.models.surrogate.gnn import _loss
from gennas.testing.generators import toy_schema


def toy(n: int) -> Population:
    rng = np.random.default_rng(n)
    return Population.from_decisions(toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(n, 8)))


def small(**settings: object) -> GNNSurrogate:
    return GNNSurrogate(**({"num_members": 2, "steps": 20, "dim": 16, "num_layers": 2} | settings))


def test_loss_is_squared_error_and_mean_logistic_loss_of_pairs() -> None:
    found, z = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([1.0, 0.0, 0.0])
    squares = (1 + 1 + 9) / 3
    pairs = np.log1p(np.exp([1.0, 3.0])).mean()  # the first is better than both others
    assert float(_loss(found, z, 0.5)) == pytest.approx(squares + 0.5 * pairs)
    assert float(_loss(found, torch.zeros(3), 1.0)) == pytest.approx(10 / 3)


def test_seed_alone_decides_and_the_global_one_is_left() -> None:
    archs, means = toy(30), []
    state = torch.get_rng_state()
    for seed in (0, 0, 1):
        surrogate = small(steps=3, seed=seed)
        surrogate.fit(archs[:20], np.arange(20.0))
        means.append(surrogate.predict(archs[20:])[0])
    assert (means[0] == means[1]).all() and (means[0] != means[2]).any()
    assert torch.equal(state, torch.get_rng_state())


def test_extra_columns_are_read() -> None:
    """The value is told by a column alone."""
    archs = toy(120)
    hidden = dict(zip(archs.unique().keys, np.random.default_rng(0).normal(size=len(archs.unique())), strict=True))

    def column(archs: Population) -> np.ndarray:
        return np.array([[1e6 * hidden[key] + 1e9] for key in archs.keys])

    y = column(archs)[:, 0]
    surrogate = small(features=[column], steps=60)
    surrogate.fit(archs[:80], y[:80])
    assert kendalltau(surrogate.predict(archs[80:])[0], y[80:])[0] > 0.7


def test_a_given_encoder_is_the_start_and_stays_as_it_was() -> None:
    torch.manual_seed(0)
    encoder = GraphEncoder.for_schema(toy_schema(), dim=16, num_layers=1)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    archs = toy(30)
    surrogate = small(encoder=encoder, steps=2, lr=1e-9)
    surrogate.fit(archs, np.arange(30.0))
    member = surrogate._members[0].__self__.encoder
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(torch.allclose(value, before[name], atol=1e-6) for name, value in member.state_dict().items())


def test_an_encoder_of_another_schema_is_refused(mixed: GraphSchema) -> None:
    with pytest.raises(CheckpointError, match="mixed"):
        small(encoder=GraphEncoder.for_schema(mixed, dim=8)).fit(toy(10), np.arange(10.0))
