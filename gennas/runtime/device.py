"""Which device computes: ``auto``, ``cpu`` or ``cuda``, checked before anything is spent."""

from __future__ import annotations

import torch

from gennas.errors import ConfigError, shown

__all__ = ["resolve_device"]


def resolve_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: no such kind of device, or it is not there.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"Expected a device like 'auto', 'cpu' or 'cuda:0', got {shown(name)}.") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"Expected a CPU or CUDA device, got {shown(name)}.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"Device {shown(name)} was asked for, but PyTorch sees {torch.cuda.device_count()} CUDA devices; "
            "use 'cpu' or 'auto'."
        )
    return device
