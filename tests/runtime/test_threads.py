"""Work on one thread, and the threads given back."""

from __future__ import annotations

import pytest
import torch
from threadpoolctl import threadpool_info

from gennas.runtime.threads import one_thread


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_thread_inside_and_the_former_number_afterwards() -> None:
    before, blas = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(RuntimeError, match="stop"), one_thread():
            assert torch.get_num_threads() == 1 and set(blas_threads()) == {1}
            with one_thread():
                pass
            assert torch.get_num_threads() == 1
            raise RuntimeError("stop")
        assert torch.get_num_threads() == 3 and blas_threads() == blas
    finally:
        torch.set_num_threads(before)
