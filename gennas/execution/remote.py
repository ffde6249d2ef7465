"""What workers of other engines run: one trial of a search, in this process or in one below it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import time
from typing import Any

from gennas.execution.child import Child
from gennas.execution.lease import Sign
from gennas.execution.outcome import Outcome
from gennas.execution.parcel import Parcel
from gennas.execution.parent import end_group, exit_with

__all__ = ["UNOPENED", "end_children", "evaluate"]

UNOPENED = "unopened"

_parcels: dict[str, Parcel] = {}
_evaluators: dict[str, Any] = {}
_children: dict[tuple[str, float], list[Child]] = {}
_lock = threading.Lock()
_MOST = 4  # parcels that are kept


def evaluate(digest: str, proposal: bytes, parcel: Parcel | None = None, scale: float = 1.0) -> Outcome:
    """Evaluate one proposal.

    A worker keeps the parcels of the last searches: the driver sends a parcel only to those who ask for it.

    Args:
        digest: of the parcel.
        proposal: pickled.
        parcel: the parcel itself.
        scale: of its memory limit.

    Returns:
        the outcome; ``unopened`` where this worker has not seen the parcel.
    """
    with _lock:
        if parcel is not None and digest not in _parcels:
            _keep(parcel)
        found = _parcels.get(digest)
    if found is None:
        return Outcome(UNOPENED)
    _watch(found)
    if (
        found.lease is not None and found.lease.is_visible and not found.lease.is_wanted
    ):  # it waited in a pool that outlived its driver
        return Outcome("lost", error="the driver has ended")
    if found.isolated:
        return _isolated(found, proposal, scale)
    if found.lease is not None:
        _leases.append(found.lease)
    try:
        return _here(found, proposal)
    finally:
        if found.lease is not None:
            _leases.remove(found.lease)


def _keep(parcel: Parcel) -> None:
    _parcels[parcel.digest] = parcel
    while len(_parcels) > _MOST:
        old = next(iter(_parcels))
        del _parcels[old]
        _evaluators.pop(old, None)


def _here(parcel: Parcel, proposal: bytes) -> Outcome:
    """Evaluate in this process."""
    from gennas.execution.base import describe, run_trial

    try:
        with _lock:
            if parcel.digest not in _evaluators:
                _evaluators[parcel.digest] = parcel.open()
    except BaseException as error:  # somebody else's code: whatever it raises is told
        return Outcome("failed", error=f"the evaluator cannot be made in the worker: {describe(error)}")
    return Outcome.of(run_trial(_evaluators[parcel.digest], pickle.loads(proposal)))


def _isolated(parcel: Parcel, proposal: bytes, scale: float) -> Outcome:
    """Evaluate in a process below this one, which is used again while it lives."""
    _sweep()
    with _lock:
        free = _children.setdefault((parcel.digest, scale), [])
        child = free.pop() if free else None
    child = child or Child(parcel, scale)
    outcome = child.run(proposal)
    if outcome.status in ("timeout", "lost") or parcel.fresh:
        child.end()
    else:
        with _lock:
            free.append(child)
    return outcome


def _sweep() -> None:
    """Let go of the processes that nobody asked for a while."""
    with _lock:
        idle = [child for free in _children.values() for child in free if not child.lives]
        for free in _children.values():
            free[:] = [child for child in free if child not in idle]
    for child in idle:
        child.end()


def end_children(digest: str) -> None:
    """End the processes of this one that wait for trials of a parcel."""
    with _lock:
        found = [child for key in list(_children) if key[0] == digest for child in _children.pop(key)]
        _parcels.pop(digest, None)
        _evaluators.pop(digest, None)
    for child in found:
        child.end()


# ---------------------------------------------------------------------- worker processes that the driver started

_watched: set[int] = set()  # a process that was forked from a watched one is another one
_leases: list[Sign] = []  # of what runs in this process


def _watch(parcel: Parcel) -> None:
    """End this process, where the driver started it, soon after the driver died or wants its trial no more."""
    started_by = getattr(multiprocessing.parent_process(), "pid", None)  # also where it has died since
    if os.getpid() in _watched or not parcel.driver or parcel.driver not in (os.getppid(), started_by):
        return
    _watched.add(os.getpid())
    exit_with(parcel.driver)
    threading.Thread(target=_look, daemon=True, name="gennas-lease-watch").start()


def _look() -> None:
    while all(lease.is_wanted for lease in list(_leases)):
        time.sleep(0.5)
    end_group(os.getpid())
