"""Proxies, baselines and combinations against accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, TableError, listed, shown
from gennas.workbench.problem import space_from
from gennas.workbench.score import ProxySettings

if TYPE_CHECKING:
    import pandas as pd

    from gennas.eval.correlation import Interval
    from gennas.eval.proxies import ProxyEvaluator
    from gennas.graph import Architecture
    from gennas.spaces import Space

__all__ = ["Correlations", "baselines_of", "combined", "correlate_scores", "joined"]

FloatArray = NDArray[np.float64]
BASELINES = ("params", "flops", "trainable_layers")
PAIR = ("params", "jacov")
JOIN = ("arch", "key", "index")


@dataclass(frozen=True, eq=False)
class Correlations:
    """How scores rank architectures.

    Args:
        rows: ``score, kind, n`` and, where there is one, every measure with the ends of its interval.
        intervals: the same by score and measure.
        n: architectures in all.
        protocol: of the scores.
    """

    rows: pd.DataFrame
    intervals: Mapping[str, Mapping[str, Interval]]
    n: int
    protocol: str


def correlate_scores(settings: ProxySettings) -> Correlations:
    """Score or read, join with the accuracies, and compare: one row for each score.

    Raises:
        GennasError: files that do not fit together, or columns that are not there.
    """
    import pandas as pd

    from gennas.eval.correlation import correlate

    frame = _frame(settings)
    labels = frame[settings.target].to_numpy(dtype=np.float64) * (1 if settings.direction == "max" else -1)
    rows: list[dict[str, object]] = []
    found: dict[str, dict[str, Interval]] = {}
    for name, (values, kind) in _scores(settings, frame).items():
        known = np.isfinite(values)
        if known.sum() < 3 or np.ptp(values[known]) == 0:
            rows.append({"score": name, "kind": kind, "n": int(known.sum())})
            continue
        found[name] = correlate(values[known], labels[known], resamples=settings.resamples, seed=settings.seed)
        cells = {f"{m}{end}": getattr(i, field) for m, i in found[name].items() for end, field in _ENDS}
        rows.append({"score": name, "kind": kind, "n": int(known.sum()), **cells})
    protocol = _protocol(frame)
    table = pd.DataFrame(rows).assign(target=settings.target, protocol=protocol)
    return Correlations(table, found, len(frame), protocol)


_ENDS = (("", "value"), ("_low", "low"), ("_high", "high"))


def _frame(settings: ProxySettings) -> pd.DataFrame:
    """One row per architecture: scores, baselines and the target."""
    import pandas as pd

    if settings.table is None or not settings.target:
        raise ConfigError(
            "`gennas proxies correlate` compares with accuracies: give --table FILE and --target COLUMN "
            "(and --scores FILE for scores that are there already)."
        )
    table = _read(settings.table, settings.max_gb)
    if settings.target not in table:
        raise TableError(f"{settings.table}: no column {shown(settings.target)}; there are {listed(table.columns)}.")
    if settings.scores is None:
        return _scored(settings, table)
    frame = joined(_read(settings.scores, settings.max_gb), table, settings.target)
    missing = [name for name in BASELINES if name not in frame]
    if missing and "arch" in frame:
        counts = baselines_of(space_from(settings), frame["arch"].tolist())
        frame = pd.concat([frame, pd.DataFrame({n: counts[n] for n in missing}, index=frame.index)], axis=1)
    return frame


def _scored(settings: ProxySettings, table: pd.DataFrame) -> pd.DataFrame:
    """Our own scores of ``--n`` architectures of the table."""
    from gennas.workbench.score import score_archs

    if "arch" not in table:
        raise TableError(f"{settings.table}: expected a column 'arch' of architectures to score, or give --scores.")
    rows = np.random.default_rng(settings.seed).permutation(len(table))[: settings.n]
    chosen = table.iloc[rows].reset_index(drop=True)
    space = space_from(settings)
    archs = [space.from_text(text) for text in chosen["arch"]]
    scores = score_archs(settings, space, archs, [*settings.names, *BASELINES, "jacov"], {"target": settings.target})
    values = scores.to_dataframe().drop(columns="key").assign(protocol=scores.protocol.identity)
    frame: pd.DataFrame = values.assign(arch=chosen["arch"], **{settings.target: chosen[settings.target].astype(float)})
    return frame


def joined(scores: pd.DataFrame, table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Rows of both, by ``arch``, ``key`` or ``index``, with the table's ``target`` and texts.

    Raises:
        TableError: they share no such column, no row, a row occurs twice, or scores of several protocols are mixed.
    """
    on = next((name for name in JOIN if name in scores and name in table), None)
    if on is None:
        raise TableError(f"Expected a column {', '.join(JOIN[:-1])} or {JOIN[-1]} in both files, to join them by.")
    for frame in (scores, table):
        if frame[on].duplicated().any():
            raise TableError(
                f"Expected every {shown(on)} once, got {shown(frame[on][frame[on].duplicated()].iloc[0])} twice."
            )
    if "protocol" in scores and scores["protocol"].nunique() > 1:
        raise TableError("Scores of different protocols are never pooled: expected one value in the column 'protocol'.")
    wanted = list(dict.fromkeys([on, target, *(["arch"] if "arch" in table else [])]))
    both = scores.drop(columns=[c for c in wanted if c != on and c in scores]).merge(table[wanted], on=on)
    found: pd.DataFrame = both[np.isfinite(both[target].to_numpy(dtype=np.float64))].reset_index(drop=True)
    if len(found) < 3:
        raise TableError(f"Expected three rows or more that are in both files and have a {target}, got {len(found)}.")
    return found


def baselines_of(space: Space, texts: list[str], checks: int = 10) -> dict[str, FloatArray]:
    """Parameters, multiply-accumulates and layers with weights of many architectures, ``(n,)`` each.

    They are computed for a few networks and extended to all as a sum over decisions, if that sum is exact on
    ``checks`` others; otherwise every network is built. Images of 3x32x32 and ten classes.

    Raises:
        GennasError: a text is no architecture of the space.
    """
    from gennas.graph import decision_one_hot
    from gennas.workbench.evaluators import make_proxy_evaluator

    population = space.from_texts(texts)
    evaluator = make_proxy_evaluator(space, BASELINES)
    design = np.hstack([decision_one_hot(population), np.ones((len(texts), 1))])
    spanning, others = _spanning(design)
    few = np.concatenate([spanning, others[:checks]])
    y = np.array([_built(evaluator, population[int(i)]) for i in few])
    found = np.rint(design @ np.linalg.lstsq(design[spanning], y[: len(spanning)], rcond=None)[0])
    if not np.array_equal(found[few], y):
        found[few] = y
        found[others[checks:]] = [_built(evaluator, population[int(i)]) for i in others[checks:]]
    return dict(zip(BASELINES, found.T, strict=True))


def _spanning(design: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows whose combinations give all rows, and the others, shuffled."""
    from scipy.linalg import qr

    order = qr(design.T, mode="r", pivoting=True)[1]
    rank = np.linalg.matrix_rank(design)
    rest: NDArray[np.intp] = np.random.default_rng(0).permutation(order[rank:])
    return order[:rank].astype(np.intp), rest


def _built(evaluator: ProxyEvaluator, arch: Architecture) -> list[float]:
    return [score.value for score in evaluator.score(arch).values()]


def combined(frame: pd.DataFrame, names: list[str]) -> FloatArray:
    """The log-rank of columns, NaN in rows where one of them is missing.

    Raises:
        ConfigError: a column does not exist.
    """
    from gennas.eval.proxies.combine import LogRank

    missing = [name for name in names if name not in frame]
    if missing:
        raise ConfigError(
            f"--combine {'+'.join(names)}: no scores of {', '.join(missing)}; there are {_numeric(frame)}."
        )
    known = np.isfinite(frame[names].to_numpy(dtype=np.float64)).all(1)
    values = np.full(len(frame), np.nan)
    scores = {name: _turned(frame, name)[known] for name in names}
    values[known] = LogRank().fit(scores).score(scores)
    return values


def _scores(settings: ProxySettings, frame: pd.DataFrame) -> dict[str, tuple[FloatArray, str]]:
    """Baselines first, then the proxies, then the combinations."""
    columns = [c for c in _numeric(frame) if c not in (*JOIN, settings.target)]
    found = {name: (_column(frame, name), "baseline") for name in BASELINES}
    pair = f"log-rank({', '.join(PAIR)})"
    has_pair = all(name in frame for name in PAIR)
    found[pair] = (combined(frame, list(PAIR)) if has_pair else _column(frame, ""), "baseline")
    found |= {name: (_turned(frame, name), "proxy") for name in columns if name not in found}
    for text in settings.combine:
        names = [name.strip() for name in text.split("+") if name.strip()]
        found[f"log-rank({', '.join(names)})"] = (combined(frame, names), "combination")
    return found


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    return frame[name].to_numpy(dtype=np.float64) if name in frame else np.full(len(frame), np.nan)


def _turned(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column, turned round where the proxy of that name says that less is better."""
    from gennas.eval.proxies import PROXIES

    sign = -1.0 if name in PROXIES and PROXIES.get(name).direction == "min" else 1.0
    return sign * _column(frame, name)


def _numeric(frame: pd.DataFrame) -> list[str]:
    return [str(c) for c in frame.select_dtypes("number").columns]


def _read(path: Path, max_gb: float) -> pd.DataFrame:
    from gennas.eval.tables.files import read_frame

    frame = read_frame(path, max_gb)[0]
    for column in frame.columns:
        numbers = _as_numbers(frame[column])
        if numbers is not None:
            frame[column] = numbers
    return frame


def _as_numbers(column: pd.Series[Any]) -> pd.Series[Any] | None:
    import pandas as pd

    try:
        return pd.to_numeric(column.replace("", np.nan))
    except (TypeError, ValueError):
        return None


def _protocol(frame: pd.DataFrame) -> str:
    return str(frame["protocol"].iloc[0]) if "protocol" in frame else "as in the file of scores"
