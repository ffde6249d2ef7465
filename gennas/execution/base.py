"""How one trial is run and judged."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence

from gennas.eval.base import Evaluator
from gennas.search.trial import Proposal, Status, Trial

__all__ = ["describe", "run_trial"]


def run_trial(evaluator: Evaluator, proposal: Proposal) -> Trial:
    """Evaluate one proposal; whatever goes wrong ends this trial only.

    Metrics that the evaluator ``may_lack`` and gives no finite value of are left out, with the reason as the
    trial's error. A raised error, running out of memory, a missing metric or one that is not finite give status
    ``failed`` with a one-line reason. ``KeyboardInterrupt`` passes through.
    """
    start = time.perf_counter()
    metrics: Mapping[str, float] = {}
    curves: Mapping[str, Sequence[float]] = {}
    status: Status = "ok"
    error = ""
    try:
        found = evaluator.evaluate(proposal.arch, proposal.fidelity, proposal.seed)
        metrics, curves = {k: float(v) for k, v in found.items()}, getattr(found, "curves", {})
        lacking = {name for name in evaluator.metrics if not math.isfinite(metrics.get(name, math.nan))}
        bad = [name for name in evaluator.metrics if name in lacking - set(getattr(evaluator, "may_lack", ()))]
        metrics = {name: value for name, value in metrics.items() if name not in lacking}
        error = "; ".join(getattr(found, "reasons", {}).values())
        if bad:
            status, error = "failed", f"no finite value for {', '.join(bad)}"
    except MemoryError as caught:
        status, error = "failed", f"out of memory: {caught}"
    except Exception as caught:
        status, error = "failed", describe(caught)
    cost = {"seconds": time.perf_counter() - start}
    return Trial(proposal, status, metrics if status == "ok" else {}, cost, error, curves)


def describe(error: BaseException) -> str:
    """One line: the error's type and text, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (at {frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text}{where}"
