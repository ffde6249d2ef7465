"""The audit by its settings: tables, models by file, transcripts, JSON; and the verb."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.errors import ConfigError, UnknownNameError
from gennas.models.llm import Decisions
from gennas.spaces import MacroChain, NASBench201
from gennas.testing.scripted_models import Follower, Ignorant
from gennas.workbench.llm_audit import AuditSettings, audit_model

SPACE = NASBench201()
DECISIONS = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)
MODEL = """
from gennas.models.llm import Decisions
from gennas.spaces import NASBench201
from gennas.testing.scripted_models import Follower

def follower(explore=0.2):
    space = NASBench201()
    return Follower(Decisions(space.schema, space.legal, space.completions), explore=explore)
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cells, better by what their operations are worth."""
    D = DECISIONS.unrank(range(15625))
    values = np.array([0.0, 3, 4, 6, 1])[D] @ np.array([3.0, 1, 2, 1, 2, 3]) + np.arange(15625) / 1e5
    texts = [SPACE.to_text(SPACE.architecture(row)) for row in D]
    path = tmp_path_factory.mktemp("tables") / "cells.csv"
    pd.DataFrame({"arch": texts, "val_acc": values, "latency_ms": 100 - values}).to_csv(path, index=False)
    return path


def settings(table: Path, model: Any, **options: Any) -> AuditSettings:
    return AuditSettings(table=str(table), model=model, **{"seeds": 3, "budget": 6, "questions": 5, **options})


def test_an_object_is_audited_and_everything_is_written(table: Path, tmp_path: Path) -> None:
    found = audit_model(settings(table, Follower(DECISIONS), out=tmp_path / "audit.json"))
    written = json.loads((tmp_path / "audit.json").read_text())
    assert written["metric"] == "val_acc" and written["asked"] == "choices" and written["table"] == "cells.csv"
    assert len(written["rows"]) == 3 * 7 and written["verdict"] == found.verdict
    assert found.gaps["feedback, inverted"].mean > 10


def test_less_may_be_better(table: Path) -> None:
    options = {"metric": "latency_ms", "conditions": ("named",), "questions": 0, "seeds": 2, "ask": "texts"}
    assert audit_model(settings(table, Follower(DECISIONS), **options)).of("named").mean() > 60


def test_a_transcript_is_not_asked_again(table: Path, tmp_path: Path) -> None:
    class Counting(Ignorant):
        calls = 0

        def choose(self, state: str, questions: Sequence[Any]) -> Any:
            type(self).calls += 1
            return super().choose(state, questions)

    model, where = Counting(DECISIONS), tmp_path / "answers.jsonl"
    first = audit_model(settings(table, model, transcript=where, conditions=("named", "anonymised")))
    calls = Counting.calls
    again = audit_model(settings(table, model, transcript=where, conditions=("named", "anonymised")))
    assert Counting.calls == calls > 0 and again.to_dict() == first.to_dict()


def test_a_table_that_does_not_cover_its_space_is_searched_within_its_rows(tmp_path: Path) -> None:
    space = MacroChain(max_depth=3, min_depth=2)
    archs = space.sample(200, np.random.default_rng(0)).unique()
    texts = [space.to_text(arch) for arch in archs]
    pd.DataFrame({"arch": texts, "val_acc": np.arange(len(texts)) / 10}).to_csv(tmp_path / "some.csv", index=False)
    model = Ignorant(Decisions(space.schema, space.legal, space.completions))
    options = {"space": space, "conditions": ("named", "anonymised"), "questions": 0}
    found = audit_model(settings(tmp_path / "some.csv", model, **options))
    assert len(found.rows) == 6 and not sum(row["repaired"] for row in found.rows)


def test_the_verb_prints_tables_of_80_columns(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "model.py").write_text(MODEL)
    words = ["llm", "audit", "--table", str(table), "--model", f"{tmp_path / 'model.py'}:follower", "--seeds", "3"]
    assert main([*words, "--model-option", "explore=0.1", "--budget", "6", "--questions", "4"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for text in ("recall, anonymised", "feedback, shuffled", "named − anonymised", "4 of 4 answered", '"explore": 0.1'):
        assert text in out
    assert "…" not in out


def test_bad_input_is_one_clear_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="Expected a table and a model"):
        AuditSettings(table=str(table))
    with pytest.raises(UnknownNameError, match="latency_ms"):
        audit_model(settings(table, Ignorant(DECISIONS), metric="latncy_ms"))
    (tmp_path / "meanings.yaml").write_text("none: [1, 2]\n")
    with pytest.raises(ConfigError, match="description of each operation"):
        audit_model(settings(table, Ignorant(DECISIONS), meanings=tmp_path / "meanings.yaml"))
    assert main(["llm", "audit", "--table", str(table), "--model", "vlm"]) == 2
    assert "Did you mean vllm" in capsys.readouterr().err
