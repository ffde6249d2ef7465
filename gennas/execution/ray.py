"""The Ray executor: one Ray task per trial, on this machine or on a cluster."""

from __future__ import annotations

import os
import pickle
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gennas.errors import ConfigError, reason_of
from gennas.eval.base import Evaluator
from gennas.execution.futures import refuse_limits, refuse_negative
from gennas.execution.gpus import usable_cpus
from gennas.execution.lease import Lease
from gennas.execution.orphans import Sweeper
from gennas.execution.outcome import Outcome, trial_of
from gennas.execution.parcel import Parcel, packed
from gennas.execution.remote import UNOPENED, evaluate
from gennas.search.trial import Proposal, Trial

__all__ = ["RayExecutor"]

_GIB = 2**30


class RayExecutor:
    """Evaluates with Ray Core: one task per trial, with the resources of one trial.

    A cluster that this process joined before is used; else the one at ``address`` or ``RAY_ADDRESS``; else one is
    started on this machine, with room for ``workers`` trials, which ends with this process, however that ends. Each
    trial runs in a process below Ray's worker (``isolated``): what it does to itself is recorded as the process
    executor does, with the last lines of its log. Ray's own retries are off, because they repeat a trial with the
    memory that it had; a trial whose worker or machine went away is evaluated again ``retries`` times,
    one that ran out of memory once, with twice the memory (of the largest machine, where none was asked for, or twice
    the share of a GPU). What a user's code raises is never tried again.

    The user's modules travel by value (:func:`gennas.execution.parcel.sources`); gennas must be installed everywhere.

    Args:
        evaluator: what scores the proposals.
        workers: most trials in flight; None: as many as the cluster has room for.
        time_limit: seconds for one trial. It starts when its process has imported what the evaluator's code imports.
        memory_limit_gb: data-segment limit of the isolated process.
        address: of a cluster, such as ``auto`` or ``10.0.0.1:6379``.
        num_cpus: of one trial; they are logical, Ray counts them only.
        num_gpus: of one trial; a share such as .5 is counted, too, but not enforced. Each such trial has a new process.
        memory_gb: of one trial, counted when it is placed.
        resources: others of one trial, by name.
        runtime_env: of Ray, such as ``{pip: [...]}`` or ``{working_dir: .}``.
        isolated: evaluate below Ray's worker. Without, there are no limits and no logs, and a trial that ends its
            process counts as a worker that went away.
        retries: how often a trial is evaluated again when its worker or machine went away.
        autoscaling: the cluster may get machines that are not there yet; trials that no machine has room for wait.
        object_store_gb: of a cluster that is started.

    Raises:
        ConfigError: an amount is negative, Ray is not installed, no cluster answers, or no machine has room for one
            trial.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int | None = None,
        time_limit: float | None = None,
        memory_limit_gb: float | None = None,
        address: str = "",
        num_cpus: float = 1.0,
        num_gpus: float = 0.0,
        memory_gb: float | None = None,
        resources: Mapping[str, float] = {},
        runtime_env: Mapping[str, Any] = {},
        isolated: bool = True,
        retries: int = 1,
        autoscaling: bool = False,
        object_store_gb: float = 0.1,
    ) -> None:
        refuse_limits(isolated, time_limit, memory_limit_gb)
        amounts = {"num_cpus": num_cpus, "num_gpus": num_gpus, "memory_gb": memory_gb or 0, "retries": retries}
        refuse_negative(**amounts, **{f"resources {name}": amount for name, amount in resources.items()})
        self._ray = _imported()
        wanted = {"CPU": num_cpus, "GPU": num_gpus, "memory": (memory_gb or 0) * _GIB, **resources}
        self._wanted = {name: amount for name, amount in wanted.items() if amount}
        self._runtime_env, self.retries, self._isolated = dict(runtime_env), retries, isolated
        self._lease = Lease()
        parcel = packed(
            evaluator,
            isolated=isolated,
            fresh=num_gpus > 0,
            time_limit=time_limit,
            memory_limit_gb=memory_limit_gb,
            lease=self._lease.sign if isolated else None,
        )
        self._is_ours, self._sweeper = _join(self._ray, address, workers, num_cpus, object_store_gb)
        try:
            room = self._room(autoscaling)
        except ConfigError:
            self.close()
            raise
        self.capacity = workers or max(1, room)
        self._digest, self._parcel = parcel.digest, self._ray.put(parcel)
        calls = {"max_calls": 1} if num_gpus else {}  # memory of a GPU is free when its process has ended
        self._task = self._ray.remote(max_retries=0, retry_exceptions=False, **calls)(_evaluate)
        self._queue: deque[_Attempt] = deque()
        self._running: dict[Any, _Attempt] = {}

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal and hand it to Ray if there is room."""
        self._queue.append(_Attempt(proposal, pickle.dumps(proposal)))
        self._dispatch()

    def wait_any(self) -> Trial:
        """Return the next finished, timed-out or lost trial."""
        while True:
            self._dispatch()
            (ready, *_), _ = self._ray.wait(list(self._running), num_returns=1)
            attempt = self._running.pop(ready)
            trial = self._judge(attempt, ready)
            if trial is not None:
                return trial

    def close(self) -> None:
        """End what runs, and the cluster if it was started here."""
        self._lease.end()
        for reference in getattr(self, "_running", {}):
            self._ray.cancel(reference, force=True)
        if hasattr(self, "_queue"):
            self._queue.clear()
            self._running.clear()
        if self._is_ours:
            self._ray.shutdown()
        if self._sweeper is not None:
            self._sweeper.end()

    def _dispatch(self) -> None:
        while self._queue and len(self._running) < self.capacity:
            attempt = self._queue.popleft()
            attempt.begun = time.monotonic()
            task = self._task.options(**self._options(attempt.scale))
            reference = task.remote(self._digest, attempt.payload, [self._parcel], attempt.scale)
            self._running[reference] = attempt

    def _options(self, scale: float) -> dict[str, Any]:
        """What Ray is told of a task."""
        given = self._wanted if scale == 1 else self._more(scale)
        others = {name: amount for name, amount in given.items() if name not in ("CPU", "GPU", "memory")}
        return {
            "num_cpus": given.get("CPU", 0),
            "num_gpus": given.get("GPU", 0),
            "memory": given.get("memory"),
            "resources": others or None,
            "runtime_env": self._runtime_env or None,
        }

    def _more(self, scale: float) -> dict[str, float]:
        """Resources of a trial that ran out of memory, as far as a machine has them."""
        largest = max(self._machines(), key=lambda machine: machine.get("memory", 0.0))
        most = float(int(largest.get("memory", 0.0)))
        memory = min(self._wanted.get("memory", most) * scale, most)
        found = {**self._wanted, "memory": memory} if memory else dict(self._wanted)
        if 0 < found.get("GPU", 0) < 1:
            found["GPU"] = min(1.0, found["GPU"] * scale)
        return found

    def _judge(self, attempt: _Attempt, reference: Any) -> Trial | None:
        """The trial, or None where it is evaluated again."""
        errors = self._ray.exceptions
        spent = {"seconds": time.monotonic() - attempt.begun}
        try:
            outcome: Outcome = self._ray.get(reference)
        except errors.RayTaskError as error:  # before the evaluator was reached, such as a cluster without gennas
            return Trial(attempt.proposal, "failed", {}, spent, f"Ray's worker failed: {reason_of(error.cause)}")
        except errors.OutOfMemoryError as error:
            outcome = Outcome("failed", cost=spent, error=f"out of memory: {reason_of(error)}")
        except errors.RuntimeEnvSetupError as error:
            return Trial(attempt.proposal, "failed", {}, spent, f"runtime_env: {reason_of(error)}")
        except errors.RayError as error:
            if attempt.losses < self.retries:
                self._queue.appendleft(replace(attempt, losses=attempt.losses + 1))
                return None
            return Trial(attempt.proposal, "lost", {}, spent, f"the worker went away: {reason_of(error)}")
        seconds = attempt.spent + outcome.cost.get("seconds", 0.0)
        if attempt.scale == 1 and self._more_may_help(outcome):
            self._queue.appendleft(replace(attempt, scale=2.0, spent=seconds))
            return None
        return trial_of(replace(outcome, cost={**outcome.cost, "seconds": seconds}), attempt.proposal)

    def _more_may_help(self, outcome: Outcome) -> bool:
        """Whether it ran out of something that it can be given more of."""
        of_gpu = "CUDA" in outcome.error or outcome.error.startswith("OutOfMemoryError")
        return outcome.out_of_memory and (not of_gpu or 0 < self._wanted.get("GPU", 0) < 1)

    def _machines(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _room(self, autoscaling: bool) -> int:
        """How many trials the cluster has room for.

        Raises:
            ConfigError: none, so that Ray would wait for ever.
        """
        room = sum(
            min((int(m.get(name, 0) / amount) for name, amount in self._wanted.items()), default=usable_cpus())
            for m in self._machines()
        )
        if not room and not autoscaling:
            raise ConfigError(
                f"No machine of the Ray cluster has room for one trial, which asks for {_shown(self._wanted)}. They "
                f"have {'; '.join(_shown(m) for m in self._machines())}. Ask for less, or give autoscaling=true."
            )
        return room


@dataclass
class _Attempt:
    """A proposal on its way."""

    proposal: Proposal
    payload: bytes
    scale: float = 1.0
    losses: int = 0
    spent: float = 0.0  # seconds, of an attempt before that ran out of memory
    begun: float = 0.0


def _evaluate(digest: str, proposal: bytes, parcels: list[Any], scale: float) -> Outcome:
    """Body of a task; a worker fetches the parcel once."""
    outcome = evaluate(digest, proposal, None, scale)
    if outcome.status == UNOPENED:
        import ray

        parcel: Parcel = ray.get(parcels[0])
        outcome = evaluate(digest, proposal, parcel, scale)
    return outcome


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--executor ray needs Ray: pip install 'gennas[ray]'") from error
    return ray


def _join(
    ray: Any, address: str, workers: int | None, num_cpus: float, object_store_gb: float
) -> tuple[bool, Sweeper | None]:
    """Join a cluster, or start one; whether this connection is ours to end, and what ends it if we are killed.

    Raises:
        ConfigError: no cluster answers at the address.
    """
    if ray.is_initialized():
        return False, None
    address = address or os.environ.get("RAY_ADDRESS", "")
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if address and address != "local":
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"No Ray cluster answers at {address} ({reason_of(error)}); start one with ray start --head, or leave "
                "address and RAY_ADDRESS out."
            ) from error
        return True, None
    cpus = max(1, round(workers * num_cpus)) if workers else max(usable_cpus(), round(num_cpus))
    memory = max(int(object_store_gb * _GIB), 80 * 2**20)  # Ray takes no less
    sweeper = Sweeper()  # the agents of Ray's node do not notice that it was killed
    ray.init(address="local", num_cpus=cpus, object_store_memory=memory, include_dashboard=False, **quiet)
    return True, sweeper


def _shown(resources: Mapping[str, float]) -> str:
    """Resources as a person reads them."""
    kept = {n: a for n, a in resources.items() if not n.startswith(("node:", "object_store_memory"))}
    return ", ".join(f"{a / _GIB:.3g} GiB of memory" if n == "memory" else f"{a:g} {n}" for n, a in kept.items())
