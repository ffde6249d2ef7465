"""Trials of a small search, with rounds and failures."""

from __future__ import annotations

import pytest

from gennas.search.objectives import Objective, Objectives
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.nasbench201.space import NASBench201
from gennas.tracking.base import RunInfo

SPACE = NASBench201()


@pytest.fixture
def trials() -> list[Trial]:
    found = []
    for i, accuracy in enumerate([0.5, None, 0.7, 0.6, 0.9]):
        operation = ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3")[i]
        arch = SPACE.from_text(f"|{operation}~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
        proposal = Proposal(arch, Origin("random", round=i // 2), id=i)
        if accuracy is None:
            found.append(Trial(proposal, "failed", {}, {"seconds": 1.0}, "ValueError: no"))
        else:
            found.append(Trial(proposal, "ok", {"val": accuracy, "test": accuracy - 0.1}, {"seconds": 2.0}))
    return found


@pytest.fixture
def info() -> RunInfo:
    config = {"space": "nasbench201", "llm": {"api_key": "sk-very-secret"}}
    objectives = Objectives((Objective("val"),))
    return RunInfo(config, "abc123", 7, objectives, SPACE.to_text, group="nasbench201-random", name="random-7")


@pytest.fixture(autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name)))
