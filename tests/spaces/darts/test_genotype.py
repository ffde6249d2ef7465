"""Genotypes as text and as configurations of NAS-Bench-301; what is malformed."""

from __future__ import annotations

from typing import Any

import pytest

from gennas.errors import InvalidArchitectureError
from gennas.spaces import DARTS
from gennas.spaces.darts import Genotype
from gennas.spaces.darts.genotype import PREFIX

V2 = DARTS.reference["DARTS-V2"]
OFFICIAL = (
    "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


def config_of(genotype: Genotype, prefix: str = PREFIX) -> dict[str, Any]:
    """The official dictionary, written out from its definition."""
    first, found = {2: 0, 3: 2, 4: 5, 5: 9}, {f"{prefix}layers": 20, f"{prefix}init_channels": 50}
    for kind in ("normal", "reduce"):
        edges = getattr(genotype, kind)
        for i, (operation, source) in enumerate(edges):
            node = 2 + i // 2
            found[f"{prefix}edge_{kind}_{first[node] + source}"] = operation
            if node > 2:
                sources = sorted(s for _, s in edges[2 * (node - 2) : 2 * (node - 2) + 2])
                found[f"{prefix}inputs_node_{kind}_{node}"] = "_".join(map(str, sources))
    return found


def test_the_official_text_is_read_in_any_order_and_written_by_source() -> None:
    assert str(Genotype.parse(OFFICIAL)) == V2 == str(Genotype.parse(V2))
    assert V2.startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ")
    assert V2.endswith("('max_pool_3x3', 1), ('skip_connect', 2)], reduce_concat=range(2, 6))")


@pytest.mark.parametrize("name", DARTS.reference)
@pytest.mark.parametrize("prefix", [PREFIX, ""])
def test_configurations_are_read(name: str, prefix: str) -> None:
    genotype = Genotype.parse(DARTS.reference[name])
    assert Genotype.of_config(config_of(genotype, prefix)) == genotype


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("Genotype(normal=[], normal_concat=range(2, 6), reduce=[], reduce_concat=range(2, 6))", "eight pairs"),
        (V2.replace("dil_conv_3x3", "dil_conv_9x9"), "source from 0 to 4 into node 5 of normal, got .'dil_conv_9x9'"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"), "from 0 to 4 into node 5 of normal"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"), "two different sources of node 5 of normal, got 0"),
        (V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', True)"), "got .'dil_conv_3x3', True"),
        (V2.replace("('dil_conv_3x3', 2)", "'dil_conv_3x3'"), "got .'dil_conv_3x3',"),
        (V2.replace("range(2, 6)", "range(2, 5)"), "other nodes than 2, 3, 4 and 5"),
        (V2.replace("normal_concat", "concat"), "other names than normal"),
        (V2.replace("[('sep_conv_3x3', 0)", "[__import__('os').system('echo')"), "darts: expected Genotype"),
        ("print('hello')", "no Genotype"),
        ("Genotype(" * 4000, "darts: expected Genotype"),
        ("", "no Genotype"),
    ],
)
def test_malformed_texts_are_refused(wrong: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message) as caught:
        Genotype.parse(wrong)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("inputs_node_normal_4", "0_4", "two nodes before 4 as 'a_b' in inputs_node_normal_4, got '0_4'"),
        ("inputs_node_normal_4", None, "a text as 'inputs_node_normal_4' in the configuration, got none"),
        ("inputs_node_normal_4", 3, "got 3"),
        ("inputs_node_normal_4", "0_1_2", "eight pairs"),
        ("edge_reduce_0", "conv", "got .'conv', 0"),
    ],
)
def test_malformed_configurations_are_refused(key: str, value: Any, message: str) -> None:
    config = config_of(Genotype.parse(V2), "")
    config |= {f"edge_normal_{e}": "skip_connect" for e in range(14)}
    config.pop(key)
    if value is not None:
        config[key] = value
    with pytest.raises(InvalidArchitectureError, match=message):
        Genotype.of_config(config)
