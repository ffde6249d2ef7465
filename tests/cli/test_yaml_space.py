"""A space in a YAML file on the command line: search, continue, change, and read without trust."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gennas.spaces import make_space
from gennas.workbench.settings import named_space
from gennas.workbench.trust import code_names

LAYERED = """
kind: layered
groups:
  - depth: [1, 2]
    layer:
      op: [conv, separable]
      width: [4, 6]
    modules:
      - $op: {width: $width, stride: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(LAYERED)
    return tmp_path / "tiny.yaml"


def test_a_search_can_be_continued_and_read(
    file: Path, tmp_path: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "search",
        "--space",
        file,
        "--task",
        "digits",
        "--strategy",
        "random",
        "--epochs",
        1,
        "--out",
        tmp_path / "r",
    ]
    assert run(*words, "--data-fraction", 0.1, "--budget", 2) == 0
    assert "tiny (20 architectures)" in capsys.readouterr().out
    assert run(*words, "--data-fraction", 0.1, "--budget", 3) == 0
    assert run("report", tmp_path / "r") == 0
    assert run("sample", "--space", file, "--n", 2) == 0
    capsys.readouterr()
    file.write_text(LAYERED.replace("stride: 2", "stride: 1"))  # the same texts, other networks
    assert run(*words, "--data-fraction", 0.1, "--budget", 4) != 0
    assert "Traceback" not in capsys.readouterr().err


def test_faults_are_one_line(file: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(LAYERED.replace("separable", "seperable"))
    assert run("sample", "--space", file, "--n", 2) != 0
    assert "unknown block on images 'seperable'. Did you mean separable" in " ".join(capsys.readouterr().err.split())
    assert run("sample", "--space", file, "--space-option", "width=3", "--n", 2) != 0
    assert "expected no options" in capsys.readouterr().err


@pytest.mark.parametrize("factor", ["--width", "--depth"])
def test_it_has_no_width_and_no_depth_fidelity(
    factor: str, file: Path, tmp_path: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--task", "digits", "--strategy", "random", "--epochs", 1, "--budget", 2, factor, 0.5]
    assert run("search", "--space", file, *words, "--out", tmp_path / "r") != 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"{file}: a space of kind: layered has no width or depth fidelity" in said and ".." not in said
    assert run("train", "--space", file, "--task", "digits", "--epochs", 1, factor, 0.5) != 0
    assert "has no width or depth fidelity" in " ".join(capsys.readouterr().err.split())


def test_it_is_data_and_no_code(file: Path) -> None:
    """Runs of somebody else's that name it are read without --trust; a made space is recorded by its file."""
    assert not code_names({"space": str(file)})
    assert named_space(make_space(str(file))) == str(file) and make_space(str(file)).options == {}


def test_joined_with_settings_of_the_training(file: Path, run: Callable[..., int]) -> None:
    space = make_space("joint", base=str(file), lr=[0.01, 0.1])
    again = make_space("joint", **make_space("joint", base=make_space(str(file)), lr=[0.01, 0.1]).options)
    assert space.size == 40 and again.identity == space.identity
