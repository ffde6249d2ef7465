"""Schemas travel with weights as JSON, and a changed file is noticed."""

from __future__ import annotations

import json

import pytest

from gennas.errors import CheckpointError
from gennas.models.schema import check_schema, schema_from_config, schema_to_config
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph

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
