"""Devices are resolved, or refused with a clear line."""

from __future__ import annotations

import pytest
import torch

from gennas.errors import ConfigError
from gennas.eval.hardware import resolve_device


def test_auto_is_cuda_where_there_is_one():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("name", "message"), [("gpu", "got 'gpu'"), ("meta", "CPU or CUDA"), ("cuda:99", "sees")])
def test_devices_that_are_not_there(name, message):
    with pytest.raises(ConfigError, match=message):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_on_a_machine_without():
    with pytest.raises(ConfigError, match="sees 0 CUDA devices; use 'cpu'"):
        resolve_device("cuda")
