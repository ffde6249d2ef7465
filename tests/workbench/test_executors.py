"""Executors as settings name them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import ConfigError
from gennas.execution import FuturesExecutor, ProcessExecutor, SerialExecutor
from gennas.execution.gpus import usable_cpus
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator
from gennas.workbench.config import SearchConfig
from gennas.workbench.executors import make_executor
from gennas.workbench.run import search

SPACE = NASBench201()
EVALUATOR = SyntheticEvaluator(SPACE.schema)
POOL = """
from concurrent.futures import ThreadPoolExecutor
def make(size: int = 2):
    return ThreadPoolExecutor(size)
def number():
    return 3
def on_dask():
    import distributed
def broken():
    raise RuntimeError("no pool today")
class Closed:
    def __enter__(self):
        raise OSError("no scheduler here")
    def __exit__(self, *error):
        pass
"""


def made(**settings: Any) -> Any:
    return make_executor(SearchConfig.from_dict(settings), EVALUATOR)


@pytest.fixture
def pool(tmp_path: Path) -> str:
    (tmp_path / "my_pool.py").write_text(POOL)
    return str(tmp_path / "my_pool.py")


def test_workers_follow_the_batch_or_are_counted() -> None:
    assert isinstance(made(), SerialExecutor)
    assert isinstance(made(executor="process"), ProcessExecutor) and made(executor="process").capacity == 2
    assert made(executor="process", workers=5).capacity == 5
    assert made(executor="process", workers="batch").capacity == usable_cpus()
    assert made(executor="process", workers="batch", executor_option={"gpus": [0, 1, 5]}).capacity == 3


@pytest.mark.parametrize("workers", [0, True, 1.5, "many"])
def test_other_workers_are_refused(workers: object) -> None:
    with pytest.raises(ConfigError, match=r"expected (a whole number or batch|at least 1), got"):
        SearchConfig.from_dict({"workers": workers})


def test_a_search_in_a_pool_of_the_users(pool: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"space": SPACE, "evaluator": EVALUATOR, "strategy": "random", "objective": "score:max"}
    options = {"factory": f"{pool}:make", "size": 3, "isolated": False}
    run = search(**settings, budget=40, executor="futures", executor_option=options, out=tmp_path / "run", report=False)
    serial = search(**settings, budget=40, out=tmp_path / "serial", report=False)
    assert [(t.arch.key, t.metrics) for t in run.result.trials] == [
        (t.arch.key, t.metrics) for t in serial.result.trials
    ]
    assert run.config.config_hash == serial.config.config_hash, "where trials run is no part of what a run is"


def test_options_of_the_pool_are_checked(pool: str) -> None:
    executor = made(executor="futures", executor_option={"factory": f"{pool}:make", "size": 7, "isolated": False})
    assert isinstance(executor, FuturesExecutor) and executor._pool._max_workers == 7
    executor.close()
    with pytest.raises(ConfigError, match=r"Unknown option 'sise' of the pool of .*Did you mean size"):
        made(executor="futures", executor_option={"factory": f"{pool}:make", "sise": 7})
    with pytest.raises(ConfigError, match=r"concurrent\.futures\.Executor, got int"):
        made(executor="futures", executor_option={"factory": f"{pool}:number"})
    for name, reason in (("broken", "RuntimeError: no pool today"), ("Closed", "OSError: no scheduler here")):
        with pytest.raises(ConfigError, match=f"its factory raised {reason}"):
            made(executor="futures", executor_option={"factory": f"{pool}:{name}"})
    with pytest.raises(ConfigError, match=r"factory=my_pool\.py:make"):
        made(executor="futures")
    with pytest.raises(ConfigError, match="say --workers N"):
        made(executor="futures", executor_option={"factory": f"{pool}:make"}, asynchronous=True)
    with pytest.raises(ConfigError, match="Unknown option 'gpus' of executor 'serial'"):
        made(executor_option={"gpus": "all"})


def test_without_the_extras_one_line_says_what_to_install(pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError) as ray:
        made(executor="ray")
    assert str(ray.value) == "--executor ray needs Ray: pip install 'gennas[ray]'"
    with pytest.raises(ConfigError) as dask:
        made(executor="futures", executor_option={"factory": f"{pool}:on_dask"})
    assert "\n" not in str(dask.value) and str(dask.value).endswith("distributed: pip install 'gennas[dask]'")


TINY = {"round_size": 64, "warm_start": 64, "pool_size": 128}
LEARNED = {**TINY, "unlabelled": 64, "pretrain_steps": 1, "refit_steps": 1, "surrogate": "forest"}


@pytest.mark.parametrize(("strategy", "options"), [("bayesian", TINY), ("generative", LEARNED)])
def test_rounds_of_64_stay_whole_and_distinct(
    strategy: str, options: dict[str, Any], pool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight: list[int] = []
    submit = FuturesExecutor.submit

    def noting(executor: FuturesExecutor, proposal: Any) -> None:
        submit(executor, proposal)
        in_flight.append(len(executor._running))

    monkeypatch.setattr(FuturesExecutor, "submit", noting)
    run = search(
        space=SPACE, evaluator=EVALUATOR, strategy=strategy, objective="score:max", strategy_option=options, budget=128,
        executor="futures", executor_option={"factory": f"{pool}:make", "size": 4, "isolated": False},
        out=tmp_path / "run", report=False,
    )  # fmt: skip
    keys = [t.arch.key for t in run.result.trials]
    assert len(set(keys)) == 128, "two rounds of 64 different architectures, the second one chosen"
    assert max(in_flight) == 64, "workers follow the batch"


@pytest.mark.parametrize(
    ("executor", "option", "reason"),
    [
        ("futures", {"retries": -1}, "retries of 0 or more, got -1"),
        ("ray", {"retries": -1}, "retries of 0 or more, got -1"),
        ("ray", {"memory_gb": -1}, "memory_gb of 0 or more, got -1"),
        ("ray", {"num_gpus": float("nan")}, "num_gpus of 0 or more, got nan"),
        ("ray", {"resources": {"tpu": -2}}, "resources tpu of 0 or more, got -2"),
    ],
)
def test_amounts_are_not_negative(pool: str, executor: str, option: dict[str, Any], reason: str) -> None:
    factory = {"factory": f"{pool}:make"} if executor == "futures" else {}
    with pytest.raises(ConfigError, match=reason):
        made(executor=executor, executor_option=factory | option)
