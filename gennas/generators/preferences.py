r"""Preference optimisation of the autoregressive generator: better architectures become likelier than worse ones.

Source: Rafailov et al. 2023, "Direct Preference Optimization", arXiv 2305.18290, with all pairs of a ranked archive as
preferences and the untrained model, uniform over decisions, as reference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.generators.fitting import descend
from gennas.graph import Population
from gennas.models.autoregressive import DecisionLM
from gennas.models.base import FloatArray
from gennas.models.schema import check_schema

__all__ = ["fit_preferences", "log_ratio"]


def fit_preferences(
    model: DecisionLM,
    archs: Population,
    utility: NDArray[np.floating],
    steps: int = 30,
    batch_size: int = 64,
    lr: float = 3e-2,
    beta: float = 1.0,
    seed: int = 0,
    hint: tuple[Population, NDArray[np.floating]] | None = None,
    hint_weight: float = 0.0,
) -> FloatArray:
    r"""Train a model without conditions in place on which architectures are better, and return the loss of every step.

    .. math:: -\log \sigma\big(\beta\,[r(a) - r(b)]\big), \quad r(a) = \log p(a) - \log p_{ref}(a)

    averaged over all pairs of a batch in which ``a`` has more utility than ``b``. The reference is uniform over the
    labels that the schema allows, which every new :class:`~gennas.models.autoregressive.DecisionLM` is; its logarithm
    is the same for all architectures and cancels. What it tends to is :math:`p(a) \propto p_{ref}(a)\, e^{u(a)/\beta}`
    of a utility ``u`` under which preferences are as likely as seen. Of few labels it learns the order much better than
    maximum likelihood under quantiles as conditions does, which memorises them.

    Args:
        model: a language model over decisions, without conditions.
        archs: ``b`` architectures.
        utility: how good they are, ``(b,)``; equal ones are no pair, minus infinity is worse than all.
        steps: optimiser steps.
        batch_size: architectures per step, drawn without replacement.
        lr: peak learning rate.
        beta: how much likelihood a preference moves; less moves more.
        seed: of the batches.
        hint: other architectures, and a number of each that needs no label, such as the size: their pairs count, too.
        hint_weight: how much, where those of the archive count 1.

    Raises:
        ConfigError: a model with conditions, shapes that do not fit, NaN, or a beta that is not positive.
    """
    check_schema(model.schema, archs.schema)
    u = torch.from_numpy(np.asarray(utility, dtype=np.float64))
    if model.vocabulary.num_conditions:
        raise ConfigError(f"Expected a model without conditions, got one of {model.vocabulary.num_conditions}.")
    if u.shape != (len(archs),) or bool(u.isnan().any()):
        raise ConfigError(
            f"Expected a utility for each of {len(archs)} architectures, got shape {tuple(u.shape)} or NaN."
        )
    if beta <= 0:
        raise ConfigError(f"Expected a positive beta, got {beta}.")
    if not bool((u != u[:1]).any()) and not hint_weight:
        return np.empty(0)  # nothing is preferred to anything
    D, u = _on(model, archs, u)
    others, sizes = _on(model, *hint) if hint is not None and hint_weight else (D[:0], u[:0])

    def loss(rows: Tensor) -> Tensor:
        r = log_ratio(model, torch.cat([D[rows], others]))
        return _pair_loss(r[: len(rows)], u[rows], beta) + hint_weight * _pair_loss(r[len(rows) :], sizes, beta)

    return descend(model, _batches(len(D), batch_size, seed), loss, steps, lr)


def _on(model: DecisionLM, archs: Population, utility: NDArray[np.floating] | Tensor) -> tuple[Tensor, Tensor]:
    """Decisions ``(b, d)`` and how good they are ``(b,)`` where the model is."""
    D = torch.from_numpy(archs.decisions.astype(np.int64)).to(model.device)
    return D, torch.as_tensor(utility, dtype=torch.float64).to(model.device)


def _pair_loss(r: Tensor, u: Tensor, beta: float) -> Tensor:
    """Mean over the pairs in which one is better; 0 where there is none."""
    better = u[:, None] > u
    gaps = nn.functional.softplus(-beta * (r[:, None] - r))
    return (gaps * better).sum() / better.sum().clamp(min=1)


def log_ratio(model: DecisionLM, D: Tensor) -> Tensor:
    """``log p(a) - log p_ref(a)`` of decisions ``(b, d)``, ``(b,)``: against the uniform reference."""
    log_p = model(D, torch.zeros(len(D), 0, device=D.device)).log_softmax(-1).gather(-1, D[..., None]).sum((1, 2))
    found: Tensor = log_p + model.mask.sum(1).double().log().sum().to(log_p)
    return found


def _batches(n: int, size: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randperm(n, generator=generator)[:size]
