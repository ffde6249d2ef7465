"""Revealing slots once each: the same distribution, and the same bound, as the general reverse process."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from gennas.graph import GraphSchema, Population
from gennas.models.diffusion import ArchitectureDiffusionPipeline, CategoricalScheduler, DenseDenoiser
from gennas.models.diffusion.unmasking import reveal, revealed_share


def make(schema: GraphSchema, sharp: float = 2.0) -> ArchitectureDiffusionPipeline:
    torch.manual_seed(0)
    denoiser = DenseDenoiser.for_schema(schema, num_conditions=1, dim=16, timed=False).eval()
    torch.nn.init.normal_(denoiser.head.weight, std=sharp / 4)
    return ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler(20))


class General(ArchitectureDiffusionPipeline):
    """The same network, sampled and bounded by the general reverse process."""

    _reveals = False


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shares_add_up_to_the_schedule() -> None:
    scheduler = CategoricalScheduler(20)
    hidden = 1.0
    for t, s in scheduler.timesteps_for(4):
        hidden *= 1 - revealed_share(scheduler, t, s)
        assert hidden == pytest.approx(1 - float(scheduler.alpha_bar[s]))


def test_only_the_chosen_slots_are_drawn(mixed: GraphSchema) -> None:
    denoiser, x = make(mixed).denoiser, torch.tensor([[3, 0, 3, 2], [3, 3, 3, 3]])
    logits = torch.full((2, 4, 3), -torch.inf)
    logits[..., 1] = 0.0
    chosen = torch.tensor([[True, False, True, False], [False, False, False, True]])
    assert reveal(x, logits, chosen, denoiser).tolist() == [[2, 0, 1, 2], [3, 3, 3, 1]]


@pytest.mark.parametrize("settings", [{}, {"conditions": np.array([0.9]), "guidance_scale": 3.0}])
def test_the_distribution_is_that_of_the_general_process(mixed: GraphSchema, settings) -> None:
    pipeline = make(mixed)
    general = General(pipeline.denoiser, pipeline.scheduler)
    drawn = [p(6000, num_steps=4, generator=seeded(0), **settings).decisions for p in (pipeline, general)]
    codes = [D @ np.array([27, 9, 3, 1]) for D in drawn]
    values = np.unique(np.concatenate(codes))
    table = np.array([[(code == v).sum() for v in values] for code in codes])
    assert len(values) > 20 and chi2_contingency(table[:, table.sum(0) > 10]).pvalue > 1e-3


def test_the_bound_is_that_of_the_general_process(mixed: GraphSchema) -> None:
    pipeline = make(mixed)
    general = General(pipeline.denoiser, pipeline.scheduler)
    D = np.array(list(itertools.product([1, 2], range(3), range(3), range(3))))
    archs = Population.from_decisions(mixed, D)
    for conditions in (None, np.array([0.7])):
        bounds = [p.elbo(archs, conditions, 5, seeded(1)) for p in (pipeline, general)]
        np.testing.assert_allclose(*bounds, rtol=1e-5)


def test_what_is_fixed_stays_and_steps_can_be_watched(mixed: GraphSchema) -> None:
    seen: list[torch.Tensor] = []
    fixed = np.array([2, -1, -1, 1])
    drawn = make(mixed, sharp=0.2)(
        200, num_steps=4, generator=seeded(0), fixed=fixed, on_step=lambda x, t: seen.append(x.clone())
    ).decisions
    assert (drawn[:, [0, 3]] == [2, 1]).all() and len(np.unique(drawn[:, 1:3], axis=0)) == 9
    assert len(seen) == 4
    for before, after in itertools.pairwise(seen):
        assert ((before == after) | (before == 3)).all()  # what shows a label keeps it
    assert (seen[0][:, 1:3] == 3).all()


def test_mutants_keep_less_the_more_noise_and_each_has_its_own(mixed: GraphSchema) -> None:
    D = np.array(list(itertools.product([1, 2], range(3), range(3), range(3))))
    parents = Population.from_decisions(mixed, np.tile(D, (60, 1)))
    strength = np.repeat([0.0, 0.25, 0.5, 1.0], len(parents) // 4)
    children = make(mixed).renoise(parents, strength, num_steps=4, generator=seeded(0))
    same = (children.decisions == parents.decisions).mean(1).reshape(4, -1).mean(1)
    assert same[0] == 1.0 and same[0] > same[1] > same[2] > same[3] > 0.2
    keep = np.array([True, False, False, True])
    again = make(mixed).renoise(parents, 1.0, keep=keep, generator=seeded(0)).decisions
    assert (again == parents.decisions)[:, keep].all() and (again != parents.decisions)[:, ~keep].any()
