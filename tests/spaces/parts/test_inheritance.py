"""What stands for what: a shared network that lacks something is refused."""

from __future__ import annotations

import pytest
from torch import nn

from gennas.errors import ConfigError
from gennas.spaces.parts import Choice, counterparts


def test_candidates_and_slices_are_found() -> None:
    plain = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    shared = nn.Sequential(Choice(0, {1: nn.Linear(4, 5), 2: nn.Linear(2, 2)}), nn.ReLU())
    pairs = list(counterparts(plain, shared, [1]))
    whole = shared[0]["1"]  # type: ignore[index]
    assert [tuple(inherited.shape) for _, inherited in pairs] == [(3, 2), (3,)]
    assert pairs[0][1].data_ptr() == whole.weight.data_ptr()


def test_too_small_or_missing_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.weight.*\(3, 2\).*\(2, 2\)"):
        list(counterparts(nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 2)), []))
    with pytest.raises(ConfigError, match="has no 1"):
        list(counterparts(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.Sequential(nn.ReLU()), []))
    with pytest.raises(ConfigError, match="got nothing"):
        list(counterparts(nn.Linear(2, 3), nn.Linear(2, 3, bias=False), []))
