"""The futures executor: trials in any pool that is a ``concurrent.futures.Executor``."""

from __future__ import annotations

import os
import pickle
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures import Executor as Pool
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from gennas.errors import ConfigError, GennasError
from gennas.eval.base import Evaluator
from gennas.execution.base import describe
from gennas.execution.lease import Lease
from gennas.execution.outcome import Outcome, trial_of
from gennas.execution.parcel import Parcel, packed
from gennas.execution.remote import UNOPENED, end_children, evaluate
from gennas.search.trial import Proposal, Trial

__all__ = ["FuturesExecutor"]


_SMALL = 2**17  # bytes of an evaluator that is sent with every trial


class FuturesExecutor:
    """Evaluates in a pool of the standard library, loky, dask, Parsl, mpi4py, executorlib, … by its ``submit``.

    Each trial runs in a process below the pool's worker (``isolated``), so that what it does to itself ends this trial
    only, on every engine in the same way: ``timeout`` and ``lost`` are what the process executor calls so. A pool that
    breaks is made anew, and what ran in it is evaluated again: together where trials are isolated, else one by one, so
    that the one that breaks pools is found; a trial that was in ``retries`` more breaks is ``lost``.

    Args:
        evaluator: what scores the proposals; it comes with each, or, where it is large, when a worker asks for it.
        pool: makes the pool: a function that returns an ``Executor``, or a context manager of one (a function under
            ``contextlib.contextmanager``), which is left at the end. Or a pool that is there already, which cannot be
            made anew, and is not shut down.
        workers: most trials that are in the pool at once.
        time_limit: seconds for one trial. It starts when its process has imported what the evaluator's code imports.
        memory_limit_gb: data-segment limit of the isolated process.
        isolated: evaluate below the worker; needs Linux or macOS. Without, there are no limits, and a trial that ends
            its process ends the worker.
        retries: how often a trial is evaluated again when its pool broke or its worker went away.

    Raises:
        ConfigError: ``workers`` is not positive, ``retries`` is negative, limits without isolation, no pool is made, or
            the evaluator does not pickle.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        pool: Pool | Callable[[], Any],
        workers: int = 2,
        time_limit: float | None = None,
        memory_limit_gb: float | None = None,
        isolated: bool = True,
        retries: int = 1,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Expected at least one worker, got {workers}.")
        refuse_limits(isolated, time_limit, memory_limit_gb)
        refuse_negative(retries=retries)
        self.capacity, self.retries = workers, retries
        self._make = pool if callable(pool) and not isinstance(pool, Pool) else None
        self._stack = ExitStack()
        self._pool: Any = pool if self._make is None else self._made()
        self._lease = Lease()
        self._parcel: Parcel = packed(
            evaluator,
            isolated=isolated,
            time_limit=time_limit,
            memory_limit_gb=memory_limit_gb,
            lease=self._lease.sign if isolated or self._make else None,
            driver=os.getpid(),
        )
        self._is_small = len(pickle.dumps(self._parcel)) <= _SMALL
        self._queue: deque[_Attempt] = deque()
        self._suspects: deque[_Attempt] = deque()  # in a pool that broke, to be evaluated alone
        self._running: dict[int, _Attempt] = {}
        self._done: queue.SimpleQueue[tuple[int, Future[Outcome]]] = queue.SimpleQueue()
        self._count = self._generation = 0

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal and start it if there is room."""
        self._queue.append(_Attempt(proposal, pickle.dumps(proposal)))
        self._dispatch()

    def wait_any(self) -> Trial:
        """Return the next finished, timed-out or lost trial."""
        while True:
            self._dispatch()
            number, future = self._done.get()
            attempt = self._running.pop(number)
            trial = self._judge(attempt, future)
            if trial is not None:
                return trial

    def close(self) -> None:
        """Forget what is queued, end what runs, and shut the pool down if it was made here."""
        for waiting in (self._queue, self._suspects):
            waiting.clear()
        for attempt in self._running.values():
            assert attempt.future is not None
            attempt.future.cancel()
        self._running.clear()
        self._lease.end()
        end_children(self._parcel.digest)
        self._stack.close()

    def _dispatch(self) -> None:
        while self._suspects and not self._running:
            self._start(self._suspects.popleft())
        while self._queue and not self._suspects and len(self._running) < self.capacity and not self._is_alone():
            self._start(self._queue.popleft())

    def _is_alone(self) -> bool:
        return any(attempt.is_suspect for attempt in self._running.values())

    def _start(self, attempt: _Attempt, with_parcel: bool = False) -> None:
        self._count += 1
        number, attempt.generation, attempt.begun = self._count, self._generation, time.monotonic()
        parcel = self._parcel if with_parcel or self._is_small else None
        try:
            future = self._pool.submit(evaluate, self._parcel.digest, attempt.payload, parcel)
        except (BrokenExecutor, RuntimeError) as error:  # it broke, or was shut down, before anybody looked
            future = Future()
            future.set_exception(error if isinstance(error, BrokenExecutor) else BrokenExecutor(str(error)))
        attempt.future = future
        self._running[number] = attempt
        future.add_done_callback(lambda done: self._done.put((number, done)))

    def _judge(self, attempt: _Attempt, future: Future[Outcome]) -> Trial | None:
        """The trial, or None where it is evaluated again."""
        try:
            outcome = future.result()
        except (Exception, CancelledError) as error:  # of the engine: a trial's own errors are outcomes
            return self._failed(attempt, error)
        if outcome.status == UNOPENED:
            self._start(attempt, with_parcel=True)
            return None
        return trial_of(outcome, attempt.proposal)

    def _failed(self, attempt: _Attempt, error: BaseException) -> Trial | None:
        is_broken = isinstance(error, BrokenExecutor)
        if is_broken and attempt.generation == self._generation and self._make is not None:
            self._generation += 1
            self._stack.close()
            self._pool = self._made()
        attempt.breaks += 1
        if attempt.breaks > self.retries or (is_broken and self._make is None):
            spent = {"seconds": time.monotonic() - attempt.begun}
            return Trial(attempt.proposal, "lost", {}, spent, f"the worker went away: {describe(error)}")
        if is_broken and not self._parcel.isolated:
            attempt.is_suspect = True
            self._suspects.append(attempt)
        else:
            self._queue.appendleft(attempt)
        return None

    def _made(self) -> Any:
        """A new pool, and what has to be done with it at the end."""
        assert self._make is not None
        try:
            made = self._make()
            if isinstance(made, Pool):
                self._stack.callback(_shut_down, made)
            elif hasattr(made, "__enter__"):
                made = self._stack.enter_context(made)
        except GennasError:
            raise
        except Exception as error:  # somebody else's code may raise anything
            raise ConfigError(f"The pool cannot be made, its factory raised {describe(error)}.") from error
        if not hasattr(made, "submit"):
            raise ConfigError(
                f"Expected the factory to return a concurrent.futures.Executor, got {type(made).__name__}; such as "
                "ProcessPoolExecutor(8), or client.get_executor() of dask."
            )
        return made


def refuse_limits(isolated: bool, time_limit: float | None, memory_limit_gb: float | None) -> None:
    """Refuse limits that nobody would keep.

    Raises:
        ConfigError: there are limits, but no process of its own that could be ended.
    """
    if not isolated and (time_limit is not None or memory_limit_gb is not None):
        raise ConfigError("Time and memory limits end a trial's own process: drop isolated=false, or the limits.")


def refuse_negative(**amounts: float) -> None:
    """Refuse amounts that are less than nothing, or NaN.

    Raises:
        ConfigError: one is.
    """
    for name, amount in amounts.items():
        if not amount >= 0:
            raise ConfigError(f"Expected {name} of 0 or more, got {amount}.")


@dataclass
class _Attempt:
    """A proposal on its way."""

    proposal: Proposal
    payload: bytes
    generation: int = 0
    breaks: int = 0
    begun: float = 0.0
    is_suspect: bool = False
    future: Future[Outcome] | None = None


def _shut_down(pool: Any) -> None:
    """Do not wait for what runs: it was told to end."""
    try:
        pool.shutdown(wait=False, cancel_futures=True)
    except TypeError:  # an engine that cancels by itself
        pool.shutdown(wait=False)
