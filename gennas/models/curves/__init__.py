"""Learning curves: what an accuracy will be after more epochs, with uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gennas.models.curves.base import SCHEDULE_GAIN, CurveModel, LastValue
from gennas.models.curves.power_law import PowerLawEnsemble

if TYPE_CHECKING:
    from gennas.models.curves.bayesian import BayesianLastLayer

__all__ = ["SCHEDULE_GAIN", "BayesianLastLayer", "CurveModel", "LastValue", "PowerLawEnsemble"]


def __getattr__(name: str) -> Any:
    """``BayesianLastLayer``, which needs torch and scikit-learn, on first use."""
    if name != "BayesianLastLayer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gennas.models.curves.bayesian import BayesianLastLayer

    return BayesianLastLayer
