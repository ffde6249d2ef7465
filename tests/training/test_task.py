"""Tasks from names, files and a user's own data."""

from __future__ import annotations

import pickle

import pytest
import torch
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
