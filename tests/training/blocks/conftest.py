"""A trained GPT and a trained ViT of three layers that take seconds, and their libraries of blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from gennas.graph import Architecture
from gennas.runtime.seeds import seeded
from gennas.spaces import Space
from gennas.spaces.autoformer import AutoFormerTiny
from gennas.spaces.gpt import GPT
from gennas.training import Task, TrainConfig, Trainer, make_task
from gennas.training.blocks import BlockLibrary, score_blocks, train_blocks

Parent = tuple[Space, Task, Architecture, nn.Module]


def trained(space: Space, task: Task, text: str) -> Parent:
    arch = space.from_text(text)
    with seeded(0):
        network = space.build(arch, task.spec)
    Trainer(task).fit(network)
    return space, task, arch, network


@pytest.fixture(scope="session")
def gpt() -> Parent:
    """It predicts the next of eight symbols that follow each other most of the time."""
    jumps = 1 + (torch.rand(6000, generator=torch.Generator().manual_seed(0)) < 0.1).long()
    corpus = jumps.cumsum(0) % 8
    config = TrainConfig(epochs=3, batch_size=32, lr=1e-2)
    task = Task.from_tokens("counting", train=corpus[:4000], validation=corpus[4000:5000], test=corpus[5000:],
                            context=12, vocabulary=8, config=config)  # fmt: skip
    space = GPT(embeds=(16, 32), depths=(1, 2, 3, 4), heads=(1, 2), mlp=(1, 2))
    text = "embed=16;depth=3;mixer=attention,attention,conv;heads=2,2,-;mlp=2,2,2"
    return trained(space, task, text)


@pytest.fixture(scope="session")
def vit() -> Parent:
    task = make_task("digits")
    task = replace(task, config=replace(task.config, epochs=4, batch_size=256))
    space = AutoFormerTiny((16,), (1, 2, 3), (1, 2), (1, 2), head_dim=4, patch=4)
    return trained(space, task, "embed=16;depth=3;mlp=2,2,2;heads=2,2,2")


def scored(parent: Parent, steps: int) -> BlockLibrary:
    library = BlockLibrary(*parent)
    train_blocks(library, steps, lr=3e-3)
    score_blocks(library)
    return library


@pytest.fixture(scope="session")
def gpt_library(gpt: Parent) -> BlockLibrary:
    return scored(gpt, 15)


@pytest.fixture(scope="session")
def vit_library(vit: Parent) -> BlockLibrary:
    return scored(vit, 15)
