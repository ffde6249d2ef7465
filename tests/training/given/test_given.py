"""A user's own data of every kind: what becomes of it, and one clear line for what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from gennas.errors import ConfigError
from gennas.training import Task
from gennas.training.data import IGNORED, PARTS

X = torch.randn(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(20) % 2
MASKS = (torch.arange(320).view(20, 4, 4) % 3).to(torch.uint8)
EDGES = torch.tensor([[0, 1], [1, 0]])
TEXT = "the cat sat on the mat. " * 20
WORDS = [["Ada", "met", "Bob", "Lee"], ["Bob", "ran"]] * 5
TAGS = [["B-PER", "O", "B-PER", "I-PER"], ["B-PER", "O"]] * 5


def graph(label: int, nodes: int = 3) -> tuple[torch.Tensor, torch.Tensor, int]:
    return torch.ones(nodes, 2), EDGES, label


def sizes(task: Task) -> list[int]:
    return [len(task.data.labels(part)) for part in PARTS]


def test_numbers_are_learnt_in_units_of_their_deviation() -> None:
    y = 100 + 7 * torch.arange(20.0)
    task = Task.from_tensors("slope", train=(X, y), test=(X, y), targets="numbers")
    assert (task.spec.num_outputs, task.primary.name, sizes(task)) == (1, "val_r2", [16, 4, 20])
    train = task.data.labels("train")
    assert (
        train.shape == (16, 1)
        and abs(float(train.mean())) < 1e-6
        and float(train.std(correction=0)) == pytest.approx(1)
    )
    two = Task.from_tensors(
        "two", train=(X, torch.stack([y, -y], 1)), test=(X, torch.stack([y, y], 1)), targets="numbers"
    )
    assert two.spec.num_outputs == 2


def test_masks() -> None:
    masks = MASKS.clone()
    masks[:, 0] = 255
    task = Task.from_masks("roads", train=(X, masks), test=(X.numpy(), masks.numpy()))
    assert task.spec.kind == "segmentation" and task.spec.num_outputs == 3 and task.primary.name == "val_miou"
    assert sizes(task) == [16, 4, 20] and int(next(task.data.batches("test", 4)).y.min()) == IGNORED


def test_pairs() -> None:
    task = Task.from_pairs("both", train=(X, X.flatten(1), Y), test=(X, X.flatten(1), Y))
    assert (task.spec.input_shape, task.spec.second_shape, task.spec.num_outputs) == ((1, 4, 4), (16,), 2)
    assert sizes(task) == [16, 4, 20]


def test_graphs_as_triples_or_of_torch_geometric() -> None:
    triples = [graph(i % 2, 2 + i % 3) for i in range(10)]
    objects = [Data(x=x, edge_index=e, y=torch.tensor([y])) for x, e, y in triples]
    lonely = (torch.ones(1, 2), [[], []], 0)
    first = Task.from_graphs("a", train=triples, test=[lonely])
    second = Task.from_graphs("b", train=objects, test=[lonely])
    assert first.spec.input_shape == (2,) and sizes(first) == [8, 2, 1] and first.split == second.split
    assert next(first.data.batches("test", 1)).inputs[1].shape == (2, 0), "a graph may have no edges"


def test_text_and_numbers_as_a_corpus() -> None:
    task = Task.from_tokens("cat", train=TEXT, test="the dog sat on the mat", context=8)
    assert task.spec.num_outputs == task.spec.vocabulary == 12 and task.vocabulary is not None
    assert int((task.data.tokens["test"] == 0).sum()) == 2, "d and g are unknown"  # type: ignore[attr-defined]
    numbers = Task.from_tokens("n", train=np.arange(90) % 7, test=[1, 2, 3, 4, 5], validation=[1, 2, 3, 4], context=3)
    assert numbers.spec.vocabulary == 7 and numbers.vocabulary is None and numbers.split.startswith("given")


def test_words_with_tags_and_texts_with_names() -> None:
    task = Task.from_sequences("people", train=(WORDS, TAGS), test=(WORDS, TAGS))
    assert task.spec.kind == "tagging" and task.spec.input_shape == (4,) and task.spec.num_outputs == 3
    assert next(m.name for m in task.metrics.values()) == "val_span_f1"
    row = next(task.data.batches("test", 2))
    assert row.y.tolist() == [[1, 0, 1, 2], [1, 0, IGNORED, IGNORED]] and row.inputs[0][1, 2:].tolist() == [0, 0]
    numbered = Task.from_sequences("n", train=([[1, 2], [3]] * 3, [[0, 1], [1]] * 3), test=([[1]], [[0]]), vocabulary=9)
    assert numbered.primary.name == "val_token_accuracy" and numbered.spec.vocabulary == 9
    short = Task.from_sequences(
        "short", train=(["spam", "ham"] * 5, ["bad", "good"] * 5), test=(["am"], ["bad"]), length=3
    )
    assert short.spec.kind == "text" and short.spec.input_shape == (3,) and short.data.labels("test").tolist() == [0]


def test_the_parts_share_nothing_and_are_always_the_same() -> None:
    x = torch.arange(20.0).view(20, 1, 1, 1).expand(20, 1, 2, 2)
    tasks = [Task.from_pairs("p", train=(x, x, Y), test=(x[:2], x[:2], Y[:2])) for _ in range(2)]
    seen = [[set(t.data.first[part][:, 0, 0, 0].tolist()) for part in PARTS[:2]] for t in tasks]  # type: ignore[attr-defined]
    assert seen[0] == seen[1] and not seen[0][0] & seen[0][1] and len(seen[0][0] | seen[0][1]) == 20
    assert tasks[0].split == tasks[1].split


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "empty corpus": (lambda: Task.from_tokens("t", train="", test="a"), "train: expected a corpus, got an empty one"),
    "context": (
        lambda: Task.from_tokens("t", train=TEXT, test="abc", context=8),
        "test: a context of 8 is longer than the corpus: expected more than 8 tokens, got 3",
    ),
    "no context": (lambda: Task.from_tokens("t", train=TEXT, test=TEXT, context=0), "at least one token, got 0"),
    "unknown token": (
        lambda: Task.from_tokens("t", train=[1, 2, 3] * 9, test=[1, 9, 1, 1], context=2),
        "test: unknown token 9: expected 0 to 3; give a larger vocabulary",
    ),
    "text and numbers": (
        lambda: Task.from_tokens("t", train=TEXT, test=[1, 2]),
        "expected text as the training part is",
    ),
    "no rows": (lambda: Task.from_sequences("t", train=([], []), test=(["a"], [0])), "got an empty corpus"),
    "empty row": (
        lambda: Task.from_sequences("t", train=(["a", ""], [0, 1]), test=(["a"], [0])),
        "row 1 has no tokens",
    ),
    "unknown label": (
        lambda: Task.from_sequences(
            "t", train=(["a", "b"], ["x", "y"]), test=(["a"], ["z"]), validation=(["a"], ["x"])
        ),
        "test: label 'z' is not in the training part: x, y",
    ),
    "unknown number": (
        lambda: Task.from_sequences("t", train=([[1], [2]], [0, 1]), test=([[7]], [0]), validation=([[1]], [0])),
        "test: unknown token 7 in row 0: expected 0 to 2",
    ),
    "tags": (
        lambda: Task.from_sequences("t", train=(WORDS, TAGS), test=([["a", "b"]], [["O"]])),
        "test: row 0 has 2 tokens and 1 labels",
    ),
    "class without examples": (
        lambda: Task.from_sequences("t", train=(["a", "b"] * 3, [0, 2] * 3), test=(["a"], [0])),
        "labels 0 to 2, but none is 1",
    ),
    "no graphs": (lambda: Task.from_graphs("g", train=[], test=[graph(0)]), "train: expected at least one graph"),
    "nodes": (
        lambda: Task.from_graphs("g", train=[(torch.ones(1, 2), EDGES, 0)], test=[graph(0)]),
        "graph 0: edge_index names nodes outside 0 to 0",
    ),
    "features": (
        lambda: Task.from_graphs("g", train=[graph(0), (torch.ones(2, 5), EDGES, 1)], test=[graph(0)]),
        "expected 2 features per node, got 5",
    ),
    "no features": (
        lambda: Task.from_graphs("g", train=[Data(edge_index=EDGES, y=0)], test=[graph(0)]),
        "give x=torch.ones",
    ),
    "graph labels": (
        lambda: Task.from_graphs("g", train=[graph(0), graph(2)], test=[graph(0)]),
        "labels 0 to 2, but none is 1",
    ),
    "mask shape": (
        lambda: Task.from_masks("m", train=(X, MASKS[:, :3]), test=(X, MASKS)),
        r"masks \(n, h, w\), got \(20, 1, 4, 4\) and \(20, 3, 4\)",
    ),
    "mask classes": (
        lambda: Task.from_masks("m", train=(X, MASKS), test=(X, MASKS), num_outputs=2),
        "expected whole labels from 0 to 1, got 0 to 2",
    ),
    "empty mask": (
        lambda: Task.from_masks("m", train=(X, torch.full_like(MASKS, 255)), test=(X, MASKS)),
        "mask 0 has no labelled pixel",
    ),
    "pair length": (
        lambda: Task.from_pairs("p", train=(X, X[:5], Y), test=(X, X, Y)),
        r"got \(20, 1, 4, 4\), \(5, 1, 4, 4\) and \(20,\)",
    ),
    "pair": (lambda: Task.from_pairs("p", train=(X, Y), test=(X, X, Y)), "expected a triple of first input and second"),
    "pair shapes": (
        lambda: Task.from_pairs("p", train=(X, X, Y), test=(X, X[..., :2], Y)),
        r"test second inputs are \(1, 4, 2\), expected \(1, 4, 4\)",
    ),
    "constant target": (
        lambda: Task.from_tensors("r", train=(X, torch.ones(20)), test=(X, Y), targets="numbers"),
        "expected training targets that differ",
    ),
    "target shape": (
        lambda: Task.from_tensors("r", train=(X, torch.ones(3)), test=(X, Y), targets="numbers"),
        r"targets \(n,\) or \(n, k\), got \(20, 1, 4, 4\) and \(3,\)",
    ),
    "NaN target": (
        lambda: Task.from_tensors("r", train=(X, Y * float("nan")), test=(X, Y), targets="numbers"),
        "targets hold NaN",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_one_clear_line(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
