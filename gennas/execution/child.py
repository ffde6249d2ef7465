"""One process below a worker of any engine, that evaluates its trials and may crash, hang or run out of memory."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from gennas.errors import ConfigError
from gennas.execution.outcome import Outcome
from gennas.execution.parent import end_group, exit_with
from gennas.runtime.quiet import hush_if_asked
from gennas.runtime.secrets import masked

if TYPE_CHECKING:
    from gennas.execution.parcel import Parcel

__all__ = ["IDLE_S", "Child", "main"]

IDLE_S = 60.0
"""Seconds after which a process without a trial ends by itself."""

_LOOK_S = 0.5
_LINES, _LETTERS = 8, 600
_READY = b"ready"
_END = "\0end of what was written\0"  # behind the lines of a trial that failed, for whoever reads them
_WAIT_S = 2.0  # for it, on a busy machine


class Child:
    """A process that was started for a parcel and evaluates one trial at a time.

    It ends with the process that started it, and what it started itself ends with it.

    Args:
        parcel: what it evaluates with.
        scale: by which the memory limit is multiplied.

    Raises:
        ConfigError: the system has no process groups.
    """

    def __init__(self, parcel: Parcel, scale: float = 1.0) -> None:
        if os.name != "posix":
            raise ConfigError("Trials in processes of their own need Linux or macOS; use the process executor.")
        limit = parcel.memory_limit_gb
        self._parcel = replace(parcel, memory_limit_gb=None if limit is None else limit * scale)
        ours, theirs = os.pipe(), os.pipe()  # there and back: (read, write)
        self._out, self._in = Connection(ours[1], readable=False), Connection(theirs[0], writable=False)
        words = [json.dumps(sys.path), str(ours[0]), str(theirs[1]), str(os.getpid())]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(ours[0], theirs[1]), process_group=0,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._read_all = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True, name="gennas-log")
        self._reader.start()
        self._started, self.used = False, time.monotonic()

    def run(self, proposal: bytes) -> Outcome:
        """Evaluate a pickled proposal, and wait for it, or for its time to be over."""
        self._lines.clear()
        self._read_all.clear()
        try:
            if not self._started:
                self._out.send(self._parcel)
                answer = self._receive(None, time.monotonic())
                if answer is not None:  # it could not be opened
                    return answer
                self._started = True
            self._out.send_bytes(proposal)
        except BrokenPipeError:  # it died, which is found where it should answer
            pass
        start = time.monotonic()
        outcome = self._receive(self._parcel.time_limit, start) or Outcome("lost", error="the trial gave no answer")
        self.used = time.monotonic()
        if outcome.status != "ok":
            if outcome.status == "failed":
                self._read_all.wait(_WAIT_S)  # what it wrote may come later than its answer
            return replace(outcome, log=masked(self._log()))
        return outcome

    @property
    def lives(self) -> bool:
        """Whether it can take a trial."""
        return self._process.poll() is None and time.monotonic() - self.used < IDLE_S / 2

    def end(self) -> None:
        """Kill it and what it started."""
        end_group(self._process.pid)
        self._process.wait()
        self._out.close()
        self._in.close()

    def _receive(self, limit: float | None, start: float) -> Outcome | None:
        """Its answer; None: it is ready."""
        lease = self._parcel.lease
        watched = lease is not None and lease.is_visible
        while True:
            left = float("inf") if limit is None else start + limit - time.monotonic()
            try:
                if self._in.poll(max(0.0, min(left, _LOOK_S))):
                    answer = self._in.recv_bytes()
                    found: Outcome | None = None if answer == _READY else pickle.loads(answer)
                    return found
            except (EOFError, OSError):
                return self._died(start)
            seconds = {"seconds": time.monotonic() - start}
            if left <= 0:
                self.end()
                return Outcome("timeout", cost=seconds, error=f"exceeded the time limit of {limit:g} s")
            if watched and lease is not None and not lease.is_wanted:
                self.end()
                return Outcome("lost", cost=seconds, error="the driver has ended")

    def _died(self, start: float) -> Outcome:
        code = self._process.wait()
        end_group(self._process.pid)
        self._reader.join(0.2)
        error = f"the worker process died (exit code {code})"
        return Outcome("lost", cost={"seconds": time.monotonic() - start}, error=error, killed=code == -signal.SIGKILL)

    def _read(self) -> None:
        """Pass what it writes on, and remember the last lines."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text, end, _ = line.decode("utf-8", "replace").partition(_END)
            if text.strip():
                self._lines.append(" ".join(text.rpartition("\r")[2].split()) or text.strip())
            with suppress(OSError, ValueError):
                sys.stderr.write(text)
                sys.stderr.flush()
            if end:
                self._read_all.set()
        self._read_all.set()  # it has ended, and writes no more

    def _log(self) -> str:
        return " / ".join(self._lines)[-_LETTERS:]


_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from gennas.execution.child import main
main(*map(int, sys.argv[2:]))
"""


def main(read: int, write: int, parent: int) -> None:
    """Body of the process: open the parcel, answer proposals until nobody asks any more.

    Args:
        read: file descriptor that proposals come from.
        write: file descriptor that outcomes go to.
        parent: the process that started this one.
    """
    exit_with(parent)
    hush_if_asked()
    incoming, outgoing = Connection(read, writable=False), Connection(write, readable=False)
    try:
        parcel: Parcel = incoming.recv()
    except EOFError:  # nobody asks any more
        return
    from gennas.execution.base import describe, run_trial

    try:
        evaluator = parcel.open()
    except BaseException as error:  # somebody else's code: whatever it raises is told
        outgoing.send(Outcome("failed", error=f"the evaluator cannot be made in the worker: {describe(error)}"))
        return
    if parcel.time_limit is not None:
        from gennas.execution.imports import warm_up

        warm_up(evaluator)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    if parcel.memory_limit_gb is not None:
        import resource

        limit = int(parcel.memory_limit_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with suppress(EOFError, ConnectionError):
        outgoing.send_bytes(_READY)
        while incoming.poll(IDLE_S):
            trial = run_trial(evaluator, pickle.loads(incoming.recv_bytes()))
            sys.stderr.flush()
            if not trial.ok:
                with suppress(OSError):
                    os.write(2, f"{_END}\n".encode())
            outgoing.send(Outcome.of(trial))
