"""Schemas inside model configurations: as plain JSON values, and the check when weights are loaded."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import CheckpointError, shown
from gennas.graph import GraphSchema

_MOST_LISTED = 4096  # entries of a mask that is written as nested lists
_LARGEST = 2**31  # entries of a mask that is read


def schema_to_config(schema: GraphSchema) -> dict[str, Any]:
    """The schema as JSON-able values; masks as nested lists of 0 and 1, large ones as packed bits.

    The masks of a chain of 111 nodes take half a megabyte as lists, and some hundred bytes packed.
    """
    return {
        "name": schema.name,
        "node_labels": list(schema.node_labels),
        "edge_labels": list(schema.edge_labels),
        "node_mask": _written(schema.node_mask),
        "edge_mask": _written(schema.edge_mask),
        "node_names": list(schema.node_names),
        "ordinals": dict(schema.ordinals),
        "fingerprint": schema.fingerprint,
    }


def schema_from_config(config: Mapping[str, Any]) -> GraphSchema:
    """The schema that :func:`schema_to_config` wrote."""
    try:
        schema = GraphSchema(
            config["name"],
            tuple(config["node_labels"]),
            tuple(config["edge_labels"]),
            _read(config["node_mask"]),
            _read(config["edge_mask"]),
            tuple(config["node_names"]),
            dict(config["ordinals"]),
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise CheckpointError(f"The model's configuration holds no readable schema: {shown(error)}.") from error
    if not schema.wrote(config.get("fingerprint")):
        raise CheckpointError(
            f"The schema {schema.name!r} in the model's configuration has fingerprint {schema.fingerprint}, but "
            f"{shown(config.get('fingerprint'), 60)} was recorded: the file was changed. Train or copy the model again."
        )
    return schema


def _written(mask: NDArray[np.bool_]) -> Any:
    """A mask as nested lists, or its shape and its bits: packed, compressed, as base64."""
    if mask.size <= _MOST_LISTED:
        return mask.astype(int).tolist()
    bits = base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode("ascii")
    return {"shape": list(mask.shape), "bits": bits}


def _read(written: Any) -> NDArray[np.bool_]:
    """What :func:`_written` wrote.

    Raises:
        KeyError, TypeError, ValueError, zlib.error: it is neither, or has not as many bits as its shape says.
    """
    if not isinstance(written, Mapping):
        return np.array(written, dtype=bool)
    shape = tuple(written["shape"])
    if not all(type(n) is int and n > 0 for n in shape) or not 0 < (size := math.prod(shape)) < _LARGEST:
        raise ValueError(f"expected the shape of a mask, got {shown(shape, 60)}")
    unpacker, length = zlib.decompressobj(), (size + 7) // 8
    packed = unpacker.decompress(base64.b64decode(written["bits"], validate=True), length + 1)
    if len(packed) != length or not unpacker.eof:
        raise ValueError(f"expected {length:,} bytes of a mask {shape}, got {len(packed):,}")
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=size).reshape(shape).astype(bool)


def check_schema(got: GraphSchema, expected: GraphSchema) -> None:
    """Raise CheckpointError unless a model of schema ``got`` can serve ``expected``."""
    if got.fingerprint != expected.fingerprint:
        raise CheckpointError(
            f"Expected a model of {expected.name!r} (schema {expected.fingerprint}), got one of {got.name!r} "
            f"(schema {got.fingerprint}); load it with its own space or train a new one."
        )
