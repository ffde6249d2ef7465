"""Predictors of latency and other costs from labels: look-up table, forest, and any ranking model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import kendalltau

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.graph.features import decision_one_hot
from gennas.graph.graf import graf_features
from gennas.registry import Registry

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

__all__ = [
    "PREDICTORS",
    "CostPredictor",
    "ForestPredictor",
    "LookupPredictor",
    "PredictionQuality",
    "RankPredictor",
    "prediction_quality",
]

FloatArray = NDArray[np.float64]


class CostPredictor(ABC):
    """Predicts a positive cost, such as latency in ms or energy in mJ, on the scale that it was fitted on.

    A subclass gives ``kind``, ``settings``, :meth:`_fit` and :meth:`_predict`. What a predictor was fitted
    on stays with it, which is also how it is saved: see :mod:`gennas.eval.hardware.predictor_file`.

    Attributes:
        kind: its name in files.
        settings: plain arguments of its constructor.
        archs: what it was fitted on, None before.
        values: their values, ``(b,)``.
    """

    kind: ClassVar[str]
    settings: Mapping[str, Any]
    archs: Population | None = None
    values: FloatArray = np.zeros(0)

    def fit(self, archs: Population, values: FloatArray) -> None:
        """Learn from measured architectures, ``values (b,)``; what was learned before is replaced.

        Raises:
            ConfigError: fewer than two architectures, or values that are not finite and positive.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (len(archs),) or len(archs) < 2 or not (np.isfinite(values) & (values > 0)).all():
            raise ConfigError(
                f"Expected one finite positive value for each of two or more architectures, got {len(archs)} "
                f"architectures and values of shape {values.shape}, such as {values.ravel()[:5]}."
            )
        self._fit(archs, values)
        self.archs, self.values = archs, values

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the value of each architecture, each ``(b,)``.

        Raises:
            ConfigError: nothing was fitted, or the architectures belong to another schema.
        """
        if self.archs is None:
            raise ConfigError(f"Expected a fitted {self.kind} predictor; call fit first.")
        if archs.schema.fingerprint != self.archs.schema.fingerprint:
            raise ConfigError(
                f"The predictor was fitted on architectures of {self.archs.schema.name} (schema "
                f"{self.archs.schema.fingerprint}), got {archs.schema.name} (schema {archs.schema.fingerprint})."
            )
        return self._predict(archs)

    @abstractmethod
    def _fit(self, archs: Population, values: FloatArray) -> None: ...

    @abstractmethod
    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]: ...


PREDICTORS: Registry[Any] = Registry("predictor")


@PREDICTORS.register("lookup")
class LookupPredictor(CostPredictor):
    r"""A look-up table: the cost is a sum over the decisions, plus a constant.

    .. math:: \hat y(a) = c + \sum_t \mathrm{LUT}[t, a_t]

    the additive model of FBNet (Wu et al. 2019, arXiv 1812.03443) and ProxylessNAS (Cai et al. 2019, arXiv
    1812.00332), with entries found by least squares without any penalty (the shortest solution, where labels
    leave a choice) instead of timing operations one by one. The deviation is that of a new
    observation, :math:`s \sqrt{1 + h}` with leverage :math:`h`; it is infinite where no residual is left to
    tell :math:`s`, and for architectures that the labels do not determine.

    Args:
        per: one entry for every ``decision`` and label, or one for every ``operation`` wherever it
            stands, which is much less to learn and right where place does not matter.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> cost = 1.0 + (archs.decisions == 3).sum(1) * 0.5
        >>> predictor = LookupPredictor(per="operation")
        >>> predictor.fit(archs[:20], cost[:20])
        >>> bool(np.allclose(predictor.predict(archs)[0], cost))
        True
    """

    kind = "lookup"

    def __init__(self, per: Literal["decision", "operation"] = "decision") -> None:
        if per not in ("decision", "operation"):
            raise ConfigError(f"Expected a table per 'decision' or per 'operation', got {shown(per)}.")
        self.settings = {"per": per}

    def _fit(self, archs: Population, values: FloatArray) -> None:
        A = self._columns(archs)
        _, singular, rows = np.linalg.svd(A, full_matrices=False)
        self._basis = rows[singular > 1e-9 * singular[0]]  # of what the labels determine, (r, f)
        within = A @ self._basis.T
        self._inverse = np.linalg.inv(within.T @ within)
        self.entries: FloatArray = self._basis.T @ (self._inverse @ (within.T @ values))
        free = len(values) - len(self._basis)
        residual = float(((values - A @ self.entries) ** 2).sum())
        self._scale = np.sqrt(residual / free) if free > 0 else np.inf

    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        A = self._columns(archs)
        within = A @ self._basis.T
        leverage = np.einsum("bi,ij,bj->b", within, self._inverse, within)
        outside = np.abs(A - within @ self._basis).max(axis=1) > 1e-6
        return A @ self.entries, np.where(outside, np.inf, self._scale * np.sqrt(1 + leverage))

    def _columns(self, archs: Population) -> FloatArray:
        """One-hot decisions, or counts of operations, and the constant, ``(b, f)``."""
        per_decision = self.settings["per"] == "decision"
        columns = decision_one_hot(archs).astype(np.float64) if per_decision else operation_counts(archs)
        return np.concatenate([columns, np.ones((len(columns), 1))], axis=1)


@PREDICTORS.register("forest")
class ForestPredictor(CostPredictor):
    """A random forest (Breiman 2001) on one-hot decisions and, by default, GRAF; it learns the logarithm.

    Args:
        graf: also read :func:`~gennas.graph.graf.graf_features` (Kadlecova et al. 2024, arXiv 2404.16551).
        num_trees: number of trees.
        seed: seed of the trees.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> predictor = ForestPredictor(num_trees=10)
        >>> predictor.fit(archs[:50], 1.0 + (archs[:50].decisions == 3).sum(1))
        >>> mean, std = predictor.predict(archs[50:])
        >>> mean.shape, std.shape
        ((10,), (10,))
    """

    kind = "forest"

    def __init__(self, graf: bool = True, num_trees: int = 100, seed: int = 0) -> None:
        if num_trees < 2:
            raise ConfigError(f"Expected a forest of two trees or more, got {num_trees}.")
        self.settings = {"graf": graf, "num_trees": num_trees, "seed": seed}
        self._forest: RandomForestRegressor | None = None

    def _fit(self, archs: Population, values: FloatArray) -> None:
        from sklearn.ensemble import RandomForestRegressor

        self._forest = RandomForestRegressor(self.settings["num_trees"], random_state=self.settings["seed"])
        self._forest.fit(self._columns(archs), np.log(values))

    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        assert self._forest is not None  # predict saw to it
        columns = self._columns(archs)
        votes = np.stack([tree.tree_.predict(columns)[:, 0] for tree in self._forest.estimators_])
        mean = np.exp(votes.mean(0))
        return mean, mean * votes.std(0)

    def _columns(self, archs: Population) -> NDArray[np.float32]:
        one_hot = decision_one_hot(archs)
        if not self.settings["graf"]:
            return one_hot
        return np.concatenate([one_hot, graf_features(archs)[0]], axis=1, dtype=np.float32)


class RankModel(Protocol):
    """What :class:`RankPredictor` wraps: a surrogate of ``gennas.models.surrogate``."""

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Learn from values, higher is better."""

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the normal score, each ``(b,)``."""


class RankPredictor(CostPredictor):
    """Turns a model of ranks, such as a graph neural network, into a predictor of values.

    Surrogates predict normal scores (the normal quantile of the rank among the labels). The logarithm of
    the value is read off the labels at the predicted score, linearly between them and beyond.

    Args:
        model: the surrogate.
        kind: its name in files.
        settings: plain arguments that make the same surrogate again.

    Example:
        >>> from gennas.models.surrogate import ForestSurrogate
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> predictor = RankPredictor(ForestSurrogate(num_trees=10), "trees")
        >>> predictor.fit(archs, 1.0 + (archs.decisions == 3).sum(1))
        >>> bool((np.abs(predictor.predict(archs)[0] / predictor.values - 1) < 0.1).all())
        True
    """

    def __init__(self, model: RankModel, kind: str, settings: Mapping[str, Any] | None = None) -> None:
        self.model, self.settings = model, dict(settings or {})
        self.kind = kind  # type: ignore[misc]  # every wrapped model is a kind of its own

    def _fit(self, archs: Population, values: FloatArray) -> None:
        self.model.fit(archs, values)
        levels, counts = np.unique(np.log(values), return_counts=True)
        self._levels = levels  # of the logarithm, at the normal scores of their mean ranks
        self._scores: FloatArray = ndtri((np.cumsum(counts) - 0.5 * counts) / len(values))

    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        mean, std = self.model.predict(archs)
        low, high = self._value(mean - std), self._value(mean + std)
        return self._value(mean), (high - low) / 2

    def _value(self, scores: FloatArray) -> FloatArray:
        """Value at a normal score: interpolated between labels, along the line through the two ends beyond."""
        found: FloatArray = np.interp(scores, self._scores, self._levels)
        if len(self._levels) > 1:
            slope = (self._levels[-1] - self._levels[0]) / (self._scores[-1] - self._scores[0])
            found += slope * (np.minimum(scores - self._scores[0], 0) + np.maximum(scores - self._scores[-1], 0))
        value: FloatArray = np.exp(found)
        return value


@dataclass(frozen=True)
class PredictionQuality:
    """How good predictions of a cost are.

    Args:
        within_5: share of architectures whose prediction is off by at most 5 %.
        within_10: and by at most 10 %.
        tau: Kendall's tau-b.
        n: number of architectures.
    """

    within_5: float
    within_10: float
    tau: float
    n: int


def prediction_quality(values: FloatArray, predicted: FloatArray) -> PredictionQuality:
    r"""Shares with :math:`|\hat y / y - 1| \le .05` and :math:`.1`, and Kendall's tau, of ``(b,)`` values.

    Example:
        >>> prediction_quality(np.array([1.0, 2.0, 4.0]), np.array([1.04, 2.2, 5.0]))
        PredictionQuality(within_5=0.333..., within_10=0.666..., tau=1.0, n=3)
    """
    error = np.abs(predicted - values) / values
    within_5, within_10 = (float((error <= bound + 1e-9).mean()) for bound in (0.05, 0.1))
    return PredictionQuality(within_5, within_10, float(kendalltau(values, predicted).statistic), len(values))


def operation_counts(archs: Population) -> FloatArray:
    """How many decisions take each label of nodes and of edges, ``(b, labels)``."""
    schema = archs.schema
    labels = [
        (slot.is_node, int(symbol))
        for slot, allowed in zip(schema.slots, schema.decision_mask, strict=True)
        for symbol in np.flatnonzero(allowed)
    ]
    kinds = sorted(set(labels))
    stands_for = np.array([[float(label == kind) for kind in kinds] for label in labels])
    counts: FloatArray = decision_one_hot(archs) @ stands_for
    return counts


def stack_values(predictors: Sequence[CostPredictor], archs: Population) -> FloatArray:
    """What every predictor says of the architectures, ``(b, predictors)``."""
    return np.stack([predictor.predict(archs)[0] for predictor in predictors], axis=1)
