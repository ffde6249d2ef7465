"""Architectures and conditions as the tensors that networks take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.base import FloatArray


def graph_tensors(archs: Population, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Labels of nodes ``(b, n)`` and edges ``(b, n, n)``."""
    X, E = (torch.from_numpy(labels.astype(np.int64)).to(device) for labels in (archs.X, archs.E))
    return X, E


def decision_tensor(archs: Population, device: torch.device | str = "cpu") -> Tensor:
    """Decisions, ``(b, d)``."""
    return torch.from_numpy(archs.decisions.astype(np.int64)).to(device)


def condition_tensor(conditions: FloatArray, n: int, num_conditions: int, device: torch.device | str = "cpu") -> Tensor:
    """Conditions ``(c,)`` for all, or ``(n, c)``, as ``(n, c)``.

    Raises:
        ConfigError: another shape.
    """
    values = np.atleast_2d(np.asarray(conditions, dtype=np.float32))
    if values.shape not in {(1, num_conditions), (n, num_conditions)}:
        raise ConfigError(f"Expected conditions ({num_conditions},) or ({n}, {num_conditions}), got {values.shape}.")
    return torch.from_numpy(np.broadcast_to(values, (n, num_conditions)).copy()).to(device)
