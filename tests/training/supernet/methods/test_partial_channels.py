"""Supernets with partial channels, and what PC-DARTS does in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.spaces import SPACES, NASBench201
from gennas.training import Trainer, make_task
from gennas.training.supernet import Supernet, SupernetEvaluator, train_supernet
from gennas.training.supernet.methods import (
    PartialChannelSupernet,
    PartialChoice,
    Routed,
    make_step,
    make_supernet,
    partial_mixture,
)

TASK = make_task("digits")
SPACE = NASBench201(num_cells=1, width=8)


def test_candidates_see_a_quarter_of_the_channels_and_the_skeleton_is_whole():
    whole, partial = Supernet(SPACE, TASK.spec), PartialChannelSupernet(SPACE, TASK.spec)
    count = lambda net: sum(p.numel() for n, p in net.named_parameters() if ".operations." in n)  # noqa: E731
    weights = count(whole) / count(partial)
    assert 12 < weights < 16  # convolutions have a sixteenth of the weights, norms a quarter
    rest = lambda net: [p.shape for n, p in net.named_parameters() if ".operations." not in n]  # noqa: E731
    assert rest(whole) == rest(partial)
    assert sum(isinstance(m, PartialChoice) for m in partial.modules()) == 18


def test_a_choice_is_the_partial_mixture_of_its_candidates():
    supernet = PartialChannelSupernet(SPACE, TASK.spec).double().eval()
    choice = next(m for m in supernet.modules() if isinstance(m, PartialChoice))
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    w = torch.rand(5, dtype=torch.float64)
    supernet.routing.follow([w] * 6)
    mixture = lambda z: sum(w[int(k)] * f(z) for k, f in choice.choice.items())  # noqa: E731
    assert (choice(x) - partial_mixture(x, mixture, w.sum(), 4)).abs().max() <= 1e-12  # none keeps its weight
    supernet.routing.follow([0] * 6)
    zeros = partial_mixture(x, torch.zeros_like, 1.0, 4)
    assert torch.equal(choice(x), zeros) and (zeros != 0).any()  # three quarters pass, whatever is chosen


def test_pc_darts_searches_it_and_learns_both_kinds_of_parameters():
    torch.manual_seed(0)
    supernet = PartialChannelSupernet(SPACE, TASK.spec)
    step = make_step("pc-darts", SPACE, TASK.spec, frozen=0.0)
    start = {n: p.detach().clone() for n, p in step.relaxation.named_parameters()}
    result = Trainer(TASK, replace(TASK.config, epochs=2, batch_size=256), step).fit(Routed(supernet, step))
    assert np.isfinite(result.train_loss).all() and result.train_loss[-1] < result.train_loss[0]
    assert all(not torch.equal(p, start[n]) for n, p in step.relaxation.named_parameters())


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="train the architecture anew"):
        PartialChannelSupernet(SPACE, TASK.spec).network(SPACE.sample(1, np.random.default_rng(0))[0])
    with pytest.raises(ConfigError, match="multiple of 4"):
        PartialChannelSupernet(NASBench201(num_cells=1, width=6), TASK.spec)
    with pytest.raises(ConfigError, match="k >= 1"):
        PartialChannelSupernet(SPACE, TASK.spec, k=0)
    with pytest.raises(ConfigError):
        PartialChannelSupernet(SPACES.get("autoformer-tiny")(), make_task("digits").spec)


def test_training_by_name_uses_partial_channels_and_the_directory_is_read_again(tmp_path):
    config = replace(TASK.config, epochs=1, batch_size=512)
    made, record = train_supernet(SPACE, TASK, tmp_path, "pc-darts", {"channels": 2}, config)
    assert isinstance(made, PartialChannelSupernet)
    again, same = train_supernet(SPACE, TASK, tmp_path, "pc-darts", {"channels": 2}, config)
    assert isinstance(again, PartialChannelSupernet) and same.digest == record.digest
    assert type(make_supernet('pc-darts({"channels": 1})', SPACE, TASK.spec)) is Supernet
    evaluator = SupernetEvaluator(tmp_path, SPACE, TASK)
    with pytest.raises(ConfigError, match="train the architecture anew"):
        evaluator.evaluate(SPACE.sample(1, np.random.default_rng(0))[0], FULL_FIDELITY, 0)
