"""The process executor: trials in worker processes that may crash, hang or run out of memory."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import pickle
import signal
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator
from gennas.execution.base import run_trial
from gennas.execution.gpus import on_gpu, usable_gpus
from gennas.execution.imports import warm_up
from gennas.execution.parcel import sources
from gennas.execution.parent import end_group, exit_with
from gennas.registry import import_user_files, user_files
from gennas.runtime.quiet import hush_if_asked
from gennas.search.trial import Proposal, Status, Trial

__all__ = ["ProcessExecutor"]


class ProcessExecutor:
    """Evaluates in ``workers`` spawned processes, one trial each at a time.

    A trial that exceeds ``time_limit`` is ended with its worker (status ``timeout``); a worker that
    dies ends its trial only (status ``lost``); a new worker takes its place in both cases.

    Args:
        evaluator: what scores the proposals; it is sent to every worker once and must pickle.
        workers: number of processes.
        time_limit: seconds for one trial. It starts when the worker has imported what the evaluator's code imports
            (:func:`gennas.execution.imports.warm_up`).
        memory_limit_gb: data-segment limit of each worker on Unix; beyond it allocations fail and
            the trial ends as out of memory.
        gpus: ``all`` GPUs, or a list of them; each worker sees one, in turn, as its number 0. None: every worker sees
            all.

    Raises:
        ConfigError: ``workers`` is not positive, there are no GPUs, or the evaluator does not pickle.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int = 2,
        time_limit: float | None = None,
        memory_limit_gb: float | None = None,
        gpus: str | int | Sequence[str | int] | None = None,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Expected at least one worker, got {workers}.")
        self.capacity, self.time_limit = workers, time_limit
        self._memory_limit, self._parcel = memory_limit_gb, _packed(evaluator)
        self._gpus: tuple[str | None, ...] = (None,) if gpus is None else usable_gpus(gpus)
        self._queue: deque[Proposal] = deque()
        self._workers: list[_Worker] = []

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal and start it if a worker is free."""
        self._queue.append(proposal)
        self._dispatch()

    def wait_any(self) -> Trial:
        """Return the next finished, timed-out or lost trial."""
        while True:
            self._dispatch()
            busy = [w for w in self._workers if w.proposal is not None]
            first = min(w.deadline for w in busy)
            timeout = max(0.0, first - time.monotonic()) if math.isfinite(first) else None
            ready = wait([w.connection for w in busy], timeout)
            for worker in busy:
                if worker.connection in ready:
                    return self._collect(worker)
            for worker in busy:
                if time.monotonic() >= worker.deadline:
                    return self._end(worker, "timeout", f"exceeded the time limit of {self.time_limit:g} s")

    def close(self) -> None:
        """End all workers."""
        self._queue.clear()
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _dispatch(self) -> None:
        while self._queue:
            free = next((w for w in self._workers if w.proposal is None), None)
            if free is None and len(self._workers) < self.capacity:
                free = _Worker(self._parcel, self._memory_limit, self.time_limit is not None, self._free_gpu())
                self._workers.append(free)
            if free is None:
                return
            free.start(self._queue.popleft(), self.time_limit)

    def _free_gpu(self) -> str | None:
        """The GPU that fewest workers have."""
        taken = Counter(worker.gpu for worker in self._workers)
        return min(self._gpus, key=lambda gpu: taken[gpu])

    def _collect(self, worker: _Worker) -> Trial:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            return self._end(worker, "lost", f"the worker process died (exit code {worker.process.exitcode})")
        if isinstance(answer, _Ready):  # start-up is not charged to the first trial's limit
            worker.begin(self.time_limit)
            return self.wait_any()
        worker.proposal = None
        return answer  # type: ignore[no-any-return]

    def _end(self, worker: _Worker, status: Status, error: str) -> Trial:
        proposal = worker.proposal
        assert proposal is not None  # only busy workers are ended
        seconds = max(0.0, time.monotonic() - worker.started)
        worker.kill()
        self._workers.remove(worker)
        return Trial(proposal, status, {}, {"seconds": seconds}, error)


class _Ready:
    """What a worker sends once it has loaded everything."""


class _Worker:
    """One process and the proposal it is working on."""

    def __init__(self, parcel: _Parcel, memory_limit_gb: float | None, warm: bool, gpu: str | None) -> None:
        context = mp.get_context("spawn")
        self.connection, remote = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_work, args=(remote, parcel, memory_limit_gb, warm, os.getpid()), daemon=True, name="gennas-worker"
        )
        self.gpu = gpu
        with on_gpu(gpu):
            self.process.start()
        remote.close()
        self.proposal: Proposal | None = None
        self.started, self.deadline = time.monotonic(), float("inf")
        self._ready = False

    def start(self, proposal: Proposal, time_limit: float | None) -> None:
        self.proposal = proposal
        with suppress(OSError):  # a worker that is already dead is found, and its trial lost, by wait_any
            self.connection.send(proposal)
        if self._ready:
            self.begin(time_limit)
        else:
            self.deadline = float("inf")

    def begin(self, time_limit: float | None) -> None:
        self._ready, self.started = True, time.monotonic()
        self.deadline = float("inf") if time_limit is None else self.started + time_limit

    def kill(self) -> None:
        """End the process, and what it started."""
        if self._ready:  # it leads a group
            end_group(self.process.pid or 0)
        self.process.kill()
        self.process.join(5)
        self.connection.close()


_Parcel = tuple[tuple[str, ...], bytes]  # the user's files that it needs, and the pickled evaluator


def _packed(evaluator: Evaluator) -> _Parcel:
    try:
        content = pickle.dumps(evaluator)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The evaluator cannot be sent to a worker process ({error}). Define it, its space and its data at "
            "the top level of a module or file, or use the serial executor."
        ) from error
    needed = {source.file for source in sources(content)}
    return tuple(file for file in user_files() if file in needed), content


def _work(connection: Connection, parcel: _Parcel, memory_limit_gb: float | None, warm: bool, driver: int) -> None:
    """Body of a worker: answer proposals until the driver goes away."""
    exit_with(driver)
    hush_if_asked()
    import_user_files(parcel[0])
    evaluator = pickle.loads(parcel[1])  # the driver's own
    if warm:
        warm_up(evaluator)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    if memory_limit_gb is not None and os.name == "posix":
        import resource

        limit = int(memory_limit_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with suppress(EOFError, ConnectionError):  # the driver is gone, or has enough
        connection.send(_Ready())
        while True:
            connection.send(run_trial(evaluator, connection.recv()))
