"""The one fitting loop, on modules small enough to compute its steps by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas.errors import CheckpointError, ConfigError
from gennas.generators.fitting import (
    chunks,
    descend,
    drop_conditions,
    load_settings,
    save_settings,
    training_tensors,
    uniform_rows,
    warm_cosine,
    watch_steps,
    weighted_rows,
)

X = torch.linspace(-1, 1, 16)[:, None]


class Scalar(nn.Module):
    """One number."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))


def line() -> nn.Linear:
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    return network


def fit_line(network: nn.Module, seed: int = 0, steps: int = 60) -> np.ndarray:
    rows = uniform_rows(16, 8, torch.Generator().manual_seed(seed))
    return descend(network, rows, lambda i: (network(X[i]) - 2 * X[i] - 1).square().mean(), steps, lr=0.2)


def test_steps_by_hand() -> None:
    """On a constant gradient Adam's step is the learning rate itself, whatever the gradient's size."""
    network = Scalar(5.0)
    losses = descend(network, repeat(3.0), lambda slope: slope * network.value.sum(), 20, lr=0.1, weight_decay=0.0)
    factors = [warm_cosine(i, 20) for i in range(20)]
    expected = 5.0 - 0.1 * np.cumsum([0.0, *factors])
    np.testing.assert_allclose(losses, 3 * expected[:-1], rtol=1e-5)
    assert network.value.item() == pytest.approx(expected[-1], rel=1e-5)


def test_weight_decay_is_decoupled() -> None:
    network = Scalar(4.0)
    descend(network, repeat(0.0), lambda zero: zero * network.value.sum(), 1, lr=0.5, weight_decay=0.1)
    assert network.value.item() == pytest.approx(4.0 * (1 - 0.5 * 0.1))


def test_only_long_gradients_are_clipped() -> None:
    """Gradients 100, then 1: unclipped, the second step is short, because the first is remembered."""

    def last_step(max_norm: float | None) -> float:
        network = Scalar()
        slopes: Iterator[float] = iter([100.0, 1.0])
        losses = descend(
            network, slopes, lambda s: s * network.value.sum(), 2, lr=1.0, weight_decay=0.0, max_norm=max_norm
        )
        return float(losses[1] - network.value.item())

    rate = warm_cosine(1, 2)
    assert last_step(1.0) == pytest.approx(rate, rel=1e-4)
    mean, square = (0.9 * 10 + 0.1) / (1 - 0.9**2), (0.99 * 100 + 0.01) / (1 - 0.99**2)
    assert last_step(None) == pytest.approx(rate * mean / square**0.5, rel=1e-4)


def test_the_loss_decreases_and_the_line_is_found() -> None:
    network = line()
    losses = fit_line(network, steps=200)
    assert losses.shape == (200,) and losses.dtype == np.float64
    assert losses[:5].mean() > 1.0 and losses[-5:].mean() < 1e-3
    assert (network.weight.item(), network.bias.item()) == (pytest.approx(2, abs=0.05), pytest.approx(1, abs=0.05))


def test_the_seed_of_the_batches_fixes_everything() -> None:
    networks = [line() for _ in range(3)]
    losses = [fit_line(network, seed) for network, seed in zip(networks, (0, 0, 1), strict=True)]
    assert (losses[0] == losses[1]).all() and (losses[0] != losses[2]).any()
    assert torch.equal(networks[0].weight, networks[1].weight) and not torch.equal(
        networks[0].weight, networks[2].weight
    )


def test_global_random_state_and_threads_stay() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[int] = []
        network = Scalar()

        def loss(_: None) -> Tensor:
            seen.append(torch.get_num_threads())
            return network.value.sum()

        descend(network, repeat(None), loss, 2, lr=0.1)
        assert seen == [1, 1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_part_returns_to_its_own_mode() -> None:
    frozen, free = nn.Dropout(0.5), nn.Linear(1, 1)
    network = nn.ModuleList([frozen.eval(), free])
    seen: list[tuple[bool, bool]] = []

    def loss(_: None) -> Tensor:
        seen.append((frozen.training, free.training))
        return free.weight.sum()

    descend(network, repeat(None), loss, 1, lr=0.1)
    assert seen == [(True, True)] and (frozen.training, free.training) == (False, True)
    with pytest.raises(StopIteration):
        descend(network, iter([]), loss, 1, lr=0.1)
    assert (frozen.training, free.training) == (False, True)


def test_parameters_that_need_no_gradient_stay() -> None:
    network = nn.Linear(1, 1)
    network.bias.requires_grad_(False)
    before = network.bias.clone()
    descend(network, repeat(None), lambda _: network(X).square().mean(), 5, lr=0.5, weight_decay=0.5)
    assert torch.equal(network.bias, before)


def test_no_steps_draw_nothing_and_change_nothing() -> None:
    network = Scalar(1.0)
    batches = iter([1.0])
    assert descend(network, batches, lambda s: s * network.value.sum(), 0, lr=0.1).shape == (0,)
    assert network.value.item() == 1.0 and next(batches) == 1.0


def test_as_many_batches_are_drawn_as_steps() -> None:
    network, batches = Scalar(), iter(range(10))
    descend(network, batches, lambda s: s * network.value.sum(), 4, lr=0.1)
    assert next(batches) == 4


def test_the_watcher_hears_of_every_step_once() -> None:
    heard: list[tuple[int, int]] = []
    with watch_steps(lambda done, steps: heard.append((done, steps))):
        fit_line(line(), steps=3)
    fit_line(line(), steps=2)
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_rows_come_in_proportion_to_their_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = next(weighted_rows(torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), 4000, generator))
    shares = torch.bincount(rows, minlength=3) / 4000
    assert shares[0] == 0 and shares[2].item() == pytest.approx(0.75, abs=0.03)
    rows = next(uniform_rows(4, 4000, generator))
    np.testing.assert_allclose(torch.bincount(rows, minlength=4) / 4000, 0.25, atol=0.03)


def test_the_rate_rises_over_a_tenth_and_falls_as_a_cosine() -> None:
    factors = [warm_cosine(i, 100) for i in range(100)]
    np.testing.assert_allclose(factors[:5], np.arange(1, 6) / 10)
    assert factors[50] == pytest.approx(0.52) and factors[99] == pytest.approx(0.02, abs=1e-3)
    assert max(factors) <= 1.0 and warm_cosine(0, 1) == 1.0


def test_conditions_are_dropped_alone_and_together() -> None:
    c = torch.rand(4000, 2, generator=torch.Generator().manual_seed(1))
    dropped = drop_conditions(c, 0.2, torch.Generator().manual_seed(0)).isnan()
    assert dropped.float().mean().item() == pytest.approx(1 - 0.8 * 0.8, abs=0.02)
    assert dropped.all(1).float().mean().item() == pytest.approx(0.2 + 0.8 * 0.2**2, abs=0.02)
    assert torch.equal(drop_conditions(c, 0.0, torch.Generator()), c)


def test_training_tensors_are_checked() -> None:
    D, c, w = training_tensors(np.zeros((2, 3), dtype=np.int16), 1, None, None)
    assert (D.dtype, c.isnan().all().item(), w.tolist()) == (torch.int64, True, [1.0, 1.0])
    with pytest.raises(ConfigError, match="at least one architecture"):
        training_tensors(np.zeros((0, 3), dtype=np.int16), 1, None, None)
    with pytest.raises(ConfigError, match=r"Expected conditions \(2, 1\).*got \(2, 2\)"):
        training_tensors(np.zeros((2, 3), dtype=np.int16), 1, np.zeros((2, 2)), None)
    for weights in ([1.0, -1.0], [0.0, 0.0], [np.nan, 1.0]):
        with pytest.raises(ConfigError, match="finite, not negative"):
            training_tensors(np.zeros((2, 3), dtype=np.int16), 1, None, np.array(weights))


@dataclass(frozen=True)
class Settings:
    dim: int = 3
    interval: tuple[float, float] = (0.0, 1.0)


def test_settings_round_trip_and_refuse_others(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    save_settings(Settings(5, (0.25, 0.5)), path)
    assert load_settings(Settings, path) == Settings(5, (0.25, 0.5))
    for text in ('{"width": 3}', "[1]", "{"):
        path.write_text(text)
        with pytest.raises(CheckpointError, match="generator's settings"):
            load_settings(Settings, path)


def test_chunks_cut_what_is_per_row() -> None:
    per_row, one, nothing = np.arange(10).reshape(5, 2), np.ones(2), None
    parts = list(chunks(5, 2, per_row, one, nothing))
    assert [size for size, _ in parts] == [2, 2, 1]
    assert (np.concatenate([rows[0] for _, rows in parts]) == per_row).all()
    assert all(rows[1] is one and rows[2] is None for _, rows in parts)
