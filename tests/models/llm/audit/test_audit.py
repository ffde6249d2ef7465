"""The audit tells models apart that memorised the table, follow feedback, or know nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.models.llm import Decisions
from gennas.models.llm.audit import CONDITIONS, Audit, audit
from gennas.spaces import NASBench101, NASBench201
from gennas.testing.scripted_models import Adversary, Follower, Ignorant, Memoriser, Oracle

SPACE = NASBench201()
DECISIONS = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)


def accuracy(D: np.ndarray) -> np.ndarray:
    """A table without ties: what operations are worth on each edge, and a little by the cell's number."""
    worth = np.array([0.0, 3.0, 4.0, 6.0, 1.0])
    numbers = (D * 5 ** np.arange(6)).sum(1)
    return worth[D] @ np.array([3.0, 1.0, 2.0, 1.0, 2.0, 3.0]) + (numbers * 7919 % 15625) / 1e4


ALL = DECISIONS.unrank(range(15625))
TABLE = accuracy(ALL)


def audited(model: Any, **options: Any) -> Audit:
    """On the table above, with little."""
    return audit(DECISIONS, model, accuracy, TABLE, **{"seeds": 8, "budget": 15, **options})


@pytest.mark.parametrize("asked", ["choices", "texts"])
def test_three_models_are_told_apart(asked: Any) -> None:
    memoriser, follower, ignorant = (
        audited(model, asked=asked)
        for model in (Memoriser(DECISIONS, ALL, TABLE), Follower(DECISIONS), Ignorant(DECISIONS))
    )
    for name in ("contamination", "recall"):
        assert memoriser.gaps[name].low > 30
        assert follower.gaps[name].low <= 0 and ignorant.gaps[name].low <= 0
    for name in ("feedback, shuffled", "feedback, inverted"):
        assert follower.gaps[name].low > 10
        assert memoriser.gaps[name].low <= 0 and ignorant.gaps[name].low <= 0
    assert memoriser.verbatim.excess.low > 70 > 1 > follower.verbatim.excess.high  # type: ignore[union-attr]
    assert [(a.has_memorised, a.follows_feedback) for a in (memoriser, follower, ignorant)] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert "knows this table" in memoriser.verdict and "; follows feedback" in follower.verdict
    assert abs(ignorant.of("recall").mean() - 50) < 6


def test_budgets_seeds_and_starts_are_equal_in_all_conditions() -> None:
    found = audited(Ignorant(DECISIONS), seeds=3, budget=7, batch=3, questions=0)
    assert found.conditions == list(CONDITIONS) and found.verbatim is None
    for name in CONDITIONS:
        assert [row["seed"] for row in found.rows if row["condition"] == name] == [0, 1, 2]
    shown = {row["labels"] - round(7 * row["new"]) for row in found.rows if "recall" not in row["condition"]}
    assert shown == {10} and {row["labels"] - round(7 * row["new"]) for row in found.rows} == {0, 10}


def test_what_is_better_may_be_less() -> None:
    up = audited(Follower(DECISIONS), questions=0, conditions=("named", "shuffled", "inverted"))
    down = audit(
        DECISIONS, Follower(DECISIONS), lambda D: -accuracy(D), -TABLE, maximise=False, seeds=8, budget=15,
        questions=0, conditions=("named", "shuffled", "inverted"),
    )  # fmt: skip
    assert up.follows_feedback and down.follows_feedback
    assert down.of("named").mean() > 60 > 40 > down.of("inverted").mean()


def test_an_oracle_and_an_adversary_need_neither_names_nor_feedback() -> None:
    """They cheat, as no model can that only sees symbols: by the question's own decisions, not by what is shown."""
    options = {"seeds": 3, "budget": 5, "questions": 0, "conditions": ("named",)}
    assert audited(Oracle(DECISIONS, accuracy), **options).of("named").mean() > 80
    assert audited(Adversary(DECISIONS, accuracy), **options).of("named").mean() < 20


def test_operations_without_a_description_leave_their_condition_out() -> None:
    space = NASBench101()
    decisions = Decisions(space.schema, space.legal, space.completions)
    names = [space.schema.label(t, int(s)) for t, row in enumerate(decisions.labels) for s in row]
    described = {name: f"what {i} does" for i, name in enumerate(dict.fromkeys(names))}
    options = {"seeds": 2, "budget": 2, "questions": 0, "conditions": ("named", "semantics")}
    full = audit(decisions, Ignorant(decisions), lambda D: D.sum(1), np.arange(30.0), meanings=described, **options)
    assert full.conditions == ["named", "semantics"] and not full.notes
    part = audit(
        Decisions(_strange(), None),
        Ignorant(Decisions(_strange(), None)),
        lambda D: D.sum(1),
        np.arange(9.0),
        **options,
    )
    assert part.conditions == ["named"] and "semantics: not measured, 2 operations" in part.notes[0]


def _strange() -> Any:
    """Nodes whose operations nobody knows."""
    from gennas.graph import GraphSchema

    edges = np.zeros((3, 3, 2), dtype=bool)
    edges[..., 0] = True
    return GraphSchema("strange", ("blorp", "glorp"), ("none", "e"), np.ones((3, 2), dtype=bool), edges)


def test_the_result_is_plain_values() -> None:
    found = audited(Ignorant(DECISIONS), seeds=2, budget=2, conditions=("named", "anonymised"))
    read = json.loads(json.dumps(found.to_dict()))
    assert read["gaps"]["contamination"]["n"] == 2 and len(read["rows"]) == 4 and read["verbatim"]["asked"] == 40


def test_senseless_sizes_and_unknown_conditions_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least two seeds"):
        audited(Ignorant(DECISIONS), seeds=1)
    with pytest.raises(UnknownNameError, match="Did you mean named"):
        audited(Ignorant(DECISIONS), conditions=("namd",))
    with pytest.raises(ConfigError, match="5 different values"):
        audit(DECISIONS, Ignorant(DECISIONS), lambda D: D[:, 0] * 0.0, np.zeros(9), seeds=2, budget=1, conditions=())
