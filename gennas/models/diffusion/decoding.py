"""Decisions drawn one after the other, each among what is legal after the ones before."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import GraphSchema
from gennas.models.base import FloatArray, Legality

__all__ = ["LEAST", "REPAIR", "decode", "decode_once", "decode_scored"]

_EXACT_ROUNDS, _FLAT_ROUNDS, _REPEATS = 16, 16, 64
REPAIR = 1e-6  # weight of labels that a slot's own state rules out, for when legality rules out the others
LEAST = 1e-12  # added to every label, so that a legal one always has a chance


def decode(
    p: FloatArray,
    known: NDArray[np.integer],
    schema: GraphSchema,
    legal: Legality | None,
    generator: torch.Generator | None,
    device: torch.device,
    labels: NDArray[np.integer] | None = None,
) -> NDArray[np.int16]:
    """Draw decisions in slot order from weights ``p (n, d, K)``, each restricted to the legal labels.

    Rows where a fixed decision turned out illegal are rejected and drawn again, ever fewer rows,
    each ever more often at a time. For the first rounds this is exact: what comes out is distributed
    as decoding without the fixed decisions, given that it agrees with them. After that the
    rows that are left are drawn ever closer to uniformly.

    Args:
        p: weights, not normalised.
        known: fixed decisions ``(n, d)``, -1 where free.
        schema: of the architectures.
        legal: legality of the space; None: the masks alone.
        generator: source of randomness, on ``device``.
        device: where random numbers are drawn.
        labels: which label each column of ``p`` stands for, ``(d, K)``, ``L`` for none; None: its number.

    Raises:
        ConfigError: no legal architecture with the fixed decisions was found.
    """
    D = np.where(known >= 0, known, 0).astype(np.int16)
    todo = np.arange(len(p))
    for i in range(_EXACT_ROUNDS + _FLAT_ROUNDS):
        flat = max(0, i - _EXACT_ROUNDS + 1) / _FLAT_ROUNDS
        repeats = 1 if i == 0 else max(1, min(_REPEATS, 4096 // len(todo)))
        rows = np.tile(todo, repeats)
        size = (len(rows), p.shape[1])
        u = torch.rand(size, generator=generator, device=device, dtype=torch.float64).cpu().numpy()
        drawn = decode_once((1 - flat) * p[rows] + flat, u, known[rows], schema, legal, labels)
        kept = ((drawn == known[rows]) | (known[rows] < 0)).all(1)
        found, first = np.unique(rows[kept], return_index=True)
        D[found] = drawn[kept][first]
        todo = np.setdiff1d(todo, found)
        if not len(todo):
            return D
    raise ConfigError(
        f"{schema.name}: no legal architecture with the fixed decisions {known[todo[0]].tolist()} was found; "
        "free some of them (-1) or check that they are legal together."
    )


def decode_once(
    p: FloatArray,
    u: FloatArray,
    known: NDArray[np.integer],
    schema: GraphSchema,
    legal: Legality | None,
    labels: NDArray[np.integer] | None = None,
) -> NDArray[np.int16]:
    """One pass over the slots; a fixed label is taken wherever it is legal. ``u (n, d)`` in [0, 1) decides."""
    D = np.zeros_like(known, dtype=np.int16)
    rows = np.arange(len(D))
    for t in range(schema.num_decisions):
        full = np.broadcast_to(schema.decision_mask[t], (len(D), schema.num_symbols)) if legal is None else legal(D, t)
        allowed = full if labels is None else full[:, labels[t].clip(max=full.shape[1] - 1)]
        if labels is not None:
            allowed = allowed & (labels[t] < full.shape[1])
        cumulative = np.cumsum((p[:, t] + LEAST) * allowed, axis=1)
        threshold = u[:, t] * cumulative[:, -1]
        drawn = (cumulative <= threshold[:, None]).sum(1)
        chosen = drawn if labels is None else labels[t][drawn]
        wish = np.where(known[:, t] >= 0, known[:, t], 0)
        D[:, t] = np.where((known[:, t] >= 0) & full[rows, wish], wish, chosen)
    return D


def decode_scored(
    q: FloatArray, p: FloatArray, u: FloatArray, schema: GraphSchema, legal: Legality | None
) -> tuple[NDArray[np.int16], FloatArray]:
    r"""Decode from weights ``q (n, d, L)``, and say by how much likelier ``p`` would have made the same, in nats.

    Returns:
        Decisions ``(n, d)`` and :math:`\log p(a) - \log q(a)`, ``(n,)``, both among what is legal.
    """
    D, ratio, rows = np.zeros(u.shape, dtype=np.int16), np.zeros(len(u)), np.arange(len(u))
    for t in range(schema.num_decisions):
        allowed = np.broadcast_to(schema.decision_mask[t], q[:, t].shape) if legal is None else legal(D, t)
        wanted, plain = (q[:, t] + LEAST) * allowed, (p[:, t] + LEAST) * allowed
        cumulative = np.cumsum(wanted, axis=1)
        D[:, t] = (cumulative <= (u[:, t] * cumulative[:, -1])[:, None]).sum(1)
        ratio += np.log(plain[rows, D[:, t]] / plain.sum(1)) - np.log(wanted[rows, D[:, t]] / wanted.sum(1))
    return D, ratio
