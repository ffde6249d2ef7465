"""Strategy states as bytes: JSON for plain values, safetensors for arrays, nothing pickled; trials as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.errors import ArchiveError, InvalidArchitectureError
from gennas.graph import Population
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["pack_proposals", "pack_state", "pack_trials", "unpack_proposals", "unpack_state", "unpack_trials"]

_ARRAY = "__array__"


def pack_state(state: Mapping[str, Any]) -> bytes:
    """Serialise nested mappings and lists of plain values and numpy arrays.

    Example:
        >>> unpack_state(pack_state({"round": 3, "scores": [1.5, None]}))
        {'round': 3, 'scores': [1.5, None]}
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def strip(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays[str(len(arrays))] = np.ascontiguousarray(value)
            return {_ARRAY: str(len(arrays) - 1)}
        if isinstance(value, Mapping):
            return {str(k): strip(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [strip(v) for v in value]
        return value.item() if isinstance(value, np.generic) else value

    tree = json.dumps(strip(state))
    # safetensors refuses a file without tensors, so there is always one.
    return bytes(save({"_": np.zeros(1, dtype=np.int8), **arrays}, metadata={"tree": tree}))


def unpack_state(blob: bytes) -> dict[str, Any]:
    """Read what :func:`pack_state` wrote.

    Raises:
        ArchiveError: the bytes are damaged.
    """
    from safetensors.numpy import load

    try:
        length = int.from_bytes(blob[:8], "little")
        tree = json.loads(json.loads(blob[8 : 8 + length])["__metadata__"]["tree"])
        arrays = load(blob)
    except Exception as error:
        raise ArchiveError(f"The saved strategy state cannot be read ({error}); start a new run.") from error

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return arrays[value[_ARRAY]] if set(value) == {_ARRAY} else {k: fill(v) for k, v in value.items()}
        return [fill(v) for v in value] if isinstance(value, list) else value

    result: dict[str, Any] = fill(tree)
    return result


def pack_trials(trials: Sequence[Trial]) -> dict[str, Any]:
    """Decisions ``(b, d)``, status and metrics ``(b, m)`` of each, as arrays: ten thousand take a few milliseconds."""
    if not trials:
        return {}
    names = list(dict.fromkeys(name for t in trials for name in t.metrics))
    return {
        "decisions": np.stack([t.arch.decisions for t in trials]),
        "status": [t.status for t in trials],
        "metrics": names,
        "values": np.array([[t.metrics.get(n, np.nan) for n in names] for t in trials], dtype=np.float64),
        "measured": np.array([[n in t.metrics for n in names] for t in trials], dtype=bool),
    }


def unpack_trials(space: Space, records: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Trial]:
    """What :func:`pack_trials` was given, without origins; the list that version 0.1 wrote is read, too.

    Raises:
        InvalidArchitectureError: decisions are not those of a valid architecture.
    """
    if not isinstance(records, Mapping):
        records = _of_former(records)
    if not records:
        return []
    archs = Population.from_decisions(space.schema, records["decisions"])
    if not space.schema.allows(archs.X, archs.E).all() or not space.is_valid(archs).all():
        raise InvalidArchitectureError(f"{space.name}: a stored trial holds decisions of no valid architecture.")
    rows = zip(space.canonical(archs), records["status"], records["values"].tolist(), records["measured"], strict=True)
    return [
        Trial(
            Proposal(arch, Origin("restored")),
            status,
            {n: v for n, v, there in zip(records["metrics"], values, measured, strict=True) if there},
        )
        for arch, status, values, measured in rows
    ]


def _of_former(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The arrays of :func:`pack_trials` from a record for each trial."""
    if not records:
        return {}
    names = list(dict.fromkeys(name for r in records for name in r["metrics"]))
    return {
        "decisions": np.array([r["arch"] for r in records], dtype=np.int16),
        "status": [r["status"] for r in records],
        "metrics": names,
        "values": np.array([[r["metrics"].get(n, np.nan) for n in names] for r in records], dtype=np.float64),
        "measured": np.array([[n in r["metrics"] for n in names] for r in records], dtype=bool),
    }


def pack_proposals(proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Architecture and origin of each."""
    return [
        {
            "arch": p.arch.decisions.tolist(),
            "origin": [p.origin.source, list(p.origin.parents), p.origin.round],
            **({"details": dict(p.origin.details)} if p.origin.details else {}),
        }
        for p in proposals
    ]


def unpack_proposals(space: Space, records: Sequence[Mapping[str, Any]]) -> list[Proposal]:
    """What :func:`pack_proposals` was given."""
    found = []
    for record in records:
        source, parents, number = record["origin"]
        origin = Origin(source, tuple(parents), number, record.get("details", {}))
        found.append(Proposal(space.architecture(np.array(record["arch"])), origin))
    return found
