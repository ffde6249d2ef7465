"""All trials in columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from gennas.report.data import RunData
from gennas.report.table import trial_table

MakeRun = Callable[..., RunData]


def test_columns_hold_every_trial(make_run: MakeRun) -> None:
    table = trial_table(make_run(), list("abcdef"))
    assert table["texts"] == list("abcdef")
    assert [table["statuses"][s] for s in table["status"]] == ["ok", "failed", "ok", "ok", "ok", "timeout"]
    assert [table["sources"][s] for s in table["source"]] == [
        "random", "random", "mutation", "mutation", "diffusion", "diffusion"
    ]  # fmt: skip
    assert table["metrics"][:2] == [
        {"name": "val", "values": [0.5, None, 0.7, 0.6, 0.9, None]},
        {"name": "test", "values": [0.49, None, 0.69, 0.59, 0.89, None]},
    ]
    assert table["seconds"] == [2] * 6
    assert set(table["errors"]) == {"2", "6"}


def test_numbers_are_short_and_finite(make_run: MakeRun) -> None:
    run = make_run()
    trial = replace(run.trials[0], metrics={"val": 1 / 3, "params": 1234567.0, "odd": float("inf")})
    table = trial_table(replace(run, trials=[trial]), ["a"])
    assert {m["name"]: m["values"] for m in table["metrics"]} == {"val": [0.333333], "odd": [None], "params": [1234567]}
    assert '"values": [1234567]' in json.dumps(table, allow_nan=False)


def test_an_empty_run_has_an_empty_table(make_run: MakeRun) -> None:
    assert trial_table(make_run(trials=[]), []) == {
        "texts": [], "statuses": [], "status": [], "sources": [], "source": [], "round": [], "metrics": [],
        "seconds": [], "errors": {},
    }  # fmt: skip
