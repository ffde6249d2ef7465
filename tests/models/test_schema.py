"""Schemas travel with weights as JSON, and a changed file is noticed."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from gennas.errors import CheckpointError
from gennas.models.schema import check_schema, schema_from_config, schema_to_config
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, make_space

SPACES = [NASBench101(), NASBench201(), NASBenchGraph(), MacroChain()]


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_a_schema_survives_json(space) -> None:
    found = schema_from_config(json.loads(json.dumps(schema_to_config(space.schema))))
    assert found.fingerprint == space.schema.fingerprint
    assert found.ordinals == space.schema.ordinals and found.node_names == space.schema.node_names
    assert (found.decision_mask == space.schema.decision_mask).all()
    check_schema(found, space.schema)


def test_a_changed_mask_is_noticed() -> None:
    config = schema_to_config(NASBench201().schema)
    config["edge_mask"][0][1][2] = 0
    with pytest.raises(CheckpointError, match="the file was changed"):
        schema_from_config(config)


def test_large_masks_are_packed_and_lists_are_still_read() -> None:
    """A chain of 75 decisions, whose masks took 227 kB; what an earlier version wrote opens."""
    space = make_space("gpt-l")
    config = schema_to_config(space.schema)
    assert len(json.dumps(config)) < 6_000
    found = schema_from_config(json.loads(json.dumps(config)))
    assert found.fingerprint == space.schema.fingerprint and (found.edge_mask == space.schema.edge_mask).all()
    lists = {f"{kind}_mask": getattr(space.schema, f"{kind}_mask").astype(int).tolist() for kind in ("node", "edge")}
    assert schema_from_config({**config, **lists}).fingerprint == space.schema.fingerprint


@pytest.mark.parametrize(
    "packed",
    [
        {"shape": [77, 77, 2], "bits": "AAAA"},
        {"shape": [77, 77, 2], "bits": base64.b64encode(zlib.compress(bytes(10**6))).decode()},
        {"shape": [77, 77, 2], "bits": base64.b64encode(zlib.compress(bytes(3))).decode()},
        {"shape": [2**40, 2**40], "bits": ""},
        {"shape": [-1, 2], "bits": ""},
        {"shape": [True, 2], "bits": ""},
        {"shape": "77", "bits": ""},
        {"shape": [77, 77, 2], "bits": None},
        {"bits": ""},
    ],
)
def test_damaged_bits_are_one_line(packed: dict[str, object]) -> None:
    """Neither do they fill the memory."""
    config = {**schema_to_config(make_space("gpt-l").schema), "edge_mask": packed}
    with pytest.raises(CheckpointError, match="no readable schema"):
        schema_from_config(config)


@pytest.mark.parametrize("missing", ["name", "node_labels", "edge_mask", "ordinals"])
def test_missing_parts_are_named(missing: str) -> None:
    config = schema_to_config(NASBench201().schema)
    del config[missing]
    with pytest.raises(CheckpointError, match=missing):
        schema_from_config(config)


def test_a_model_of_another_space_is_refused_with_both_names() -> None:
    with pytest.raises(CheckpointError, match="nasbench101") as caught:
        check_schema(NASBench201().schema, NASBench101().schema)
    assert "nasbench201" in str(caught.value)
