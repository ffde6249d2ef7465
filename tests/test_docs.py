"""Every Python example in README and docs runs, every docstring example holds, every command is real."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import gennas

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "example"}
    for block in blocks(page, "python"):  # one after the other: later blocks may use earlier ones
        exec(compile(block, page.name, "exec"), scope)


def commands() -> list[str]:
    lines = []
    for page in PAGES:
        for block in blocks(page, "bash"):
            lines += [line for line in block.replace("\\\n", " ").splitlines() if line.startswith("gennas ")]
    return lines


@pytest.mark.parametrize("line", commands())
def test_commands_parse(line: str) -> None:
    from gennas.cli.main import VERBS, named_verb
    from gennas.cli.parse import parse

    verb, args = named_verb(shlex.split(line, comments=True)[1:])
    assert isinstance(parse(verb, VERBS[verb], args), VERBS[verb].settings)


def test_examples_of_the_overview_parse() -> None:
    from gennas.cli.main import VERBS, named_verb
    from gennas.cli.parse import parse

    for name, verb in VERBS.items():
        found, words = named_verb(shlex.split(verb.example)[1:])
        assert found == name and isinstance(parse(name, verb, words), verb.settings)


def modules() -> list[str]:
    found = pkgutil.walk_packages(gennas.__path__, "gennas.")
    return [m.name for m in found if m.name != "gennas.__main__"]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_the_example_in_the_readme_is_short() -> None:
    first = blocks(ROOT / "README.md", "python")[0]
    assert len(first.strip().splitlines()) <= 15
    for block in blocks(ROOT / "README.md", "python") + blocks(ROOT / "README.md", "bash"):
        assert len(block.strip().splitlines()) <= 30


def test_the_tables_of_what_exists_are_complete() -> None:
    from gennas.search import STRATEGIES
    from gennas.spaces import SPACES

    text = (ROOT / "README.md").read_text()
    for name in [*SPACES, *STRATEGIES]:
        assert f"`{name}`" in text
