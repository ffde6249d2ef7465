"""Strategy states as bytes: JSON for plain values, safetensors for arrays; nothing pickled. Trials as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.errors import ArchiveError
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


def pack_trials(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Architecture, metrics and status of each."""
    return [{"arch": t.arch.decisions.tolist(), "metrics": dict(t.metrics), "status": t.status} for t in trials]


def unpack_trials(space: Space, records: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """What :func:`pack_trials` was given, without origins."""
    return [
        Trial(Proposal(space.architecture(np.array(r["arch"])), Origin("restored")), r["status"], r["metrics"])
        for r in records
    ]


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
