"""Low-rank fine-tuning of a causal language model on the architectures of an archive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.models.base import FloatArray
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.local import LocalBackend
from gennas.models.llm.tuning.examples import Example, examples_of, log_likelihood
from gennas.models.llm.tuning.losses import preference_loss, right_order, supervised_loss

__all__ = ["Tuned", "Tuning", "tune"]


@dataclass(frozen=True)
class Tuning:
    """How to fine-tune.

    Args:
        method: ``preferences``: the better of two architectures becomes likelier, relative to the model as it was
            (:func:`preference_loss`); ``supervised``: the best architectures become likelier.
        best: share of the architectures that ``supervised`` learns.
        held_out: share of the architectures that is not learned from, but judged.
        steps: optimiser steps.
        batch_size: architectures of a step; ``preferences`` uses all of their pairs.
        lr: peak learning rate, which rises over a tenth of the steps and falls as a cosine.
        beta: of :func:`preference_loss`.
        rank: of the matrices that are learned beside every linear layer but the output.
        seed: of these matrices, the batches, and what is held out.

    Raises:
        ConfigError: a number out of its range.
    """

    method: Literal["preferences", "supervised"] = "preferences"
    best: float = 0.25
    held_out: float = 0.2
    steps: int = 100
    batch_size: int = 8
    lr: float = 2e-4
    beta: float = 0.1
    rank: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("preferences", "supervised"):
            raise ConfigError(f"Expected preferences or supervised, got {self.method!r}.")
        if not (0 < self.best <= 1 and 0 <= self.held_out < 1):
            raise ConfigError(
                f"Expected shares, 0 < best <= 1 and 0 <= held_out < 1; got {self.best}, {self.held_out}."
            )
        if min(self.steps, self.rank) < 1 or self.batch_size < 2 or not (self.lr > 0 and self.beta > 0):
            raise ConfigError(
                "Expected positive steps, rank, lr and beta, and a batch of two or more, got "
                f"{self.steps}, {self.rank}, {self.lr}, {self.beta}, {self.batch_size}."
            )


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuned model, and how well it judges architectures that it did not learn from.

    Args:
        model: the model with the low-rank matrices added to its own.
        losses: of every step.
        learned: how many architectures it learned from.
        held_out: how many were held out.
        before: share of the pairs of these that the model's likelihood had in the right order before; NaN: no pairs.
        after: the same of the likelihood ratio of the models after and before.
    """

    model: Any
    losses: FloatArray
    learned: int
    held_out: int
    before: float
    after: float


def tune(
    backend: LocalBackend,
    decisions: Decisions,
    D: NDArray[np.integer],
    utility: NDArray[np.floating],
    prompt: str,
    tuning: Tuning = Tuning(),
    on_step: Callable[[int, int], None] | None = None,
) -> Tuned:
    r"""Teach a model which architectures of an archive are good.

    To every linear layer's matrix :math:`W` but the output's a product :math:`BA` of low rank is added and learned, and
    nothing else (Hu et al. 2021, arXiv 2106.09685); at first :math:`B = 0`. Without dropout, on the model's own device.
    The backend's model is changed and should not be used any more; take :attr:`Tuned.model`.

    Args:
        backend: the model.
        decisions: of the space.
        D: ``(b, d)`` different architectures.
        utility: how good each is, ``(b,)``; minus infinity: it failed. Equal ones are no pair.
        prompt: the text by which architectures are asked for.
        tuning: how.
        on_step: told ``(done, total)``.

    Raises:
        ConfigError: nothing to learn, shapes that do not fit, a prompt too long for the model, or no ``peft``.
    """
    u = np.asarray(utility, dtype=np.float64)
    if u.shape != (len(D),) or np.isnan(u).any():
        raise ConfigError(f"Expected a utility for each of {len(D)} architectures, got shape {u.shape} or NaN.")
    rng = np.random.default_rng(tuning.seed)
    order = rng.permutation(len(D))
    held, learned = np.split(order, [round(tuning.held_out * len(D))])
    if tuning.method == "supervised":
        ok = learned[np.isfinite(u[learned])]
        learned = ok[np.argsort(-u[ok], kind="stable")][: max(1, math.ceil(tuning.best * len(ok)))]
    if not len(learned) or (tuning.method == "preferences" and len(np.unique(u[learned])) < 2):
        raise ConfigError(
            f"Expected architectures of different quality to learn from, got {len(learned)} of {len(D)} and "
            f"{len(np.unique(u[learned]))} different values."
        )
    examples = examples_of(backend, decisions, D, prompt)
    before = _likelihoods(backend.model, examples, tuning.batch_size)
    model = _with_adapter(backend, tuning)
    losses = _descend(model, examples, learned, torch.from_numpy(u), before, tuning, rng, on_step)
    after = _likelihoods(model, [examples[i] for i in held], tuning.batch_size).numpy()
    base = before.numpy()[held]
    return Tuned(
        model.merge_and_unload(), losses, len(learned), len(held), right_order(base, u[held]),
        right_order(after - base, u[held]),
    )  # fmt: skip


def _with_adapter(backend: LocalBackend, tuning: Tuning) -> Any:
    """The model with matrices of low rank beside its own, which alone are trained."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ConfigError(f"Fine-tuning needs peft ({error}): pip install 'gennas[llm-tuning]'.") from error
    settings = LoraConfig(r=tuning.rank, lora_alpha=2 * tuning.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(tuning.seed)
        return get_peft_model(backend.model, settings).eval()


def _descend(
    model: Any, examples: Sequence[Example], learned: NDArray[np.intp], utility: Tensor, reference: Tensor,
    tuning: Tuning, rng: np.random.Generator, on_step: Callable[[int, int], None] | None,
) -> FloatArray:  # fmt: skip
    """AdamW over batches that are drawn without replacement; the loss of every step."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, tuning.lr, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: _warm_cosine(i, tuning.steps))
    tokens = torch.tensor([sum(len(reply) for _, reply in parts) for parts in examples])
    losses = []
    for step in range(tuning.steps):
        rows = torch.from_numpy(rng.permutation(learned)[: tuning.batch_size])
        log_p = log_likelihood(model, [examples[i] for i in rows.tolist()])
        if tuning.method == "preferences":
            on = log_p.device
            loss = preference_loss(log_p, reference[rows].to(on), utility[rows].to(on), tuning.beta)
        else:
            loss = supervised_loss(log_p, tokens[rows].to(log_p.device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        rate.step()
        losses.append(float(loss.detach()))
        if on_step is not None:
            on_step(step + 1, tuning.steps)
    return np.array(losses)


def _warm_cosine(i: int, steps: int) -> float:
    """Share of the peak learning rate of step ``i``."""
    warm = max(1, steps // 10)
    return (i + 1) / warm if i < warm else 0.5 * (1 + math.cos(math.pi * (i - warm) / max(1, steps - warm)))


@torch.no_grad()
def _likelihoods(model: Any, examples: Sequence[Example], size: int) -> Tensor:
    """Of all architectures, ``(b,)`` on the CPU."""
    parts = [log_likelihood(model, examples[i : i + size]).cpu() for i in range(0, len(examples), size)]
    return torch.cat(parts) if parts else torch.zeros(0)
