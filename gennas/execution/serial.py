"""The serial executor: one trial at a time, in this process."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gennas.eval.base import Evaluator
from gennas.execution.base import TimeLimit, run_trial
from gennas.execution.imports import is_importing, warm_up
from gennas.search.trial import Proposal, Trial

__all__ = ["SerialExecutor"]


class SerialExecutor:
    """Evaluates in the calling process, lazily: a trial runs when it is waited for.

    Args:
        evaluator: what scores the proposals.
        time_limit: seconds for one trial, enforced by an alarm signal between Python instructions;
            a single long call into compiled code ends only when it returns. The process executor
            has no such gap. Needs a Unix main thread; elsewhere the limit is not enforced here.
            What the evaluator's code imports is imported before the first clock starts
            (:func:`gennas.execution.imports.warm_up`); a trial that imports more when its time is over
            is let finish the import, and has its whole time from there.
    """

    capacity = 1

    def __init__(self, evaluator: Evaluator, time_limit: float | None = None) -> None:
        self.evaluator, self.time_limit = evaluator, time_limit
        self._queue: deque[Proposal] = deque()
        self._warm = time_limit is None

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal."""
        self._queue.append(proposal)

    def wait_any(self) -> Trial:
        """Evaluate the oldest queued proposal."""
        proposal = self._queue.popleft()
        if self.time_limit is None:
            return run_trial(self.evaluator, proposal)
        if not self._warm:
            warm_up(self.evaluator)
            self._warm = True
        try:
            with _alarm(self.time_limit):
                return run_trial(self.evaluator, proposal)
        except TimeLimit:
            error = f"exceeded the time limit of {self.time_limit:g} s"
            return Trial(proposal, "timeout", {}, {"seconds": self.time_limit}, error)

    def close(self) -> None:
        """Forget what is queued."""
        self._queue.clear()


_LOOK_AGAIN_S = 0.02


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    cut_short = False  # whether the clock ran out during an import

    def raise_limit(signum: int, frame: FrameType | None) -> None:
        nonlocal cut_short
        if is_importing(frame):
            cut_short = True
            signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN_S)
        elif cut_short:
            cut_short = False
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:
            raise TimeLimit

    previous = signal.signal(signal.SIGALRM, raise_limit)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
