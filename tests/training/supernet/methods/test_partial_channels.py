"""PC-DARTS in supernets with partial channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import NASBench201
from gennas.training import Trainer, make_task
from gennas.training.supernet import Supernet, SupernetEvaluator, train_supernet
from gennas.training.supernet.methods import PCDARTS, Routed, make_step, make_supernet

TASK = make_task("digits")
SPACE = NASBench201(num_cells=1, width=8)


def test_candidates_see_a_quarter_of_the_channels_and_the_skeleton_is_whole():
    whole, partial = Supernet(SPACE, TASK.spec), make_supernet("pc-darts({})", SPACE, TASK.spec)
    count = lambda net: sum(p.numel() for n, p in net.named_parameters() if ".operations." in n)  # noqa: E731
    assert 12 < count(whole) / count(partial) < 16  # convolutions have a sixteenth of the weights, norms a quarter
    rest = lambda net: [p.shape for n, p in net.named_parameters() if ".operations." not in n]  # noqa: E731
    assert rest(whole) == rest(partial)


def test_pc_darts_searches_it_and_learns_both_kinds_of_parameters():
    torch.manual_seed(0)
    supernet = make_supernet("pc-darts({})", SPACE, TASK.spec)
    step = make_step("pc-darts", SPACE, TASK.spec, frozen=0.0)
    start = {n: p.detach().clone() for n, p in step.relaxation.named_parameters()}
    result = Trainer(TASK, replace(TASK.config, epochs=2, batch_size=256), step).fit(Routed(supernet, step))
    assert np.isfinite(result.train_loss).all() and result.train_loss[-1] < result.train_loss[0]
    assert all(not torch.equal(p, start[n]) for n, p in step.relaxation.named_parameters())


def test_training_by_name_uses_partial_channels_and_the_directory_is_read_again(tmp_path):
    config = replace(TASK.config, epochs=1, batch_size=512)
    made, record = train_supernet(SPACE, TASK, tmp_path, "pc-darts", {"channels": 2}, config)
    again, same = train_supernet(SPACE, TASK, tmp_path, "pc-darts", {"channels": 2}, config)
    assert made.partial == again.partial == 2 and same.digest == record.digest
    assert make_supernet('pc-darts({"channels": 1})', SPACE, TASK.spec).partial == 1
    with pytest.raises(ConfigError, match="no network inherits from it"):
        SupernetEvaluator(tmp_path, SPACE, TASK)
    with pytest.raises(ConfigError, match="channels >= 1"):
        PCDARTS(SPACE, channels=0)
