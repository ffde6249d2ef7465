"""Run directories whose archive, states and generator were written with the fingerprints of version 0.1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gennas import run_search
from gennas.errors import CheckpointError
from gennas.generators.trained import TrainedGenerator
from gennas.graph import GraphSchema
from gennas.spaces import MacroChain
from gennas.training import TrainEvaluator, make_task
from gennas.workbench.config import SearchConfig
from gennas.workbench.run import read_run
from gennas.workbench.train_generator import TrainGeneratorConfig, train_generator

OPTIONS = {"max_depth": 2, "widths": [8], "kernels": [3, 5]}


@contextmanager
def version_01(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fingerprints knew nothing of names and ordinals."""
    with monkeypatch.context() as patch:
        patch.setattr(GraphSchema, "fingerprint", property(lambda schema: schema.structure))
        yield


def config(out: Path, budget: int) -> SearchConfig:
    return SearchConfig(
        "macro-chain", OPTIONS, task="digits", strategy="random", epochs=1, width=0.5, budget=budget, out=out
    )


def test_a_run_goes_on_with_the_identity_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = MacroChain(**OPTIONS).schema
    assert schema.fingerprint != schema.structure
    with version_01(monkeypatch):
        before = run_search(config(tmp_path / "old", 2), report=False)
    run, archive = read_run(tmp_path / "old")
    identity = archive.meta("identity")
    archive.close()
    assert identity is not None and schema.structure in identity and schema.fingerprint not in identity
    after = run_search(config(tmp_path / "old", 3), report=False)
    assert [t.arch.key for t in after.result.trials][:2] == [t.arch.key for t in before.result.trials]
    new = run_search(config(tmp_path / "new", 3), report=False)
    assert [t.arch.key for t in new.result.trials] == [t.arch.key for t in after.result.trials]
    _, archive = read_run(tmp_path / "new")
    assert schema.fingerprint in str(archive.meta("identity")) and run.problem.space.schema.wrote(schema.structure)
    archive.close()


def test_a_generator_and_training_states_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"generator_option": ("dim=16",), "unlabelled": 20, "pretrain_steps": 1}
    with version_01(monkeypatch):
        train_generator(TrainGeneratorConfig("macro-chain", OPTIONS, out=tmp_path / "g", **small))
        space = MacroChain(**OPTIONS)
        TrainEvaluator(space, make_task("digits"), checkpoints=tmp_path / "states")
    found = json.loads((tmp_path / "g" / "gennas.json").read_text())
    space = MacroChain(**OPTIONS)
    assert found["schema"] == space.schema.structure
    assert len(TrainedGenerator.from_pretrained(tmp_path / "g").generator.sample(5)) == 5
    TrainEvaluator(space, make_task("digits"), checkpoints=tmp_path / "states")
    with pytest.raises(CheckpointError, match="another task, space"):
        TrainEvaluator(MacroChain(max_depth=2, widths=(4,)), make_task("digits"), checkpoints=tmp_path / "states")


def test_a_generator_of_other_ordinals_is_refused(tmp_path: Path) -> None:
    """The labels say the same, the numbers behind them do not."""
    small = {"generator_option": ("dim=16",), "unlabelled": 20, "pretrain_steps": 1}
    train_generator(TrainGeneratorConfig("macro-chain", OPTIONS, out=tmp_path / "g", **small))
    space = MacroChain(**OPTIONS)
    ordinals = {label: 2 * value for label, value in space.schema.ordinals.items()}
    object.__setattr__(space.schema, "ordinals", ordinals)
    space.schema.__dict__.pop("fingerprint", None)
    with pytest.raises(CheckpointError, match="own space"):
        TrainedGenerator.from_pretrained(tmp_path / "g", space)
    assert np.isfinite(list(ordinals.values())).all()
