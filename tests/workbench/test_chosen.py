"""Which architecture, space and task a verb is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import ConfigError, InvalidArchitectureError, UnknownNameError
from gennas.eval.base import Fidelity
from gennas.spaces import MacroChain
from gennas.training import Task
from gennas.workbench.chosen import ArchitectureSettings, best_text, choose
from gennas.workbench.run import Run
from gennas.workbench.settings import ScaledSettings, SpaceSettings, TaskSettings

Maker = Callable[..., Run]
CHAIN = "conv3x3-w16-s1/conv3x3-w16-s2"


@dataclass(frozen=True)
class Chosen(ScaledSettings, TaskSettings, SpaceSettings, ArchitectureSettings):
    """All that says what a verb is about."""


def test_named_one_by_one() -> None:
    chosen = choose(Chosen(space="macro-chain", arch=CHAIN))
    assert chosen.space.to_text(chosen.arch) == CHAIN and chosen.task.name == "digits"
    assert chosen.described == f"{CHAIN} · macro-chain · task digits"


def test_a_run_brings_its_space_and_its_best(make_run: Maker, tmp_path: Path) -> None:
    run = make_run()
    chosen = choose(Chosen(source=tmp_path / "run"))
    assert chosen.arch == run.best.arch and chosen.task.name == "digits"  # a table has no task
    assert chosen.space.schema.fingerprint == run.problem.space.schema.fingerprint
    assert chosen.described.endswith(f"macro-chain · task digits (from {tmp_path / 'run'})")


def test_another_architecture_of_a_runs_space(make_run: Maker, tmp_path: Path) -> None:
    make_run()
    text = "separable3x3-w4-s2"
    assert choose(Chosen(source=tmp_path / "run", arch=text)).described.startswith(f"{text} · ")
    with pytest.raises(InvalidArchitectureError, match="width 16; expected one of"):
        choose(Chosen(source=tmp_path / "run", arch=CHAIN))


def test_a_summary_is_an_architecture(make_run: Maker, tmp_path: Path) -> None:
    run = make_run()
    space = {"space": "macro-chain", "space_option": run.config.space_option}
    assert choose(Chosen(**space, arch=str(tmp_path / "run" / "summary.json"))).arch == run.best.arch
    (tmp_path / "arch.json").write_text(run.best.arch.to_json())
    assert choose(Chosen(**space, arch=str(tmp_path / "arch.json"))).arch == run.best.arch
    for content in ("[1, 2]", '{"best": {}}', '{"best": "good"}', "no JSON"):
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(InvalidArchitectureError, match=r"wrong\.json: expected a run's summary\.json or an arch"):
            choose(Chosen(**space, arch=str(tmp_path / "wrong.json")))


FILE = """
import torch
from gennas.training import Task

def stripes(classes=2, shift=0):
    x, y = torch.rand(40, 1, 8, 8), torch.arange(40) % classes
    return Task.from_tensors(f"stripes{classes}-{shift}", train=(x, y), validation=(x, y), test=(x, y))
"""


@pytest.fixture
def trained(make_run: Maker, tmp_path: Path) -> Path:
    """A run that trains on a task with an option."""
    (tmp_path / "mine.py").write_text(FILE)
    task = {"task": f"{tmp_path / 'mine.py'}:stripes", "task_option": {"classes": 3}}
    spent = {"epochs": 1, "data_fraction": 0.5, "width": 0.5, "train_option": {"lr": 0.02}}
    make_run(**task, table=None, **spent, budget=1)
    return tmp_path / "run"


def test_a_run_brings_its_task_with_its_options(trained: Path) -> None:
    assert choose(Chosen(source=trained)).task.name == "stripes3-0"
    assert choose(Chosen(source=trained, task_option={"shift": 2})).task.name == "stripes3-2"
    assert choose(Chosen(source=trained, task_option={"classes": 4})).task.name == "stripes4-0"


def test_another_task_leaves_the_options_of_the_first_alone(trained: Path, blobs: Task) -> None:
    assert choose(Chosen(source=trained, task="digits", another_task=True)).task.name == "digits"
    assert choose(Chosen(source=trained, task=blobs)).task is blobs  # it may stand for the run's code


def test_another_task_has_to_be_meant(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a run on the task .*stripes, got --task digits: leave --task out"):
        choose(Chosen(source=trained, task="digits"))


def test_a_run_brings_its_fidelity_and_its_recipe(trained: Path) -> None:
    chosen = choose(Chosen(source=trained))
    assert chosen.fidelity == Fidelity(epochs=1, data_fraction=0.5) and dict(chosen.train_option) == {"lr": 0.02}
    assert f"task stripes3-0 · epochs=1, data_fraction=0.5, width=0.5, lr=0.02 (from {trained})" in chosen.described
    whole = choose(Chosen(source=trained, width=1.0))
    assert 2 * chosen.space.build(chosen.arch, chosen.task.spec).classifier.in_features == (
        whole.space.build(whole.arch, whole.task.spec).classifier.in_features
    )


def test_flags_say_otherwise(trained: Path, blobs: Task) -> None:
    assert choose(Chosen(source=trained, epochs=7)).fidelity == Fidelity(epochs=7, data_fraction=0.5)
    more = choose(Chosen(source=trained, data_fraction=1.0, width=1.0, depth=2.0))
    assert " · epochs=1, depth=2, lr=0.02 (" in more.described
    full = choose(Chosen(source=trained, full=True))
    assert full.fidelity == Fidelity() and " · task stripes3-0 · lr=0.02 (" in full.described
    assert choose(Chosen(source=trained, full=True, epochs=3)).fidelity == Fidelity(epochs=3)
    for other in ("digits", blobs):  # the run's three epochs say nothing of another task
        elsewhere = choose(Chosen(source=trained, task=other, another_task=True))
        assert elsewhere.fidelity == Fidelity() and not elsewhere.train_option


@pytest.mark.parametrize("changes", [{"space": "macro-chain"}, {"space_option": {"max_depth": 3}}])
def test_a_run_and_another_space_contradict(changes: dict[str, Any], make_run: Maker, tmp_path: Path) -> None:
    make_run(budget=1)
    with pytest.raises(ConfigError, match="Expected --from alone, which brings the run's space, got --space"):
        choose(Chosen(source=tmp_path / "run", **changes))


@pytest.mark.parametrize(("width", "depth"), [(2.0, 1.0), (1.0, 2.0), (0.5, 0.5)])
def test_networks_are_scaled_and_architectures_are_not(width: float, depth: float) -> None:
    plain = choose(Chosen(space="macro-chain", arch=CHAIN))
    scaled = choose(Chosen(space="macro-chain", arch=CHAIN, width=width, depth=depth))
    changed = ", ".join(f"{name}={value:g}" for name, value in (("width", width), ("depth", depth)) if value != 1)
    assert scaled.arch == plain.arch and scaled.described == f"{plain.described} · {changed}"
    net = scaled.space.build(scaled.arch, scaled.task.spec)
    assert len(net.layers) == 2 * max(1.0, depth)  # a stage keeps one layer at least
    assert net.classifier.in_features == 16 * width


@pytest.mark.parametrize(
    ("settings", "error", "complaint"),
    [
        ({"arch": "|none~0|"}, InvalidArchitectureError, "nasbench201"),
        ({"arch": CHAIN, "space": "macro-chains"}, UnknownNameError, "Did you mean macro-chain"),
        ({"arch": CHAIN, "space": "macro-chain", "task": "digitss"}, UnknownNameError, "Did you mean digits"),
        ({"arch": "missing.json"}, InvalidArchitectureError, "missing.json: expected a run's summary.json"),
        ({"source": Path("nowhere")}, ConfigError, "config.yaml"),
    ],
)
def test_what_cannot_be_chosen(settings: dict[str, Any], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        choose(Chosen(**settings))
    assert complaint in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"best": {}}', '{"best": 3}', "not json"])
def test_a_summary_that_cannot_be_read(content: str, make_run: Maker, tmp_path: Path) -> None:
    make_run(budget=1)
    (tmp_path / "run" / "summary.json").write_text(content)
    with pytest.raises(ConfigError, match=r"expected the --out of a finished search, with a summary\.json"):
        best_text(tmp_path / "run")


def test_a_run_without_a_best_needs_an_architecture(make_run: Maker, tmp_path: Path, chains: MacroChain) -> None:
    make_run(budget=1)
    summary = tmp_path / "run" / "summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "best": None}))
    with pytest.raises(ConfigError, match="no trial was feasible, so there is no best architecture; give one as ARCH"):
        best_text(tmp_path / "run")
