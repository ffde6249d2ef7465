"""The default task is offline, stratified and fixed."""

from __future__ import annotations

import pickle

import torch
from sklearn.datasets import load_digits

from gennas.training import make_task
from gennas.training.data import PARTS


def test_parts_hold_every_image_once():
    data = make_task("digits").data
    together = torch.cat([data.x[part].flatten(1) for part in PARTS]).double()
    original = torch.from_numpy(load_digits().data)
    assert torch.equal(together.unique(dim=0), original.unique(dim=0))
    assert sum(len(data.labels(part)) for part in PARTS) == 1797
    shares = torch.stack([torch.bincount(data.labels(part)) / len(data.labels(part)) for part in PARTS])
    assert (shares - shares.mean(0)).abs().max() < 0.01


def test_data_are_read_once_per_process():
    a, b = make_task("digits"), pickle.loads(pickle.dumps(make_task("digits")))
    assert a.data is b.data
