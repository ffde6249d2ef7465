"""``gennas list``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.cli.main import main
from gennas.eval.tables import open_table
from gennas.registry import options_of
from gennas.spaces import make_space
from gennas.workbench.listing import KINDS, list_names, list_options


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lists_names_with_a_sentence(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    shown = capsys.readouterr().out
    names = list_names(kind)  # type: ignore[arg-type]
    assert all(name in shown for name, _ in names) and all(sentence for _, sentence in names)
    assert bool(names) == (kind != "evaluators")  # evaluators come from installed packages only


CASES = [(kind, name) for kind in ("spaces", "tasks", "strategies", "generators") for name, _ in list_names(kind)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_every_option_has_a_meaning(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, options = list_options(kind, name)  # type: ignore[arg-type]
    assert not [option.name for option in options if not option.meaning]
    assert main(["list", kind, name]) == 0
    shown = capsys.readouterr().out
    assert all(option.name in shown for option in options)


def test_defaults_and_meanings_are_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", "strategies", "regularized-evolution"]) == 0
    shown = capsys.readouterr().out
    assert "population_size" in shown and "50" in shown
    assert "objectives" not in shown.split("meaning")[1]  # what the program provides is no option
    assert max(map(len, shown.splitlines()[1:])) <= 80


def test_own_classes_are_explained_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine_listed.py").write_text(
        "from gennas.spaces import NASBench201\n\n\nclass Mine(NASBench201):\n"
        '    """Mine.\n\n    Args:\n        size: how big.\n    """\n\n'
        "    def __init__(self, size: int = 3):\n        super().__init__()\n"
    )
    assert main(["list", "spaces", f"{tmp_path}/mine_listed.py:Mine"]) == 0
    assert "how big." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["strategies", "randon"], "Did you mean random"),
        (["metrics", "x"], "no options"),
        (["spaces", "x:Y"], "Cannot import"),
    ],
)
def test_what_cannot_be_listed(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *words]) == 2
    assert complaint in capsys.readouterr().err


def test_given_arguments_are_those_that_strategies_have() -> None:
    from gennas.search import STRATEGIES

    for name in STRATEGIES:
        assert {"space", "objectives", "seed"} <= {option.name for option in options_of(STRATEGIES.get(name))}


def test_every_table_has_a_sentence_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = dict(list_names("tables"))
    assert len(set(found.values())) == len(found)
    assert all(name.partition("/")[0] in said for name, said in found.items())
    for name in ("nasbench-graph/cora", "nasbench-graph/proteins"):
        space = make_space("nasbench-graph").for_task(name.partition("/")[2])
        assert f"{len(open_table(name, space)):,}" in found[name]
    assert main(["list", "tables", "nasbench-graph/cora"]) == 0
    assert found["nasbench-graph/cora"] in capsys.readouterr().out
