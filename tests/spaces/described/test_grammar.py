"""Grammars from YAML: known sizes, and faults with the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from gennas.errors import ConfigError
from gennas.spaces import Hierarchical, Space, TaskSpec, make_space
from gennas.spaces.hierarchical.grammars import full_grammar, shared_grammar
from gennas.testing import SpaceContract

SMALL = """
kind: grammar
start: NET
max_depth: 4
width: 4
rules:
  NET: ["linear2(PART, PART)", "linear3(PART, down, PART)"]
  PART: [OP, "residual2(PART, PART, id)"]
  OP: [nor_conv_3x3, sep_conv_3x3, avg_pool]
"""


def space_of(text: str, folder: Path) -> Space:
    (folder / "nets.yml").write_text(text)
    return make_space(str(folder / "nets.yml"))


class TestSmall(SpaceContract):
    num_samples = 24
    specs = (TaskSpec("image", (1, 8, 8), 10),)

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self._folder = tmp_path

    def make_space(self) -> Space:
        return space_of(SMALL, self._folder)


def test_sizes(tmp_path: Path) -> None:
    small = space_of(SMALL, tmp_path)
    assert small.name == "nets" and small.size == 2 * (3 + 3 * 3) ** 2
    assert small.scaled(0.5).width == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["shared", "full"])
def test_hierarchical_nasbench201_as_a_file_has_its_size(name: str, tmp_path: Path) -> None:
    grammar = shared_grammar() if name == "shared" else full_grammar()
    rules = {symbol: [str(a.term) for a in found] for symbol, found in grammar.rules.items()}
    content = {"kind": "grammar", "start": "D2", "rules": rules, "shared": list(grammar.shared)}
    space = space_of(yaml.safe_dump(content), tmp_path)
    assert space.size == grammar.size
    if name == "shared":
        known = Hierarchical()
        text = known.to_text(known.sample(1, np.random.default_rng(0))[0])
        assert space.to_text(space.from_text(text)) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("avg_pool]", "avg_pol]", "Rule 'OP': unknown name 'avg_pol'. Did you mean avg_pool"),
        ("max_depth: 4", "max_depth: 0", "max_depth: input should be greater than or equal to 1, got 0"),
        ("max_depth: 4", "depth: 4", "depth: extra inputs are not permitted"),
        ("max_depth: 4", "", "'PART' leads back to itself: expected a bound, max_depth"),
        ("start: NET", "", "start: field required"),
        ("linear2(PART, PART)", "linear2(PART)", "expected 2 parts of linear2, got 1"),
    ],
)
def test_faults_are_one_clear_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        space_of(SMALL.replace(old, new), tmp_path)
    assert "nets.yml" in str(caught.value) and len(str(caught.value).splitlines()) == 1
