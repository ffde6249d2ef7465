"""``gennas train --save`` and ``gennas export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gennas.cli.main import main

ARCH = "conv3x3-w8-s1/conv3x3-w8-s2"
SPACE = ["--space", "macro-chain", "--space-option", "max_depth=2", "--space-option", "widths=[8]", "--task", "digits"]


def run(*args: object) -> int:
    return main([str(a) for a in args])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "net.safetensors"
    measures = ["--measure", "ece,fgsm", "--measure-option", "epsilon=0.05"]
    assert run("train", ARCH, *SPACE, "--epochs", 1, *measures, "--save", path) == 0
    return path


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors", "source"])
def test_a_trained_network_is_exported_and_compared(to: str, weights: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"best": {"text": ARCH}}))
    out = tmp_path / f"net.{to}"
    assert run("export", tmp_path / "summary.json", *SPACE, "--to", to, "--weights", weights, "--out", out) == 0
    shown = capsys.readouterr().out
    assert "largest difference" in shown and "2, 1, 5 examples" in shown and "freshly" not in shown
    assert out.stat().st_size > 0


def test_source_takes_the_saved_weights(weights: Path, tmp_path: Path) -> None:
    assert run("export", ARCH, *SPACE, "--to", "source", "--weights", weights, "--out", tmp_path / "net.py") == 0
    scope: dict[str, object] = {}
    exec((tmp_path / "net.py").read_text(), scope)
    net = scope["ChainNetwork"]()  # type: ignore[operator]
    net.load_state_dict(load_file(weights))
    assert net(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    assert ARCH in (tmp_path / "net.py").read_text()


def test_train_prints_measures(capsys) -> None:
    assert run("train", ARCH, *SPACE, "--epochs", 1, "--measure", "ece,pgd") == 0
    shown = capsys.readouterr().out
    for name in ("val_ece", "test_ece", "val_pgd_accuracy", "test_pgd_accuracy", "measure_s"):
        assert name in shown


def test_a_search_optimises_a_robust_accuracy(tmp_path: Path, capsys) -> None:
    goals = ["--objective", "val_accuracy:max", "--objective", "val_pgd_accuracy:max"]
    measures = ["--measure", "pgd", "--measure-option", "epsilon=8/255", "--measure-option", "examples=100"]
    command = ["search", *SPACE, "--epochs", 1, *measures, *goals, "--strategy", "random", "--budget", 2]
    assert run(*command, "--out", tmp_path / "run") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 0 <= summary["best"]["metrics"]["val_pgd_accuracy"] <= summary["best"]["metrics"]["val_accuracy"] + 0.1
    assert summary["pareto"]
    capsys.readouterr()
    assert run(*command[:-2], "--budget", 2, "--measure-option", "steps=3", "--out", tmp_path / "run") == 2
    assert "measure_option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["search", "--task", "digits", "--measure", "pdg"], "Did you mean pgd"),
        (["search", "--task", "digits", "--measure-option", "steps=3"], "needs --measure"),
        (["search", "--task", "digits", "--measure", "pgd", "--measure-option", "step=3"], "steps"),
        (["search", "--space", "nasbench-graph", "--task", "cora", "--measure", "ece"], "drop --measure"),
        (["search", "--proxy", "params", "--measure", "ece", "--objective", "params"], "drop --measure"),
        (["search", "--task", "digits", "--objective", "val_pgd_accuracy"], "val_pgd_accuracy"),
        (["export", ARCH, *SPACE, "--to", "onnx"], "--out"),
        (["export", "nonsense", *SPACE, "--out", "x.onnx"], "conv3x3-w16-s1"),
        (["export", ARCH, *SPACE, "--weights", "missing.safetensors", "--out", "x.onnx"], "missing.safetensors"),
    ],
)
def test_bad_input_is_one_clear_line(args: list[str], reason: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and reason in lines[0], lines
    assert not list(tmp_path.iterdir())


def test_weights_of_another_architecture_are_refused_also_when_their_shapes_fit(
    weights: Path, tmp_path, capsys
) -> None:
    other = "conv3x3-w8-s2/conv3x3-w8-s1"
    assert run("export", other, *SPACE, "--weights", weights, "--out", tmp_path / "x.onnx") == 2
    assert ARCH in capsys.readouterr().err and not (tmp_path / "x.onnx").exists()


def test_the_winner_of_a_search_is_retrained_wider_and_exported(tmp_path: Path, capsys) -> None:
    found, weights = tmp_path / "run", tmp_path / "net.safetensors"
    assert run("search", *SPACE, "--epochs", 1, "--strategy", "random", "--budget", 2, "--out", found) == 0
    wider = ["--from", found, "--task", "digits", "--width", 2, "--depth", 2]
    assert run("train", *wider, "--epochs", 1, "--save", weights) == 0
    assert run("export", *wider, "--weights", weights, "--to", "onnx", "--out", tmp_path / "net.onnx") == 0
    assert "largest difference" in capsys.readouterr().out
    plain = ["--from", found, "--task", "digits", "--weights", weights, "--to", "pt2", "--out", tmp_path / "net.pt2"]
    assert run("export", *plain) == 2
    assert "another network" in capsys.readouterr().err
    assert run("export", "--from", found, "--space", "macro-chain", "--out", tmp_path / "net.onnx") == 2
    assert "Expected --from alone" in capsys.readouterr().err


TRANSFORMER = """
from torch import nn
from gennas.spaces import MacroChain

class Tokens(nn.Module):
    '''Rows of the image as tokens.'''

    def __init__(self, depth, classes, activation):
        super().__init__()
        make = lambda: nn.TransformerEncoderLayer(8, 2, 16, activation=activation, batch_first=True)
        self.blocks = nn.ModuleList([make() for _ in range(depth)])
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        x = x.flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.attention(x, x, x)[0].mean(1))

class Mine(MacroChain):
    activation = "gelu"

    def build(self, arch, spec):
        return Tokens(len(self.to_text(arch).split("/")), spec.num_outputs, self.activation)

class Odd(Mine):
    activation = staticmethod(nn.functional.silu)
"""


def test_a_transformer_from_a_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TRANSFORMER)
    small = ["--space-option", "max_depth=2", "--task", "digits"]
    command = ["export", "conv3x3-w16-s1/conv3x3-w16-s1", *small]
    assert run(*command, "--space", "mine.py:Mine", "--to", "source", "--out", "net.py") == 0
    assert "largest difference of outputs 0 on" in capsys.readouterr().out.replace("\n", " ")
    assert "nn.TransformerEncoderLayer(8, 2, dim_feedforward=16" in Path("net.py").read_text()
    assert run(*command, "--space", "mine.py:Odd", "--to", "source", "--out", "odd.py") == 2
    assert "Export to pt2 instead" in capsys.readouterr().err and not Path("odd.py").exists()
    assert run(*command, "--space", "mine.py:Odd", "--to", "pt2", "--out", "odd.pt2") == 0
