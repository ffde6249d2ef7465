"""Tasks on text: Python's own source, and a user's files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS, part_of_name
from gennas.training.datasets._python import by_part, read_files, stdlib_folder
from gennas.training.datasets.tagging import TAGS, label_characters, read_conll


def test_stdlib_is_split_by_file_and_names_its_corpus() -> None:
    files = read_files(stdlib_folder())
    parts = by_part(files)
    assert sum(map(len, parts.values())) == len(files) > 100 and all(parts.values())
    assert files["ast.py"] in parts[part_of_name("ast.py")]
    task = make_task("stdlib")
    assert task.spec.vocabulary == task.spec.num_outputs == 96 and task.spec.input_shape == (64,)
    assert task.data.num_batches("train", 32) * task.config.epochs == 400
    assert len(next(task.data.batches("validation", 999)).y) == 256
    assert task.vocabulary is not None
    start = "".join(task.vocabulary.decode(task.data.tokens["train"][:200].tolist()))  # type: ignore[attr-defined]
    assert start == parts["train"][0][:200]
    assert make_task("stdlib", context=32).split != task.split == make_task("stdlib").split
    with pytest.raises(ConfigError, match="context of 1 to"):
        make_task("stdlib", context=10**9)


def test_a_python_without_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="comes without its source"):
        read_files(tmp_path)


def test_characters_are_labelled_as_tokenize_says() -> None:
    source = 'if x == 10:  # ten\n    y = "a b"\n'
    labels = [TAGS[i][0] for i in label_characters(source).tolist()]
    assert "".join(labels) == "KKONOOOONNOOOCCCCCOOOOONOOOSSSSSO"
    assert label_characters("x = (").tolist()[:1] == [TAGS.index("NAME")], (
        "a text that is cut off is read as far as it goes"
    )
    task = make_task("python-tokens")
    counts = torch.bincount(task.data.labels("train").flatten().long(), minlength=len(TAGS))
    assert bool((counts > 0).all()) and [task.data.labels(p).shape[1] for p in PARTS] == [64] * 3


def test_text_files_are_cut_into_three(tmp_path: Path) -> None:
    text = "abcdefghij" * 100
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    task, packed = (make_task("text-file", path=str(tmp_path / name), context=8) for name in ("a.txt", "a.txt.gz"))
    assert [len(task.data.tokens[part]) for part in PARTS] == [800, 100, 100]  # type: ignore[attr-defined]
    assert task.split == packed.split and task.name == "text-file:a.txt" and task.spec.vocabulary == 11
    for name, content, message in (
        ("none.txt", None, "could not read"),
        ("empty.txt", b"", "empty one"),
        ("bytes.txt", b"\xff\xfe\x00", "UTF-8"),
        ("short.txt", b"abcdefghijk", "context of 64 is longer than the corpus"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            make_task("text-file", path=str(tmp_path / name))


CONLL = """-DOCSTART- -X- O O

EU NNP B-ORG
rejects VBZ O
German JJ B-MISC

Peter NNP B-PER
Blackburn NNP I-PER
"""


def test_conll_files(tmp_path: Path) -> None:
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text(CONLL * 4)
    test.write_text(CONLL)
    words, tags = read_conll(test)
    assert words == [["EU", "rejects", "German"], ["Peter", "Blackburn"]] and tags[1] == ["B-PER", "I-PER"]
    task = make_task("conll", train=str(train), test=str(test))
    assert task.spec.input_shape == (3,) and task.spec.num_outputs == 5 and task.primary.name == "val_span_f1"
    assert task.data.labels("test").shape == (2, 3)
    for content, message in (
        ("\n\n", "got an empty corpus"),
        ("word\n", "line 1: expected a word and its tag, got 'word'"),
    ):
        test.write_text(content)
        with pytest.raises(ConfigError, match=message):
            make_task("conll", train=str(train), test=str(test))
    test.write_text("x B-NEW\n")
    with pytest.raises(ConfigError, match="label 'B-NEW' is not in the training part"):
        make_task("conll", train=str(train), test=str(test))


def test_csv_files(tmp_path: Path) -> None:
    path = tmp_path / "mail.csv"
    path.write_text("text,label\n" + "\n".join(f"buy now {i},spam\nsee you {i},ham" for i in range(10)))
    task = make_task("text-csv", path=str(path), length=6)
    assert task.spec.kind == "text" and task.spec.input_shape == (6,) and task.spec.num_outputs == 2
    assert [len(task.data.labels(part)) for part in PARTS] == [12, 4, 4]
    assert make_task("text-csv", path=str(path), words=True).spec.input_shape == (128,)
    for content, message in (
        ("a,b\n1,2\n", "expected a column 'text', got a, b"),
        ("text,label\n,x\n", "row 0, got an empty one"),
        ("text,label\nhi,x\nyou,y\n", "class 'x' has 1 texts, expected 3 or more"),
    ):
        path.write_text(content)
        with pytest.raises(ConfigError, match=message):
            make_task("text-csv", path=str(path))
    with pytest.raises(ConfigError, match="could not read"):
        make_task("text-csv", path=str(tmp_path / "none.csv"))


def test_snippets_of_a_package_are_split_by_file() -> None:
    task = make_task("stdlib-packages")
    assert [torch.bincount(task.data.labels(part)).tolist() for part in PARTS] == [[250] * 8, [60] * 8, [60] * 8]
