"""Tables of what every label costs, and the expected cost of relaxed decisions."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError, reason_of, shown
from gennas.graph import GraphSchema, Population
from gennas.spaces.base import Space

__all__ = ["additive_table", "as_table", "expected_cost", "read_table"]


def as_table(table: Any, schema: GraphSchema) -> Tensor:
    """A table ``(d, L)`` with a finite number for every allowed label, 0 for the others.

    Raises:
        ConfigError: it has another shape, or a cost of an allowed label is not finite.
    """
    found = torch.as_tensor(np.asarray(table, dtype=np.float64) if not isinstance(table, Tensor) else table)
    mask = torch.from_numpy(schema.decision_mask.copy())
    if found.shape != mask.shape or not found[mask].isfinite().all():
        raise ConfigError(
            f"Expected a table of {tuple(mask.shape)} costs, one for every label of every decision of {schema.name}, "
            f"all finite; got {tuple(found.shape)} of which {int((~found.isfinite()).sum())} are not finite."
        )
    return found.masked_fill(~mask.to(found.device), 0.0).to(torch.get_default_dtype())


def read_table(path: str | Path, schema: GraphSchema) -> NDArray[np.float64]:
    """A table ``(d, L)`` of a CSV file with the columns ``decision``, ``label`` and ``cost``.

    A decision is its number from 0, or ``*`` for all that may take the label; later lines overwrite earlier ones.

    Raises:
        ConfigError: the file is missing or has another form, or an allowed label has no cost.
    """
    table = np.full(schema.decision_mask.shape, np.nan)
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                _enter(table, schema, row, f"{path}, line {number}")
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConfigError(f"The table of costs {path} cannot be read: {reason_of(error)}.") from error
    missing = np.argwhere(schema.decision_mask & np.isnan(table)).tolist()
    if missing:
        t, symbol = missing[0]
        raise ConfigError(
            f"{path}: expected a cost of every label of every decision of {schema.name}, none of "
            f"{schema.label(t, symbol)!r} of decision {t} ({len(missing)} are missing)."
        )
    return np.where(schema.decision_mask, table, 0.0)


def _enter(table: NDArray[np.float64], schema: GraphSchema, row: Mapping[str, str | None], where: str) -> None:
    """Put one line into a table.

    Raises:
        ConfigError: it has another form, or names what the space has not.
    """
    decision, label, cost = (str(row.get(name) or "").strip() for name in ("decision", "label", "cost"))
    try:
        value = float(cost)
        rows = range(len(table)) if decision == "*" else [int(decision)]
    except ValueError as error:
        raise ConfigError(
            f"{where}: expected decision (a number or *), label and cost (a number), got {shown(dict(row))}."
        ) from error
    places = [
        (t, k)
        for t in rows
        if 0 <= t < len(table)
        for k in np.flatnonzero(schema.decision_mask[t])
        if schema.label(t, int(k)) == label
    ]
    if not places or not math.isfinite(value):
        raise ConfigError(
            f"{where}: expected a label of decision {decision} of {schema.name} and a finite cost, got {shown(label)} "
            f"and {cost}."
        )
    for place in places:
        table[place] = value


def expected_cost(weights: Tensor, table: Tensor) -> Tensor:
    r"""The cost :math:`\sum_t \sum_k w_{t,k} T_{t,k}` of weights ``(d, L)``; its gradient is ``T``."""
    return (weights * table.to(weights)).sum()


def additive_table(
    space: Space, cost: Callable[[Population], NDArray[Any]], seed: int = 0
) -> tuple[NDArray[np.float64], float]:
    """What every label of every decision adds to a cost, from one architecture and all that differ in one decision.

    Exact where the cost of an architecture is the sum of what its labels cost, such as parameters and FLOPs of cells;
    elsewhere an approximation around that architecture. At most ``1 + d (L - 1)`` costs are asked for, at once. The
    first label of every decision counts 0.

    Args:
        space: whose decisions are independent.
        cost: costs ``(b,)`` of architectures, measured or computed.
        seed: of the architecture, which is drawn.

    Returns:
        The table ``(d, L)``, and what an architecture of first labels costs.

    Raises:
        ConfigError: the decisions depend on one another, so that they cannot be changed one at a time.

    Example:
        >>> from gennas.spaces import NASBench201, TaskSpec
        >>> space, spec = NASBench201(num_cells=1), TaskSpec("image", (3, 8, 8), 10)
        >>> table, base = additive_table(space, lambda archs: space.count_parameters(archs, spec))
        >>> arch = space.sample(1, np.random.default_rng(1))
        >>> int(base + table[np.arange(6), arch.decisions[0]].sum()) == int(space.count_parameters(arch, spec)[0])
        True
    """
    mask = space.schema.decision_mask
    row = space.sample(1, np.random.default_rng(seed)).decisions[0]
    changes = [(t, k) for t in range(len(mask)) for k in np.flatnonzero(mask[t]) if k != row[t]]
    D = np.repeat(row[None], 1 + len(changes), axis=0)
    for i, (t, k) in enumerate(changes, start=1):
        D[i, t] = k
    population = Population.from_decisions(space.schema, D)
    if not space.is_valid(population).all():
        raise ConfigError(f"A table of costs by differences needs independent decisions, which {space.name} has not.")
    costs = np.asarray(cost(population), dtype=np.float64)
    table = np.zeros(mask.shape)
    for (t, k), value in zip(changes, costs[1:], strict=True):
        table[t, k] = value - costs[0]
    first = table[np.arange(len(mask)), mask.argmax(1)]
    return np.where(mask, table - first[:, None], 0.0), float(costs[0] + first.sum())
