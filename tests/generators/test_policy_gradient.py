"""The clipped policy gradient against arithmetic, and on a space small enough to see what it does."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.generators.policy_gradient import clipped_objective, fit_policy
from gennas.graph import Population
from gennas.models.diffusion import (
    ArchitectureDiffusionPipeline,
    CategoricalScheduler,
    GraphDenoiser,
    renoised_transitions,
)
from gennas.testing.generators import edge_share, toy_schema


def pipeline() -> ArchitectureDiffusionPipeline:
    torch.manual_seed(0)
    denoiser = GraphDenoiser.for_schema(toy_schema(), dim=16, num_layers=1, num_heads=2, timed=False).eval()
    return ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler(8))


def archs() -> Population:
    D = toy_schema().decision_mask.argmax(1) + np.random.default_rng(0).integers(2, size=(60, 8))
    return Population.from_decisions(toy_schema(), D)


def test_clipping_takes_away_gain_and_never_loss() -> None:
    log_ratio = torch.tensor([0.5, 0.9, 1.0, 1.1, 2.0]).log()
    up = clipped_objective(log_ratio, torch.ones(5), 0.2)
    down = clipped_objective(log_ratio, -torch.ones(5), 0.2)
    torch.testing.assert_close(up, torch.tensor([0.5, 0.9, 1.0, 1.1, 1.2]))
    torch.testing.assert_close(down, torch.tensor([-0.8, -0.9, -1.0, -1.1, -2.0]))


def fitted(anchor: float, clip: float = 0.2, num_updates: int = 30, **options) -> ArchitectureDiffusionPipeline:
    found, reference = pipeline(), pipeline()
    steps = renoised_transitions(found, archs(), 4, torch.Generator().manual_seed(0))
    advantages = edge_share(archs())
    advantages = (advantages - advantages.mean()) / advantages.std()
    values = fit_policy(
        found.denoiser,
        reference.denoiser,
        found.scheduler,
        steps,
        advantages[steps.index.numpy()],
        num_updates=num_updates,
        clip=clip,
        anchor=anchor,
        **options,
    )
    assert values.shape == (num_updates,) and np.isfinite(values).all()
    return found


def share(found: ArchitectureDiffusionPipeline) -> float:
    return float(edge_share(found(400, num_steps=4, generator=torch.Generator().manual_seed(1))).mean())


def test_rewarded_edges_become_more_likely_and_the_anchor_holds() -> None:
    start, free, held = share(pipeline()), share(fitted(0.0)), share(fitted(50.0))
    assert start == pytest.approx(0.5, abs=0.03)
    assert free > start + 0.08
    assert start - 0.03 < held < start + 0.5 * (free - start)


def test_a_small_clip_stops_a_pass() -> None:
    assert share(fitted(0.0, clip=0.02, num_updates=60)) < share(fitted(0.0, clip=5.0, num_updates=60)) - 0.05


def test_the_first_gradient_is_that_of_the_weighted_log_probability() -> None:
    """One update without an anchor goes the way of sum A log p: at r = 1 clipping does nothing."""
    from gennas.models.diffusion import step_log_probs

    model = pipeline()
    steps = renoised_transitions(model, archs(), 4, torch.Generator().manual_seed(0))
    A = torch.from_numpy(np.random.default_rng(1).standard_normal(len(steps)))
    old = step_log_probs(model.denoiser, model.scheduler, steps)[0].detach()
    grads = []
    for kind in ("clipped", "score"):
        log_p = step_log_probs(model.denoiser, model.scheduler, steps)[0]
        value = clipped_objective(log_p - old, A, 0.2) if kind == "clipped" else A * log_p
        grads.append(torch.autograd.grad(value.mean(), model.denoiser.head.bias)[0])
    torch.testing.assert_close(grads[0], grads[1])
    assert grads[0].abs().sum() > 0


def test_the_reference_stays_and_the_seed_fixes_everything() -> None:
    weights = [copy.deepcopy(fitted(0.1, seed=s).denoiser.state_dict()["head.bias"]) for s in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_misuse_is_explained() -> None:
    model = pipeline()
    steps = renoised_transitions(model, archs(), 4)
    for wrong, advantages in ((steps, np.zeros(3)), (steps[:0], np.zeros(0))):
        with pytest.raises(ConfigError, match="one advantage"):
            fit_policy(model.denoiser, model.denoiser, model.scheduler, wrong, advantages)
