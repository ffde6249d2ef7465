"""Statistics of single layers, which proxies sum up: columns ``(n, layers)`` for node-wise combinations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gennas.eval.proxies.batch import ProxyBatch
from gennas.eval.proxies.passes import Passes
from gennas.eval.proxies.runner import check_network

__all__ = ["layer_statistics", "stack_layers"]

FloatArray = NDArray[np.float64]


def layer_statistics(net: nn.Module, batch: ProxyBatch, *, seed: int = 0) -> Mapping[str, FloatArray]:
    r"""What each layer adds to snip, grad_norm and l2_norm, ``(layers,)`` each, from one backward pass.

    :math:`\sum |\theta_l \, \partial L / \partial \theta_l|`, :math:`\|\partial L / \partial \theta_l\|_2` and
    :math:`\|\theta_l\|_2`; their sums over layers are the proxies of these names. The network stays as it was.

    Raises:
        EvaluationError: the network cannot be scored.

    Example:
        >>> from gennas.eval.proxies import Protocol, noise_batch
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 10))
        >>> found = layer_statistics(net, noise_batch(Protocol(batch_size=4, input_shape=(3, 2, 2))))
        >>> {name: values.shape for name, values in found.items()}
        {'snip': (2,), 'grad_norm': (2,), 'l2_norm': (2,)}
    """
    check_network(net)
    flow = Passes(net, batch, seed, frozenset({"gradient"})).gradient
    pairs = list(zip(flow.weights, flow.gradients, strict=True))
    return {
        "snip": np.array([float((w * g).abs().sum()) for w, g in pairs]),
        "grad_norm": np.array([float(g.norm()) for _, g in pairs]),
        "l2_norm": np.array([float(w.double().norm()) for w, _ in pairs]),
    }


def stack_layers(networks: Iterable[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Statistics of many networks as columns ``(n, layers)``, NaN behind the last layer of smaller ones."""
    rows = list(networks)
    most = {name: max(len(row[name]) for row in rows) for name in rows[0]}
    return {
        name: np.stack([np.pad(row[name], (0, size - len(row[name])), constant_values=np.nan) for row in rows])
        for name, size in most.items()
    }
