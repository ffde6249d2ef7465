"""Strategy states survive the way through bytes."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ArchiveError
from gennas.search.packing import pack_state, unpack_state


def test_round_trip() -> None:
    rng = np.random.default_rng(3)
    rng.normal(size=5)
    state = {
        "rng": rng.bit_generator.state,
        "weights": {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(True)},
        "list": [1, 2.5, None, "text", [np.int64(3)]],
        "empty": {},
    }
    found = unpack_state(pack_state(state))
    assert found["rng"] == rng.bit_generator.state
    np.testing.assert_array_equal(found["weights"]["a"], state["weights"]["a"])
    assert found["weights"]["a"].dtype == np.float32
    assert found["list"] == [1, 2.5, None, "text", [3]]
    assert found["empty"] == {}


def test_damaged_bytes() -> None:
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack_state(pack_state({"a": 1})[:-20])
