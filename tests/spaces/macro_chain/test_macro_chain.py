from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import MacroChain, TaskSpec, make_space

TINY = {"max_depth": 3, "min_depth": 1, "operations": ("conv", "inverted"), "kernels": (3,), "widths": (4,)}
TEXT = "conv3x3-w16-s1/separable5x5-w32-s2/inverted7x7-w32-s1"


@pytest.fixture(scope="module")
def tiny() -> MacroChain:
    return MacroChain(**TINY, max_downsamplings=1)


def tiny_texts() -> set[str]:
    """All chains of the tiny space, by brute force over texts."""
    layers = [f"{op}3x3-w4-s{s}" for op in ("conv", "inverted") for s in (1, 2)]
    chains = (chain for d in (1, 2, 3) for chain in product(layers, repeat=d))
    return {"/".join(chain) for chain in chains if sum("s2" in layer for layer in chain) <= 1}


def test_one_decision_per_node_on_a_chain() -> None:
    schema = MacroChain(max_depth=2).schema
    assert schema.node_names == (
        "depth",
        *("layer1.op", "layer1.kernel", "layer1.width", "layer1.stride"),
        *("layer2.op", "layer2.kernel", "layer2.width", "layer2.stride"),
    )
    assert schema.ordinals == {
        "depth2": 2,
        "k3": 3,
        "k5": 5,
        "k7": 7,
        "w16": 16,
        "w32": 32,
        "w64": 64,
        "s1": 1,
        "s2": 2,
    }
    _, E = schema.from_decisions(np.zeros((1, schema.num_decisions), dtype=np.int16))
    assert np.array_equal(E[0], np.eye(9, k=1))


def test_text_becomes_decisions() -> None:
    space = MacroChain(max_depth=4, min_depth=1)
    arch = space.from_text(TEXT)
    labels = [space.schema.node_labels[x] for x in arch.nodes]
    assert labels == [
        "depth3",
        *("conv", "k3", "w16", "s1"),
        *("separable", "k5", "w32", "s2"),
        *("inverted", "k7", "w32", "s1"),
        *("off", "off", "off", "off"),
    ]
    assert space.to_text(arch) == TEXT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv3x3-w16", "Expected a layer like"),
        ("conv3x5-w16-s1", "Expected a layer like"),
        ("conv3x3-w16-s1", "expected 2 to 8 layers, got 1"),
        ("conv3x3-w16-s1/pool3x3-w16-s1", "layer 2 has op pool"),
        ("conv3x3-w16-s1/conv9x9-w16-s1", "layer 2 has kernel 9"),
        ("/".join(["conv3x3-w16-s2"] * 4), "at most 3 layers of stride 2"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        MacroChain().from_text(text)


def test_size_equals_brute_force(tiny: MacroChain) -> None:
    assert tiny.size == len(tiny_texts()) == 2 * 2 + 4 * 3 + 8 * 4


def test_size_of_the_default_space_is_exact() -> None:
    downsamplings = {2: 4, 3: 8, 4: 15, 5: 26, 6: 42, 7: 64, 8: 93}
    assert MacroChain().size == sum(27**d * ways for d, ways in downsamplings.items())


def test_samples_are_uniform_over_all_chains(tiny: MacroChain, rng: np.random.Generator) -> None:
    texts = tiny_texts()
    samples = tiny.sample(4800, rng)
    keys, counts = np.unique(np.array(samples.keys), return_counts=True)
    assert {tiny.to_text(arch) for arch in samples.unique()} == texts
    assert len(keys) == 48
    assert ((counts - 100) ** 2 / 100).sum() < 82.8  # chi-square, 47 degrees of freedom, p = 0.001


def test_completions_count_what_brute_force_finds(tiny: MacroChain) -> None:
    everything = np.array([tiny.from_text(text).decisions for text in sorted(tiny_texts())])
    for t in range(tiny.schema.num_decisions):
        counts = tiny.completions(everything, t)
        for row, count in zip(everything, counts, strict=True):
            tails = everything[(everything[:, :t] == row[:t]).all(axis=1), t]
            assert np.array_equal(count, np.bincount(tails, minlength=tiny.schema.num_symbols))


def test_legality_looks_ahead_at_depth_and_downsamplings(tiny: MacroChain) -> None:
    schema = tiny.schema
    arch = tiny.from_text("conv3x3-w4-s2/conv3x3-w4-s1")
    names = [schema.node_names[slot.target] for slot in schema.slots]
    stride, beyond = names.index("layer2.stride"), names.index("layer3.op")
    D = arch.decisions[None]
    assert [schema.node_labels[s] for s in np.flatnonzero(tiny.legal(D, stride)[0])] == ["s1"]
    assert [schema.node_labels[s] for s in np.flatnonzero(tiny.legal(D, beyond)[0])] == ["off"]


def test_neighbours_copy_or_drop_the_last_layer_or_change_one_choice(tiny: MacroChain) -> None:
    near = tiny.neighbours(tiny.from_text("conv3x3-w4-s1/inverted3x3-w4-s1"))
    assert {tiny.to_text(arch) for arch in near} == {
        "conv3x3-w4-s1",
        "conv3x3-w4-s1/inverted3x3-w4-s1/inverted3x3-w4-s1",
        "inverted3x3-w4-s1/inverted3x3-w4-s1",
        "conv3x3-w4-s1/conv3x3-w4-s1",
        "conv3x3-w4-s2/inverted3x3-w4-s1",
        "conv3x3-w4-s1/inverted3x3-w4-s2",
    }


def test_copied_layer_loses_its_stride_where_no_more_is_allowed(tiny: MacroChain) -> None:
    near = {tiny.to_text(arch) for arch in tiny.neighbours(tiny.from_text("conv3x3-w4-s2"))}
    assert near == {"conv3x3-w4-s2/conv3x3-w4-s1", "inverted3x3-w4-s2", "conv3x3-w4-s1"}


def test_neighbourhood_connects_the_space(tiny: MacroChain) -> None:
    frontier = [tiny.from_text("conv3x3-w4-s1")]
    found = {arch.key for arch in frontier}
    while frontier:
        near = [arch for centre in frontier for arch in tiny.neighbours(centre)]
        frontier = [arch for arch in dict.fromkeys(near) if arch.key not in found]
        found |= {arch.key for arch in frontier}
    assert len(found) == 48


def test_mutation_draws_every_neighbour_equally_often(tiny: MacroChain, rng: np.random.Generator) -> None:
    arch = tiny.from_text("conv3x3-w4-s1/inverted3x3-w4-s1")
    mutants = tiny.mutate(Population.of(tiny.schema, [arch] * 1200), rng)
    keys, counts = np.unique(np.array(mutants.keys), return_counts=True)
    assert set(keys) == set(tiny.neighbours(arch).keys)
    assert ((counts - 200) ** 2 / 200).sum() < 20.5  # chi-square, 5 degrees of freedom, p = 0.001


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
def test_networks_have_the_stated_shape(shape: tuple[int, int, int]) -> None:
    space = MacroChain()
    network = space.build(space.from_text(TEXT), TaskSpec("image", shape, 5)).eval()
    features: list[torch.Size] = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _m, _i, out: features.append(out.shape[1:]))
    assert network(torch.zeros(2, *shape)).shape == (2, 5)
    h = shape[1]
    assert features == [(16, h, h), (32, h // 2, h // 2), (32, h // 2, h // 2)]


def test_parameter_count_by_hand() -> None:
    space = MacroChain(min_depth=1)
    network = space.build(space.from_text("separable3x3-w16-s1"), TaskSpec("image", (1, 8, 8), 10))
    stem, depthwise, pointwise = 9 * 16 + 32, 9 * 16 + 32, 16 * 16 + 32
    assert sum(p.numel() for p in network.parameters()) == stem + depthwise + pointwise + 32 + 16 * 10 + 10


def test_inverted_bottleneck_is_residual_only_where_shapes_agree() -> None:
    space = MacroChain(min_depth=1)
    text = "inverted3x3-w16-s1/inverted3x3-w32-s1/inverted3x3-w32-s2"
    layers = space.build(space.from_text(text), TaskSpec("image", (1, 8, 8), 10)).layers
    assert [layer.is_residual for layer in layers] == [True, False, False]
    torch.nn.init.zeros_(layers[0].body[-1].weight)  # the last normalisation: the branch adds nothing
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(layers[0].eval()(x), x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_depth": 0}, "min_depth"),
        ({"max_depth": 1}, "min_depth <= max_depth"),
        ({"operations": ("conv", "pool")}, "operations"),
        ({"kernels": (2,)}, "odd"),
        ({"widths": ()}, "different choices"),
        ({"widths": (8, 8)}, "different choices"),
        ({"strides": (2,)}, "strides"),
        ({"max_downsamplings": -1}, "max_downsamplings"),
        (
            {"max_depth": 2, "operations": ("conv",), "kernels": (3,), "widths": (4,), "strides": (1,)},
            "single architecture",
        ),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_space("macro-chain", **options)


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0.5, "conv3x3-w16-s1/conv5x5-w16-s2"),
        (1.0, "conv3x3-w16-s1/inverted3x3-w16-s1/conv5x5-w16-s2"),
        (2.0, "conv3x3-w16-s1/" + "inverted3x3-w16-s1/" * 3 + "conv5x5-w16-s2/conv5x5-w16-s1"),
    ],
)
def test_depth_stretches_stages_and_keeps_their_strides(depth: float, expected: str) -> None:
    space = MacroChain(min_depth=1)
    text = "conv3x3-w16-s1/inverted3x3-w16-s1/conv5x5-w16-s2"
    network = space.scaled(depth=depth).build(space.from_text(text), TaskSpec("image", (1, 8, 8), 10))
    expected_network = space.build(space.from_text(expected), TaskSpec("image", (1, 8, 8), 10))
    assert str(network) == str(expected_network)


def test_identity_tells_depths_apart() -> None:
    space = MacroChain()
    assert space.scaled(0.5).scaled(2.0).identity == space.identity
    assert space.scaled(depth=0.5).identity != space.identity


def test_long_chains_are_counted_and_sampled_exactly() -> None:
    space = MacroChain(max_depth=400, min_depth=399, kernels=(3,), widths=(8,), strides=(1,))
    assert space.size == 3**399 + 3**400
    counts = space.completions(np.zeros((1, space.schema.num_decisions), dtype=np.int16), 0)
    assert counts[0, :2].tolist() == [3**399, 3**400]
    assert space.is_valid(space.sample(4, np.random.default_rng(0))).all()
