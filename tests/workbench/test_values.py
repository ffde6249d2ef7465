"""Values as people write them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import ConfigError
from gennas.workbench.values import load_yaml, parse_options, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5e1", 5.0),
        ("+2.e2", 200.0),
        ("1_000", 1000),
        ("true", True),
        ("null", None),
        ("", None),
        ("digits", "digits"),
        ("'1'", "1"),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01 10:00:00", "2020-01-01 10:00:00"),
        ("[3, 5]", [3, 5]),
        ("{random: 0.5, mutation: 1e-1}", {"random": 0.5, "mutation": 0.1}),
        ("1e400", float("inf")),
        ("e5", "e5"),
        ("1e", "1e"),
    ],
)
def test_texts_are_values(text: str, value: Any) -> None:
    found = read_value(text)
    assert found == value and type(found) is type(value)


def test_objects_of_python_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not determine a constructor"):
        parse_options([f"x=!!python/object/apply:pathlib.Path.touch [{tmp_path / 'mark'}]"])
    assert not (tmp_path / "mark").exists()


def test_options_are_read_in_order() -> None:
    found = parse_options(["num_cells=1", "lr=1e-3", "text=a=b", "empty="])
    assert list(found.items()) == [("num_cells", 1), ("lr", 0.001), ("text", "a=b"), ("empty", None)]
    assert parse_options([]) == {}


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (["lr"], "Expected KEY=VALUE, got 'lr'"),
        (["=1"], "Expected KEY=VALUE, got '=1'"),
        (["a b=1"], "Expected KEY=VALUE"),
        (["lr=1", "lr=2"], "'lr' is given twice: 1 and '2'; drop one"),
        (["x=[1, 2"], r"Cannot read the value of 'x=\[1, 2'"),
        (["x=" + "[" * 5000], "Cannot read the value of"),
        (["x=" + "9" * 5000], "Cannot read the value of"),
    ],
)
def test_what_is_no_option_is_one_short_line(pairs: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_options(pairs)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_file_of_settings(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("space: nasbench201\ntrain-option: {lr: 1e-3}\nwhen: 2020-01-01\n3: x\n")
    assert load_yaml(path) == {
        "space": "nasbench201", "train_option": {"lr": 0.001}, "when": "2020-01-01", "3": "x"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1, 2]", "expected a mapping of settings, got list"),
        (b"", "expected a mapping of settings, got NoneType"),
        (b"a: [", "Cannot read the configuration file"),
        (b"a: \xff\xfe", "Cannot read the configuration file"),
        (b"[" * 5000, "Cannot read the configuration file"),
        (None, "Cannot read the file"),
    ],
)
def test_a_file_that_holds_no_settings(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_yaml(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "more than 100,000 values"),
        ("a: &a {b: *a}\n", "a value that holds itself"),
        (f"a: 0x{'f' * 5000}\n", "a number of 20,000 bits"),
        (f"a: {'9' * 5000}\n", "4300 digits"),
        ("a: " + "[" * 5000, "nested deeper than 64 levels"),
        ("- " * 5000, "recursion"),
        ("# a comment\n" * 100_000, "holds more than 1 MiB"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
    ids=["repeated", "itself", "bits", "digits", "deep", "lists", "large", "code"],
)
def test_what_yaml_can_hide_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    start = time.process_time()
    with pytest.raises(ConfigError, match=message) as caught:
        load_yaml(path)
    assert time.process_time() - start < 5 and "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_anchors_that_repeat_little_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {lr: 1e-3}\nb: [*a, *a]\n")
    assert load_yaml(path) == {"a": {"lr": 0.001}, "b": [{"lr": 0.001}, {"lr": 0.001}]}


@pytest.mark.parametrize("piece", ["1", "1_", " ", "a", "[", "{a: ", "- ", "1:", '"a" ', "&a "])
def test_long_values_take_linear_time_and_are_quoted_briefly(piece: str) -> None:
    start = time.process_time()
    try:
        parse_options([f"k={piece * (20_000 // len(piece))}"])
    except ConfigError as error:
        assert len(str(error)) < 600
    assert time.process_time() - start < 4
