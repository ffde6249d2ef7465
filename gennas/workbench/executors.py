"""The executor that settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError, shown
from gennas.eval.base import Evaluator
from gennas.execution import Executor, FuturesExecutor, ProcessExecutor, RayExecutor, SerialExecutor
from gennas.execution.gpus import usable_cpus, usable_gpus
from gennas.registry import configured, import_object

if TYPE_CHECKING:
    from gennas.workbench.config import SearchConfig

__all__ = ["make_executor"]

_WORKERS = 2
_MOST_IN_A_POOL = 1024


def make_executor(config: SearchConfig, evaluator: Evaluator) -> Executor:
    """The executor of a search; its pool or cluster is there when this returns.

    Raises:
        ConfigError: an option that it does not take, a package that is not installed, or no room for a trial.
    """
    options = dict(config.executor_option)
    limits = {"time_limit": config.time_limit_s, "memory_limit_gb": config.memory_limit_gb}
    what = f"executor {config.executor!r}"
    found: Executor
    match config.executor:
        case "serial":
            found = configured(what, _serial, options, evaluator, config.time_limit_s)
        case "process":
            limits["workers"] = _processes(config, options)
            found = configured(what, ProcessExecutor, options, evaluator, **limits)
        case "futures":
            found = _futures(config, options, evaluator, limits)
        case "ray":
            limits["workers"] = config.workers if isinstance(config.workers, int) else None
            found = configured(what, RayExecutor, options, evaluator, **limits)
    return found


def _serial(evaluator: Evaluator, time_limit: float | None) -> SerialExecutor:
    return SerialExecutor(evaluator, time_limit)


def _processes(config: SearchConfig, options: dict[str, Any]) -> int:
    """How many; those of ``batch`` are started when there is something for them to do."""
    if config.workers == "batch":
        return len(usable_gpus(options["gpus"])) if options.get("gpus") is not None else usable_cpus()
    return config.workers or _WORKERS


def _futures(config: SearchConfig, options: dict[str, Any], evaluator: Evaluator, limits: dict[str, Any]) -> Executor:
    """The executor of a factory's pool; options that are not the executor's own go to the factory."""
    name = options.pop("factory", None)
    if not isinstance(name, str):
        raise ConfigError(
            "--executor futures needs --executor-option factory=my_pool.py:make, a function that returns a "
            f"concurrent.futures.Executor (docs/executors.md), got {shown(name)}."
        )
    if config.asynchronous and not isinstance(config.workers, int):
        raise ConfigError("--asynchronous keeps a pool full, whose size gennas does not know: say --workers N.")
    factory = import_object(name)
    own: dict[str, Any] = {key: options.pop(key) for key in ("isolated", "retries") if key in options}
    limits["workers"] = config.workers if isinstance(config.workers, int) else _MOST_IN_A_POOL

    def make() -> Any:
        try:
            return configured(f"the pool of {name}", factory, options)
        except ImportError as error:
            package = (error.name or "").partition(".")[0]
            install = "'gennas[dask]'" if package in ("dask", "distributed", "loky") else package or "it"
            raise ConfigError(f"The pool of {name} needs {package or error}: pip install {install}") from error

    return configured("executor 'futures'", FuturesExecutor, own, evaluator, make, **limits)  # type: ignore[no-any-return]
