"""Every offline task: a small network learns it, under a seed it learns the same, and a training can be continued."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.spaces.spec import KINDS
from gennas.training import TASKS, GradientStep, Task, Trainer, make_task
from gennas.training.data import PARTS, Batch
from gennas.training.kinds import KIND_RULES, classes_last, score_class, scores_of
from gennas.training.scores import Accuracy, SpanF1, TokenAccuracy
from gennas.training.step import Run

from .conftest import small_network

# A small network's score after a few epochs, which one that says the same of every example cannot reach.
LEARNT = {
    "digit-halves": (3, 0.6),  # of ten classes
    "digit-slant": (12, 0.6),  # of the variance
    "stdlib": (2, -2.9),  # nats; the frequencies of characters alone give 3.15
    "python-tokens": (3, 0.15),
    "stdlib-packages": (4, 0.3),  # of eight
    "motifs": (8, 0.4),  # of four
    "shapes": (8, 0.25),  # all background is .215
}


@pytest.mark.parametrize("name", LEARNT)
def test_a_small_network_learns_it(name: str) -> None:
    task = make_task(name)
    epochs, least = LEARNT[name]
    result = Trainer(task).fit(small_network(task.spec), Fidelity(epochs=epochs))
    sign = 1 if result.direction == "max" else -1
    assert sign * result.best_val_score > least
    assert result.train_loss[-1] < result.train_loss[0] or epochs == 1
    assert set(result.selected()) | {"train_loss"} == set(task.metrics)
    assert f"val_{result.primary}" == task.primary.name


def quick(name: str) -> tuple[Task, Fidelity]:
    task = make_task(name)
    small = {"context": 0.25} if task.spec.kind in ("language", "tagging", "text") else {}
    if task.spec.kind == "segmentation":
        small = {"resolution": 0.5}
    config = replace(task.config, epochs=2, schedule_epochs=2)
    return replace(task, config=config), Fidelity(data_fraction=0.05, **small)


@pytest.mark.parametrize("name", LEARNT)
def test_the_same_seed_gives_the_same_and_a_continued_training_too(name: str, tmp_path: Path) -> None:
    task, fidelity = quick(name)
    spec = task.spec
    runs = [Trainer(task).fit(small_network(spec), fidelity, seed=3) for _ in range(2)]
    assert runs[0].curves == runs[1].curves and runs[0].test_scores == runs[1].test_scores
    assert Trainer(task).fit(small_network(spec), fidelity, seed=4).train_loss != runs[0].train_loss
    Trainer(task).fit(small_network(spec), replace(fidelity, epochs=1), seed=3, save_to=tmp_path)
    again = Trainer(task).fit(small_network(spec), fidelity, seed=3, resume_from=tmp_path)
    assert again.resumed_epoch == 1 and again.curves == runs[0].curves and again.test_scores == runs[0].test_scores


@pytest.mark.parametrize("name", LEARNT)
def test_tasks_pickle_and_say_what_their_data_are(name: str) -> None:
    task = pickle.loads(pickle.dumps(make_task(name)))
    assert task.metrics == make_task(name).metrics
    for part in PARTS:
        batch = next(task.data.batches(part, 4))
        assert small_network(task.spec)(*batch.inputs).shape == task.spec.output_shape(batch.examples)
    assert next(t.shape[1:] for t in task.example_inputs(2)) == next(task.data.batches("test", 2)).inputs[0].shape[1:]


def test_the_table_is_complete_and_puts_classes_last() -> None:
    assert set(KIND_RULES) == set(KINDS)
    assert classes_last("segmentation", torch.zeros(2, 5, 3, 4)).shape == (2, 3, 4, 5)
    assert classes_last("language", torch.zeros(2, 3, 5)).shape == (2, 3, 5)
    tagged = scores_of("tagging", tags=("O", "B-X"))
    assert [score_class(make) for make in tagged] == [SpanF1, TokenAccuracy]
    assert make_task("python-tokens").primary.name == "val_span_f1"
    assert make_task("stdlib").primary.direction == "min"
    assert [m.name for m in make_task("digits").metrics.values()] == ["val_accuracy", "test_accuracy", "train_loss"]


def test_the_protocol_of_the_first_tasks_is_what_it_was() -> None:
    task = make_task("digits")
    assert task.split == "stratified 60/20/20, seed 0" and task.scores == (Accuracy,)
    assert make_task("digits", size=16).split.endswith("size 16")
    assert make_task("digits", size=16).data.input_shape == (1, 16, 16)
    with pytest.raises(ConfigError, match="positive size, got 0"):
        make_task("digits", size=0)


def test_a_fidelity_that_a_task_does_not_have_is_refused() -> None:
    for name, fidelity, message in (
        ("digits", Fidelity(context=0.5), "no context"),
        ("stdlib", Fidelity(resolution=0.5), "no resolution"),
        ("motifs", Fidelity(resolution=0.5), "no resolution"),
        ("digit-halves", Fidelity(context=0.5), "no context"),
    ):
        task = make_task(name)
        with pytest.raises(ConfigError, match=message):
            Trainer(task).fit(small_network(task.spec), fidelity)


def test_outputs_of_another_shape_are_refused() -> None:
    task, fidelity = quick("stdlib")
    with pytest.raises(EvaluationError, match=r"logits \(32, 16, 96\), got \(32, 96\)"):
        Trainer(task).fit(nn.Sequential(small_network(task.spec), Last()), fidelity)


class Last(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]


class Twice(GradientStep):
    """Every batch is learnt twice."""

    def __init__(self) -> None:
        self.batches = 0

    def run(self, run: Run, batch: Batch) -> Tensor:
        self.batches += 1
        run.loss(batch).backward()
        run.optimizer.step()
        return super().run(run, batch)


def test_a_step_can_be_replaced(tmp_path: Path) -> None:
    task, fidelity = quick("digit-halves")
    step = Twice()
    usual = Trainer(task).fit(small_network(task.spec), fidelity, save_to=tmp_path)
    twice = Trainer(task, step=step).fit(small_network(task.spec), fidelity)
    assert step.batches == 2 * task.data.share(0.05, 0).num_batches("train", task.config.batch_size)
    assert twice.train_loss[-1] < usual.train_loss[-1]


def test_every_task_is_registered() -> None:
    offline = {*LEARNT, "digits"}
    files = {"text-file", "conll", "text-csv", "image-folder", "npz", "tu", "voc", "cityscapes"}
    downloads = {"mnist", "fashion-mnist", "cifar10", "cifar100", "cora", "citeseer", "pubmed"}
    assert offline | files | downloads <= set(TASKS)


def test_a_task_may_be_scored_by_something_else() -> None:
    task = replace(make_task("python-tokens"), scores=(TokenAccuracy, partial(SpanF1, ("O", *"ABCDEF"))))
    assert list(task.metrics) == [
        "val_token_accuracy",
        "test_token_accuracy",
        "val_span_f1",
        "test_span_f1",
        "train_loss",
    ]
