"""How one trial is run and judged."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence

from gennas.errors import ConfigError
from gennas.eval.base import Evaluator
from gennas.eval.stopping import StoppableEvaluator, StoppedEarlyError
from gennas.search.trial import Proposal, Status, Trial

__all__ = ["TimeLimit", "describe", "run_trial"]


class TimeLimit(BaseException):
    """Raised inside a trial whose time is over; no ``Exception``, so that a user's code does not swallow it."""


def run_trial(evaluator: Evaluator, proposal: Proposal) -> Trial:
    """Evaluate one proposal; whatever goes wrong ends this trial only.

    A raised error (``sys.exit`` too), running out of memory, an answer that is no mapping, a missing metric or
    one that is not finite give status ``failed`` with a one-line reason. Metrics that the evaluator ``may_lack`` and
    gives no finite value of are left out, with the reason as the trial's error. A training that falls short of the
    proposal's bars is ``stopped``, with its curves. ``KeyboardInterrupt`` and the end of the time limit pass through.
    """
    start = time.perf_counter()
    metrics: Mapping[str, float] = {}
    curves: Mapping[str, Sequence[float]] = {}
    status: Status = "ok"
    error = ""
    more: Mapping[str, float] = {}
    try:
        found = _evaluated(evaluator, proposal)
        metrics, curves = _values_of(found)
        lacking = {name for name in evaluator.metrics if not math.isfinite(metrics.get(name, math.nan))}
        bad = [name for name in evaluator.metrics if name in lacking - set(getattr(evaluator, "may_lack", ()))]
        metrics = {name: value for name, value in metrics.items() if name not in lacking}
        error = "; ".join(getattr(found, "reasons", {}).values())
        if bad:
            status, error = "failed", f"no finite value for {', '.join(bad)}"
    except StoppedEarlyError as ended:
        status, error, curves, more = "stopped", str(ended), ended.curves, ended.cost
    except MemoryError as caught:
        status, error = "failed", f"out of memory: {_text_of(caught)}"
    except (KeyboardInterrupt, TimeLimit):
        raise
    except BaseException as caught:
        status, error = "failed", describe(caught)
    cost = {"seconds": time.perf_counter() - start, **more}
    return Trial(proposal, status, metrics if status == "ok" else {}, cost, error, curves)


def _evaluated(evaluator: Evaluator, proposal: Proposal) -> Mapping[str, float]:
    """What the evaluator answers; it is asked to stop early only where there are bars.

    Raises:
        ConfigError: there are, and it cannot.
    """
    if not proposal.bars:
        return evaluator.evaluate(proposal.arch, proposal.fidelity, proposal.seed)
    if not isinstance(evaluator, StoppableEvaluator):
        raise ConfigError(
            f"Expected an evaluator that can stop early (evaluate_until), got {type(evaluator).__name__}."
        )
    return evaluator.evaluate_until(proposal.arch, proposal.fidelity, proposal.seed, proposal.bars)


def describe(error: BaseException) -> str:
    """One line: the error's type and text, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (at {frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {_text_of(error)}{where}"


def _text_of(error: BaseException) -> str:
    """The error's own words in one line that can be stored: at most 500 letters, none of them half a character."""
    try:
        text = str(error)
    except BaseException as worse:
        text = f"(its text cannot be had: {type(worse).__name__})"
    return " ".join(text.split())[:500].encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def _values_of(found: object) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Metrics and curves as plain values.

    Raises:
        TypeError: the evaluator returned something else.
    """
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise TypeError(f"expected a mapping of metrics by name, got {type(found).__name__}")
    curves = getattr(found, "curves", {})
    return {k: float(v) for k, v in found.items()}, {k: [float(x) for x in curve] for k, curve in curves.items()}
