"""Batch norm of inherited networks: a supernet's running statistics are those of all its paths together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gennas.errors import ConfigError, shown
from gennas.training.data import Batch

__all__ = ["BATCH_NORM_MODES", "BatchNormMode", "check_mode", "set_batch_norm"]

BatchNormMode = Literal["track", "batch", "recalibrate"]
BATCH_NORM_MODES: tuple[BatchNormMode, ...] = get_args(BatchNormMode)


def check_mode(mode: str) -> None:
    """Refuse a mode that does not exist.

    Raises:
        ConfigError: it does not.
    """
    if mode not in BATCH_NORM_MODES:
        raise ConfigError(f"Expected a batch-norm mode out of {', '.join(BATCH_NORM_MODES)}, got {shown(mode)}.")


def set_batch_norm(network: nn.Module, mode: BatchNormMode, batches: Iterable[Batch] = ()) -> None:
    """Say which statistics the batch norms of a network use, and leave it in evaluation mode.

    - ``track``: those that the supernet accumulated over all paths;
    - ``batch``: those of the batch that is evaluated, so that order and size of batches matter;
    - ``recalibrate``: means over some batches of training data that run through this network, each batch counting
      alike.

    Args:
        network: a network of its own (:meth:`Supernet.network`), which is changed.
        mode: one of these.
        batches: training data, for ``recalibrate``.

    Raises:
        ConfigError: an unknown mode, or nothing to recalibrate on.
    """
    check_mode(mode)
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if mode == "batch":
        for norm in norms:
            norm.track_running_stats = False
            norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    elif mode == "recalibrate" and norms:
        _recalibrate(network, norms, batches)


def _recalibrate(network: nn.Module, norms: list[_BatchNorm], batches: Iterable[Batch]) -> None:
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    count = 0
    with torch.no_grad():
        for batch in batches:
            network(*batch.inputs)
            count += 1
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
    if not count:
        raise ConfigError("Expected at least one batch of training data to recalibrate batch norms with.")
