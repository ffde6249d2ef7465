import pytest
import torch

from gennas.runtime.seeds import seeded
from gennas.runtime.threads import cpu_threads


def test_a_seed_holds_inside_only() -> None:
    torch.manual_seed(5)
    expected = [torch.rand(()).item() for _ in range(2)]
    torch.manual_seed(5)
    first = torch.rand(()).item()
    with seeded(1):
        inside = torch.rand(3)
    assert [first, torch.rand(()).item()] == expected
    with seeded(1, torch.device("cpu")):
        assert torch.equal(torch.rand(3), inside)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), inside)


def test_the_state_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(3):
        raise KeyError
    assert torch.equal(before, torch.get_rng_state())


def test_threads_come_back() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with cpu_threads(None):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
