"""Tasks from names, files and a user's own data."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from gennas.errors import ConfigError, UnknownNameError
from gennas.training import TASKS, Task, TrainConfig, make_task
from gennas.training.data import PARTS


def pair(n: int = 20, classes: int = 2, size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(n)), torch.arange(n) % classes


def test_registered_names():
    assert set(TASKS) >= {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "cora", "citeseer", "pubmed"}
    with pytest.raises(UnknownNameError, match="Did you mean cifar10"):
        make_task("cifar-10")
    with pytest.raises(ConfigError, match=r"Unknown option 'download' of task 'digits'"):
        make_task("digits", download=True)


def test_user_task_from_a_file(tmp_path):
    file = tmp_path / "my_task.py"
    file.write_text(
        "import torch\nfrom gennas.training import Task\n"
        "xy = torch.zeros(10, 1, 2, 2), torch.arange(10) % 2\n"
        "ready = Task.from_tensors('ready', train=xy, test=xy)\n"
        "def made(size=2):\n    x = torch.zeros(10, 1, size, size)\n"
        "    return Task.from_tensors('made', train=(x, xy[1]), test=(x, xy[1]))\n"
        "wrong = 3\ndef empty():\n    return None\n"
    )
    assert make_task(f"{file}:ready").spec.input_shape == (1, 2, 2)
    assert make_task(f"{file}:made", size=5).spec.input_shape == (1, 5, 5)
    with pytest.raises(ConfigError, match="function that returns one, got int"):
        make_task(f"{file}:wrong")
    with pytest.raises(ConfigError, match="return a Task, got NoneType"):
        make_task(f"{file}:empty")


def test_validation_is_carved_out_of_train_and_is_always_the_same():
    x, y = pair(50)
    a, b = (Task.from_tensors("mine", train=(x, y), test=pair(6)) for _ in range(2))
    assert [len(a.data.labels(part)) for part in PARTS] == [40, 10, 6]
    assert torch.equal(a.data.x["validation"], b.data.x["validation"])
    together = torch.cat([a.data.x["train"], a.data.x["validation"]]).flatten(1)
    assert len(together.unique(dim=0)) == 50
    assert a.split == b.split
    assert a.split != Task.from_tensors("mine", train=(x + 1, y), test=pair(6)).split


def test_given_validation_is_kept_apart():
    task = Task.from_tensors("mine", train=pair(20), validation=pair(8), test=pair(6), num_outputs=3)
    assert [len(task.data.labels(part)) for part in PARTS] == [20, 8, 6]
    assert task.spec.num_outputs == 3
    assert torch.equal(task.data.x["validation"], pair(8)[0])


def test_from_map_style_datasets():
    task = Task.from_datasets("mine", train=TensorDataset(*pair(30, 3)), test=TensorDataset(*pair(9, 3)))
    assert task.spec.num_outputs == 3
    assert torch.equal(task.data.x["test"], pair(9, 3)[0])
    assert len(pickle.loads(pickle.dumps(task)).data.labels("train")) == 24


def test_dataset_of_something_else():
    with pytest.raises(ConfigError, match=r"'mine', train: expected a dataset of \(tensor, int\)"):
        Task.from_datasets("mine", train=[("cat.png", 1)], test=[("dog.png", 0)])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ((torch.zeros(4, 2, 2), torch.zeros(4).long()), r"expected images \(n, c, h, w\)"),
        ((torch.zeros(4, 1, 2, 2), torch.zeros(3).long()), r"labels \(n,\)"),
        ((torch.full((4, 1, 4, 4), float("nan")), torch.arange(4) % 2), "NaN"),
        ((torch.zeros(4, 1, 4, 4), torch.arange(4) - 1), "whole labels from 0"),
        ((torch.zeros(4, 1, 4, 4), torch.rand(4)), "whole labels"),
        ((torch.zeros(4, 1, 3, 3), torch.arange(4) % 2), r"test images are \(1, 4, 4\)"),
    ],
)
def test_images_that_do_not_fit(train, message):
    with pytest.raises(ConfigError, match=message):
        Task.from_tensors("mine", train=train, validation=train, test=pair(6))


def test_test_labels_beyond_the_classes():
    with pytest.raises(ConfigError, match=r"test: expected whole labels from 0 to 1, got 0 to 2"):
        Task.from_tensors("mine", train=pair(20), test=pair(9, classes=3))


GRAPH = {
    "x": torch.eye(4),
    "edge_index": torch.tensor([[0, 1], [1, 2]]),
    "y": torch.tensor([0, 1, 0, 1]),
    "train": torch.tensor([0, 1]),
    "validation": torch.tensor([False, False, True, False]),
    "test": torch.tensor([3]),
}


def test_graph_task():
    task = Task.from_graph("g", **GRAPH)
    assert (task.spec.kind, task.spec.input_shape, task.spec.num_outputs) == ("node", (4,), 2)
    assert task.config.select == "best"
    assert task.data.nodes["validation"].tolist() == [2]
    x, edge_index = task.example_inputs()
    assert x.shape == (4, 4) and edge_index.shape == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": torch.tensor([1])}, "share no node"),
        ({"test": torch.tensor([], dtype=torch.long)}, "non-empty"),
        ({"edge_index": torch.tensor([[0], [4]])}, "edge_index names nodes outside 0 to 3"),
        ({"y": torch.tensor([0, 1])}, r"y \(n,\)"),
    ],
)
def test_graphs_that_do_not_fit(change, message):
    with pytest.raises(ConfigError, match=message):
        Task.from_graph("g", **GRAPH | change)


def test_data_that_contradict_the_spec():
    digits = make_task("digits")
    wrong = Task("wrong", make_task("digits").spec.__class__("image", (1, 9, 9), 10), digits.load, "none")
    with pytest.raises(ConfigError, match=r"expected inputs \(1, 9, 9\), the data have \(1, 8, 8\)"):
        _ = wrong.data


def test_image_examples_need_no_data():
    task = Task("lazy", make_task("digits").spec, lambda: 1 / 0, "none", TrainConfig())
    assert task.example_inputs(3)[0].shape == (3, 1, 8, 8)


EXACT = torch.arange(20 * 16).reshape(20, 1, 4, 4)
PARITY = torch.arange(20) % 2


@pytest.mark.parametrize(
    "convert",
    [
        lambda t: t.numpy(),
        lambda t: t.tolist(),
        lambda t: t.numpy().astype(np.uint16),
        lambda t: t.to(torch.uint16),
        lambda t: t.numpy().astype(np.uint64),
        lambda t: t.numpy().astype(">i4"),
        lambda t: t.numpy()[::-1][::-1],
    ],
)
def test_numpy_lists_and_every_integer_type_are_taken(convert: Callable[[Tensor], Any]) -> None:
    pair = (convert(EXACT), convert(PARITY))
    task = Task.from_tensors("mine", train=pair, validation=pair, test=pair)
    data = task.data
    assert torch.equal(data.x["test"].float(), EXACT.float()) and torch.equal(data.labels("test"), PARITY)
    assert len(list(data.batches("train", 8))) == 3 and data.resized(0.5).input_shape == (1, 2, 2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.bool])
def test_other_types_that_are_certain(kind: torch.dtype) -> None:
    pair = ((EXACT % 2).to(kind), PARITY.bool())
    data = Task.from_tensors("mine", train=pair, test=pair).data
    assert torch.equal(data.x["test"].float(), (EXACT % 2).float()) and torch.equal(data.labels("test"), PARITY)


LAST = torch.randn(20, 8, 8, 3)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (LAST, PARITY, "channels_last=True"),
        (EXACT[:, 0], PARITY, r"x\[:, None\]"),
        (EXACT * 1j, PARITY, "real numbers"),
        (EXACT.float().to_sparse(), PARITY, "to_dense"),
        (EXACT.double() * 1e300, PARITY, "beyond float32"),
        (EXACT[..., :0, :0], PARITY, "with pixels"),
        ([[1.0], [1.0, 2.0]], PARITY, "one length"),
        ([["a"]], PARITY, "expected numbers"),
        (EXACT, PARITY + 1, "subtract 1.*num_outputs=3"),
        (EXACT, PARITY * 2, "none is 1; .*num_outputs=3"),
        (EXACT, PARITY * 2**40, "none is 1"),
        (EXACT, torch.eye(2)[PARITY], r"labels \(n,\)"),
    ],
)
def test_data_that_are_not_certain_are_one_line(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Task.from_tensors("mine", train=(x, y), test=(x, y))
    assert "\n" not in str(caught.value)


def test_channels_last_and_classes_that_are_given() -> None:
    last = Task.from_tensors("mine", train=(LAST, PARITY), test=(LAST, PARITY), channels_last=True)
    assert torch.equal(last.data.x["test"], LAST.permute(0, 3, 1, 2))
    kept = Task.from_tensors("mine", train=(LAST, PARITY * 2), test=(LAST, PARITY), channels_last=False, num_outputs=4)
    assert kept.spec.input_shape == (8, 8, 3) and kept.spec.num_outputs == 4
    with pytest.raises(ConfigError, match=r"test: expected whole labels from 0 to 1, got 0 to 2.*num_outputs"):
        Task.from_tensors("mine", train=(EXACT, PARITY), test=(EXACT, PARITY * 2))


def test_graphs_of_numpy_and_their_labels() -> None:
    parts = {"x": np.eye(6), "edge_index": [[0, 1], [1, 2]], "y": np.array([0, 1, 0, 1, 0, 9])}
    parts |= {"train": [0, 1], "validation": np.array([2]), "test": np.array([False] * 3 + [True, False, False])}
    task = Task.from_graph("mine", **parts)
    assert task.spec.num_outputs == 2 and task.data.labels("test").tolist() == [1]
    for wrong, message in (
        ({"y": parts["y"] + 1}, "subtract 1"),
        ({"test": [5]}, "0 to 1, got 9 to 9"),
        ({"test": np.array([True])}, "a mask"),
        ({"y": parts["y"] / 1}, "whole numbers in y"),
        ({"x": np.eye(6) * np.nan}, "x holds NaN"),
    ):
        with pytest.raises(ConfigError, match=message):
            Task.from_graph("mine", **{**parts, **wrong})
