"""Schemas inside model configurations: as plain JSON values, and the check when weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gennas.errors import CheckpointError, shown
from gennas.graph import GraphSchema


def schema_to_config(schema: GraphSchema) -> dict[str, Any]:
    """The schema as JSON-able values; masks as nested lists of 0 and 1."""
    return {
        "name": schema.name,
        "node_labels": list(schema.node_labels),
        "edge_labels": list(schema.edge_labels),
        "node_mask": schema.node_mask.astype(int).tolist(),
        "edge_mask": schema.edge_mask.astype(int).tolist(),
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
            np.array(config["node_mask"], dtype=bool),
            np.array(config["edge_mask"], dtype=bool),
            tuple(config["node_names"]),
            dict(config["ordinals"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The model's configuration holds no readable schema: {shown(error)}.") from error
    if not schema.wrote(config.get("fingerprint")):
        raise CheckpointError(
            f"The schema {schema.name!r} in the model's configuration has fingerprint {schema.fingerprint}, but "
            f"{config.get('fingerprint')} was recorded: the file was changed. Train or copy the model again."
        )
    return schema


def check_schema(got: GraphSchema, expected: GraphSchema) -> None:
    """Raise CheckpointError unless a model of schema ``got`` can serve ``expected``."""
    if got.fingerprint != expected.fingerprint:
        raise CheckpointError(
            f"Expected a model of {expected.name!r} (schema {expected.fingerprint}), got one of {got.name!r} "
            f"(schema {got.fingerprint}); load it with its own space or train a new one."
        )
