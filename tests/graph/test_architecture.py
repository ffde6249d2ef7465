from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces import MacroChain, NASBench201

SPACE = NASBench201()
SCHEMA = SPACE.schema


@pytest.fixture
def arch() -> Architecture:
    return SPACE.architecture([3, 0, 1, 2, 0, 4])


def test_decisions_and_repr(arch: Architecture) -> None:
    assert arch.decisions.tolist() == [3, 0, 1, 2, 0, 4]
    assert repr(arch) == ("Architecture(nasbench201: nor_conv_3x3 none skip_connect nor_conv_1x1 none avg_pool_3x3)")


def test_equality_and_hash_follow_the_key(arch: Architecture) -> None:
    same = SPACE.architecture([3, 0, 1, 2, 0, 4])
    other = SPACE.architecture([3, 0, 1, 2, 0, 3])
    assert arch == same and hash(arch) == hash(same) and arch.key == same.key
    assert arch != other and arch.key != other.key
    assert arch != "arch"
    assert {arch: 1}[same] == 1


def test_key_is_a_golden_value_that_saved_archives_rely_on(arch: Architecture) -> None:
    assert arch.key == "5bd099615ed5a673"


def test_arrays_are_copied_and_read_only(arch: Architecture) -> None:
    nodes, edges = arch.nodes.copy(), arch.edges.copy()
    mine = Architecture(SCHEMA, nodes, edges)
    edges[0, 1] = 0
    assert mine == arch
    with pytest.raises(ValueError, match="read-only"):
        mine.edges[0, 1] = 0


def test_arrays_that_do_not_fit_are_refused(arch: Architecture) -> None:
    with pytest.raises(InvalidArchitectureError, match=r"expected nodes \(4,\)"):
        Architecture(SCHEMA, arch.nodes[:3], arch.edges)
    with pytest.raises(InvalidArchitectureError, match="masks do not allow"):
        Architecture(SCHEMA, arch.nodes, arch.edges.T)


def test_json_round_trip(arch: Architecture) -> None:
    record = json.loads(arch.to_json())
    assert record["space"] == "nasbench201" and record["decisions"] == [3, 0, 1, 2, 0, 4]
    assert Architecture.from_json(arch.to_json(), SCHEMA) == arch
    assert pickle.loads(pickle.dumps(arch)) == arch


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"schema": 1, "decisions": "x"}', '{"schema": 1, "decisions": [99999]}']
)
def test_json_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        Architecture.from_json(text, SCHEMA)


def test_json_of_another_space_or_with_wrong_labels_is_refused(arch: Architecture) -> None:
    with pytest.raises(InvalidArchitectureError, match="load it with its own space"):
        Architecture.from_json(arch.to_json(), MacroChain().schema)
    record = json.loads(arch.to_json())
    with pytest.raises(InvalidArchitectureError, match="expected 6 decisions"):
        Architecture.from_json(json.dumps(record | {"decisions": [1, 2]}), SCHEMA)
    with pytest.raises(InvalidArchitectureError, match="masks do not allow"):
        Architecture.from_json(json.dumps(record | {"decisions": [1, 2, 3, 4, 0, 7]}), SCHEMA)


def test_population_is_a_sequence_of_architectures(arch: Architecture) -> None:
    other = SPACE.architecture([0] * 6)
    population = Population.of(SCHEMA, [arch, other, arch])
    assert len(population) == 3 and list(population) == [arch, other, arch]
    assert population[-1] == arch and population[1:].keys == [other.key, arch.key]
    assert population[np.array([True, False, True])].keys == [arch.key, arch.key]
    assert population.unique().keys == [arch.key, other.key]
    assert Population.concat([population, population[:1]]).keys == [arch.key, other.key, arch.key, arch.key]
    assert population.keys == [a.key for a in population]


def test_empty_population_has_shapes() -> None:
    empty = Population.of(SCHEMA, [])
    assert empty.X.shape == (0, 4) and empty.E.shape == (0, 4, 4) and empty.decisions.shape == (0, 6)
    assert empty.keys == [] and len(empty.unique()) == 0


def test_populations_do_not_mix_spaces(arch: Architecture) -> None:
    with pytest.raises(InvalidArchitectureError, match="got one of 'nasbench201'"):
        Population.of(MacroChain().schema, [arch])
