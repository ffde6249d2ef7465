"""A training that is continued gives what the undisturbed one gives; another one is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.base import Fidelity
from gennas.training import StateStore, TrainConfig, Trainer, make_task
from gennas.training.scores import Accuracy, Loss, Perplexity
from gennas.training.state import (
    STATE_FILE,
    Progress,
    TrainingState,
    fill_random,
    load_state,
    random_tensors,
    save_state,
)

DIGITS = make_task("digits")
RECIPES = {
    "cosine": TrainConfig(schedule_epochs=4, crop_padding=1, flip=True, device="cpu"),
    "constant": TrainConfig(optimizer="sgd", lr=0.05, schedule="constant", warmup=0.0, device="cpu"),
    "best": TrainConfig(lr=0.05, schedule_epochs=4, select="best", patience=3, device="cpu"),
}


def network(width: int = 6) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = (nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.2))
        return nn.Sequential(*body, nn.Flatten(), nn.Linear(64 * width, 10))


def share(epochs: int) -> Fidelity:
    return Fidelity(epochs=epochs, data_fraction=0.5)


@pytest.mark.parametrize("recipe", RECIPES)
def test_continuing_equals_training_at_once(recipe: str, tmp_path: Path) -> None:
    trainer = Trainer(DIGITS, RECIPES[recipe])
    whole, first, second = network(), network(), network()
    expected = trainer.fit(whole, share(4), seed=3)
    part = trainer.fit(first, share(2), seed=3, save_to=tmp_path)
    torch.randn(5)  # what happens in between does not matter
    result = trainer.fit(second, share(4), seed=3, resume_from=tmp_path)
    assert (part.epochs, result.epochs, result.resumed_epoch) == (2, 4, 2)
    assert result.train_loss == pytest.approx(expected.train_loss, abs=1e-6)
    assert result.val_loss == pytest.approx(expected.val_loss, abs=1e-6)
    assert result.val_accuracy == expected.val_accuracy and result.test_accuracy == expected.test_accuracy
    assert result.selected_epoch == expected.selected_epoch
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], tensor, atol=1e-6, rtol=0)


def test_patience_that_ran_out_stays_so(tmp_path: Path) -> None:
    config = TrainConfig(optimizer="sgd", lr=0.8, schedule="constant", warmup=0.0, select="best", patience=1)
    trainer = Trainer(DIGITS, config)
    stopped = trainer.fit(network(), share(30), save_to=tmp_path)
    assert stopped.stopped == "patience" and stopped.epochs < 30
    again = trainer.fit(network(), share(60), resume_from=tmp_path)
    assert (again.stopped, again.epochs, again.resumed_epoch) == ("patience", stopped.epochs, stopped.epochs)
    assert again.test_accuracy == stopped.test_accuracy and again.seconds > stopped.seconds - again.seconds


@pytest.mark.parametrize(
    ("config", "fidelity", "seed", "width", "reason"),
    [
        (RECIPES["cosine"], share(1), 0, 6, "holds 2 epochs, more than the 1"),
        (replace(RECIPES["cosine"], lr=0.1), share(4), 0, 6, r"lr: 0.005 there, 0.1 now"),
        (replace(RECIPES["cosine"], schedule_epochs=8), share(4), 0, 6, "schedule_epochs: 4 there, 8 now"),
        (RECIPES["cosine"], Fidelity(epochs=4), 0, 6, "data_fraction: 0.5 there, 1.0 now"),
        (RECIPES["cosine"], share(4), 1, 6, "seed: 0 there, 1 now"),
        (RECIPES["cosine"], share(4), 0, 7, "another network"),
    ],
)
def test_another_training_is_refused(config, fidelity, seed, width, reason, tmp_path: Path) -> None:
    Trainer(DIGITS, RECIPES["cosine"]).fit(network(), share(2), save_to=tmp_path)
    with pytest.raises(CheckpointError, match=reason):
        Trainer(DIGITS, config).fit(network(width), fidelity, seed, resume_from=tmp_path)


def test_another_task_is_refused(tmp_path: Path) -> None:
    trainer = Trainer(DIGITS, RECIPES["cosine"])
    trainer.fit(network(), share(1), save_to=tmp_path)
    with pytest.raises(CheckpointError, match=r"task: 'digits; .* there, 'other; "):
        Trainer(replace(DIGITS, name="other"), RECIPES["cosine"]).fit(network(), share(2), resume_from=tmp_path)


def test_a_schedule_that_has_ended_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Set schedule_epochs=9"):
        Trainer(DIGITS, RECIPES["cosine"]).fit(network(), share(9))


@pytest.mark.parametrize("damage", ["missing", "bytes", "weights only", "folder"])
def test_what_is_no_state_is_refused(damage: str, tmp_path: Path) -> None:
    file = tmp_path / STATE_FILE
    if damage == "bytes":
        file.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00not a header")
    elif damage == "weights only":
        save_file({"x": torch.zeros(2)}, file)
    elif damage == "folder":
        file.mkdir()
    with pytest.raises(CheckpointError, match="Expected the state of a training"):
        Trainer(DIGITS, RECIPES["cosine"]).fit(network(), share(2), resume_from=tmp_path)


def test_a_state_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not be written"):
        Trainer(DIGITS, RECIPES["cosine"]).fit(network(), share(1), save_to=tmp_path / "file")


def test_the_store_finds_the_nearest_and_forgets_the_oldest(tmp_path: Path) -> None:
    store = StateStore(tmp_path, "p", limit=2)
    for age, epochs in enumerate((1, 3, 9)):
        file = store.place("a", share(epochs), epochs, 0) / STATE_FILE
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (age, age))
    assert store.nearest("a", share(5), 5, 0) == store.place("a", share(3), 3, 0)
    assert store.nearest("a", share(9), 20, 0) == store.place("a", Fidelity(data_fraction=0.5), 9, 0)
    for other in (("b", share(5), 5, 0), ("a", Fidelity(5), 5, 0), ("a", share(5), 5, 1)):
        assert store.nearest(*other) is None
    store.trim()
    assert store.nearest("a", share(2), 2, 0) is None
    assert store.nearest("a", share(3), 3, 0) is not None


def test_a_store_serves_one_protocol(tmp_path: Path) -> None:
    StateStore(tmp_path, "lr=1")
    StateStore(tmp_path, "lr=1")
    with pytest.raises(CheckpointError, match="expected 'lr=2', found 'lr=1'"):
        StateStore(tmp_path, "lr=2")
    with pytest.raises(ConfigError, match="limit of 0"):
        StateStore(tmp_path, "lr=1", limit=0)


def test_the_best_epoch_is_that_of_accuracy_then_of_loss() -> None:
    progress = Progress()
    improved = []
    for accuracy, loss in [(0.5, 1.0), (0.5, 1.0), (0.5, 0.9), (0.4, 0.1), (0.6, 2.0)]:
        progress.add({"train_loss": 0.0, "val_accuracy": accuracy, "val_loss": loss})
        improved.append(progress.improved)
    assert improved == [True, False, True, False, True]


def test_the_best_epoch_is_that_of_the_primary_score_in_its_direction() -> None:
    progress = Progress((Loss, Perplexity))
    improved = []
    for loss in (2.0, 1.5, 1.5, 1.6, 1.4):
        progress.add({"train_loss": 0.0, "val_loss": loss, "val_perplexity": -loss})
        improved.append(progress.improved)
    assert improved == [True, True, False, False, True]
    assert progress.figures(2) == {"train_loss": 0.0, "val_loss": 1.5, "val_perplexity": -1.5}


def test_progress_goes_on_from_a_state() -> None:
    kept = {"w": torch.ones(2)}
    curves = {"train_loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "val_accuracy": [0.1, 0.2]}
    ran = Progress((Accuracy,), curves, 2, kept)
    state = TrainingState.of({"kept": kept, "rng": {"cpu": torch.zeros(1)}}, {**ran.record(), "seconds": 7.0})
    found = Progress.of(state, torch.device("cpu"))
    assert found == replace(ran, kept=found.kept, resumed_epoch=2, earlier_s=7.0) and found.epochs == 2
    assert list(found.kept) == ["w"] and torch.equal(found.kept["w"], kept["w"])
    found.curves["train_loss"].append(1.0)
    assert ran.curves["train_loss"] == [3.0, 2.0], "the curves of the state are its own"


def test_random_states_come_back() -> None:
    generator, cpu = torch.Generator().manual_seed(3), torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        taken = random_tensors(generator, cpu)
        first = torch.rand(3), torch.rand(3, generator=generator)
        fill_random(taken, generator, cpu)
        again = torch.rand(3), torch.rand(3, generator=generator)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def _saved(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    Trainer(DIGITS, RECIPES["best"]).fit(network(), share(2), save_to=folder)
    state = load_state(folder)
    return dict(state.tensors), dict(state.record)


RECORDS = {
    "no curves": {"train_loss": None},
    "a number": {"val_loss": 0.5},
    "texts": {"val_accuracy": ["a", "b"]},
    "uneven": {"train_loss": [1.0]},
    "empty": {"train_loss": [], "val_loss": [], "val_accuracy": []},
    "an epoch beyond": {"selected_epoch": 3},
    "half an epoch": {"selected_epoch": 1.5},
    "no epoch": {"selected_epoch": True},
    "steps": {"steps": "7"},
    "many steps": {"steps": 10**400},
    "seconds": {"seconds": -1},
    "much time": {"seconds": 10**400},
    "identity": {"identity": [1]},
}


@pytest.mark.parametrize("damage", RECORDS)
def test_a_record_of_other_types_is_refused(damage: str, tmp_path: Path) -> None:
    tensors, record = _saved(tmp_path)
    save_state(TrainingState(tensors, {**record, **RECORDS[damage]}), tmp_path)
    with pytest.raises(CheckpointError, match=r"Expected the state of a training in .*; start anew") as caught:
        Trainer(DIGITS, RECIPES["best"]).fit(network(), share(4), resume_from=tmp_path)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["train_loss", "selected_epoch", "steps", "seconds", "identity"])
def test_a_record_without_a_value_is_refused(name: str, tmp_path: Path) -> None:
    tensors, record = _saved(tmp_path)
    save_state(TrainingState(tensors, {k: v for k, v in record.items() if k != name}), tmp_path)
    with pytest.raises(CheckpointError, match=f"KeyError: '{name}'"):
        Trainer(DIGITS, RECIPES["best"]).fit(network(), share(4), resume_from=tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("kept.0.weight", None),
        ("kept.0.weight", torch.zeros(2)),
        ("network.0.bias", None),
        ("network.9.x", torch.zeros(1)),
        ("optimizer.0.exp_avg", torch.zeros(2)),
        ("optimizer.x.step", torch.zeros(())),
        ("optimizer.99.step", torch.zeros(2)),
        ("rng.cpu", None),
        ("rng.cpu", torch.zeros(3)),
        ("rng.batches", torch.zeros(5, dtype=torch.uint8)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(name: str, tensor: torch.Tensor | None, tmp_path: Path) -> None:
    tensors, record = _saved(tmp_path)
    tensors.pop(name, None)
    save_state(TrainingState(tensors if tensor is None else {**tensors, name: tensor}, record), tmp_path)
    before = torch.get_rng_state()
    with pytest.raises(CheckpointError) as caught:
        Trainer(DIGITS, RECIPES["best"]).fit(network(), share(4), resume_from=tmp_path)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_cut_anywhere_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path)
    content = (tmp_path / STATE_FILE).read_bytes()
    for length in (0, 1, 7, 8, 100, len(content) // 2, len(content) - 1):
        (tmp_path / STATE_FILE).write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="Expected the state of a training"):
            load_state(tmp_path)
