"""Saving predictors as what they were fitted on: loading fits them again, and runs nothing from the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import CheckpointError, reason_of, shown
from gennas.eval.hardware.device_transfer import TransferPredictor
from gennas.eval.hardware.predictors import PREDICTORS, CostPredictor
from gennas.graph import GraphSchema, Population
from gennas.runtime.files import draft
from gennas.runtime.reading import GIB, read_arrays

__all__ = ["load_predictor", "save_predictor"]

Arrays = dict[str, Any]  # of arrays
Makers = Mapping[str, Callable[..., CostPredictor]]


def save_predictor(predictor: CostPredictor, path: str | Path) -> None:
    """Write labels, settings and sources of a fitted predictor to an ``.npz`` file of plain numbers.

    Raises:
        CheckpointError: nothing was fitted, or the file cannot be written.

    Example:
        >>> import tempfile
        >>> from gennas.eval.hardware.predictors import LookupPredictor
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> archs = space.sample(60, np.random.default_rng(0))
        >>> predictor = LookupPredictor()
        >>> predictor.fit(archs, 1.0 + (archs.decisions == 3).sum(1))
        >>> file = Path(tempfile.mkdtemp()) / "latency.npz"
        >>> save_predictor(predictor, file)
        >>> bool((load_predictor(file, space.schema).predict(archs)[0] == predictor.predict(archs)[0]).all())
        True
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise CheckpointError(f"Expected a file name that ends in .npz, got {shown(str(path))}.")
    arrays: Arrays = {}
    arrays["header"] = np.array(json.dumps(_pack(predictor, arrays)))
    try:
        with draft(path) as place:
            np.savez_compressed(place, **arrays)
    except OSError as error:
        raise CheckpointError(f"The predictor could not be written to {path}: {reason_of(error)}.") from error


def load_predictor(path: str | Path, schema: GraphSchema, makers: Makers | None = None) -> CostPredictor:
    """Read what :func:`save_predictor` wrote and fit it again, to the same predictions.

    Args:
        path: the file.
        schema: of the space whose architectures are to be predicted.
        makers: how to make other kinds than those of :data:`~gennas.eval.hardware.predictors.PREDICTORS`.

    Raises:
        CheckpointError: the file is missing or damaged, of an unknown kind, or belongs to another schema.
    """
    known = {**{name: PREDICTORS.get(name) for name in PREDICTORS}, **(makers or {})}
    arrays = read_arrays(Path(path), GIB, CheckpointError, "a saved predictor")
    try:
        return _unpack(json.loads(str(arrays["header"])), arrays, schema, known)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise CheckpointError(
            f"Expected a saved predictor in {path}, got: {type(error).__name__}: {reason_of(error)}."
        ) from error


def _pack(predictor: CostPredictor, arrays: Arrays) -> dict[str, Any]:
    """Put the labels into ``arrays`` and return the rest."""
    if predictor.archs is None:
        raise CheckpointError(f"Expected a fitted {predictor.kind} predictor; call fit before it is saved.")
    sources = predictor.sources if isinstance(predictor, TransferPredictor) else ()
    number = len(arrays) // 2
    arrays[f"decisions{number}"], arrays[f"values{number}"] = predictor.archs.decisions, predictor.values
    return {
        "kind": predictor.kind,
        "settings": dict(predictor.settings),
        "schema": predictor.archs.schema.fingerprint,
        "number": number,
        "sources": [_pack(source, arrays) for source in sources],
    }


def _unpack(header: Mapping[str, Any], arrays: Arrays, schema: GraphSchema, makers: Makers) -> CostPredictor:
    kind = header["kind"]
    if not schema.wrote(header["schema"]):
        raise CheckpointError(
            f"The predictor belongs to the schema {header['schema']}, expected {schema.fingerprint} ({schema.name}); "
            "use the space it was fitted for."
        )
    if kind == TransferPredictor.kind:
        sources = [_unpack(source, arrays, schema, makers) for source in header["sources"]]
        predictor: CostPredictor = TransferPredictor(sources, **header["settings"])
    elif kind in makers:
        predictor = makers[kind](**header["settings"])
    else:
        raise CheckpointError(f"Unknown kind of predictor {shown(kind)}; known: {', '.join(makers)}, transfer.")
    D = np.asarray(arrays[f"decisions{header['number']}"])
    if D.ndim != 2 or D.shape[1] != schema.num_decisions or D.dtype.kind not in "iu":
        raise CheckpointError(f"Expected decisions (b, {schema.num_decisions}), got {D.dtype} {D.shape}.")
    archs = Population.from_decisions(schema, D)
    if not schema.allows(archs.X, archs.E).all():
        raise CheckpointError("The saved decisions hold a label that the schema's masks do not allow.")
    predictor.fit(archs, arrays[f"values{header['number']}"])
    return predictor
