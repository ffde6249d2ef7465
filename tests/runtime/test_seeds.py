from __future__ import annotations

import pytest
import torch

from gennas.runtime.seeds import seeded


def test_equal_seeds_draw_equally_and_the_state_comes_back() -> None:
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_draws_are_those_of_the_seed_itself() -> None:
    with seeded(5):
        here = torch.rand(3)
    assert torch.equal(here, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_inner_seeds_do_not_disturb_outer_ones() -> None:
    with seeded(1):
        expected = torch.rand(2), torch.rand(2)
    with seeded(1):
        first = torch.rand(2)
        with seeded(9):
            torch.rand(7)
        second = torch.rand(2)
    assert torch.equal(first, expected[0]) and torch.equal(second, expected[1])


def test_the_state_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="inside"), seeded(1):
        torch.rand(3)
        raise ValueError("inside")
    assert torch.equal(torch.get_rng_state(), before)
