"""Candidates, swaps and assembled networks of real small parents."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.complexity import count_flops
from gennas.graph import Architecture, GraphSchema
from gennas.spaces import MacroChain, NASBench201, Space, TaskSpec
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.parts import Parts, Plain
from gennas.spaces.stack import Place, Stack, Values
from gennas.training import Trainer
from gennas.training.blocks import BlockLibrary, Bound, choose_blocks, score_blocks, train_blocks
from gennas.training.blocks.distillation import normalised_error
from gennas.training.data import Batch

from .conftest import Parent  # type: ignore[import-not-found]


def inputs(parent: Parent) -> tuple[torch.Tensor, ...]:
    _, task, _, _ = parent
    return next(task.data.batches("validation", 8)).inputs


@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_the_parents_own_blocks_change_nothing(name: str, request: pytest.FixtureRequest) -> None:
    parent: Parent = request.getfixturevalue(name)
    library: BlockLibrary = request.getfixturevalue(f"{name}_library")
    network, x = parent[3].eval(), inputs(parent)
    with torch.no_grad():
        expected = network(*x)
        assert torch.equal(library.assemble(library.own_choice)(*x), expected)
        for layer, blocks in enumerate(library.layers):
            with library.swapped(layer, blocks[0]) as same:
                assert torch.equal(same(*x), expected)
        assert torch.equal(library.parent(*x), expected)  # and all is put back
    assert all(blocks[0].error == 0 and blocks[0].is_own for blocks in library.layers)
    assert len({tuple(blocks[0].scores.items()) for blocks in library.layers}) == 1


@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_what_is_assembled_is_what_was_swapped(name: str, request: pytest.FixtureRequest) -> None:
    """One block swapped into the parent, or a network of its own with it; a layer that is left out, too."""
    library: BlockLibrary = request.getfixturevalue(f"{name}_library")
    x = inputs(request.getfixturevalue(name))
    for layer in (0, 2):
        for k, block in enumerate(library.layers[layer]):
            choice = [0] * len(library.layers)
            choice[layer] = k
            with library.swapped(layer, block) as swapped, torch.no_grad():
                assert torch.equal(library.assemble(choice)(*x), swapped(*x)), block.text


@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_costs_add_up(name: str, request: pytest.FixtureRequest) -> None:
    library: BlockLibrary = request.getfixturevalue(f"{name}_library")
    for choice in ([0, 0, 0], [1, 2, 3], [len(blocks) - 1 if i == 1 else 1 for i, blocks in enumerate(library.layers)]):
        network = library.assemble(choice)
        counted = count_flops(network, library.example)
        for cost in ("params", "flops"):
            sum_of = library.rest(cost) + sum(getattr(b[k], cost) for b, k in zip(library.layers, choice, strict=True))
            assert sum_of == getattr(counted, cost)


def test_candidates_begin_with_the_parents_slices(gpt: Parent) -> None:
    library = BlockLibrary(*gpt)
    own = dict(gpt[3].get_submodule("blocks.0").named_parameters())
    narrow = next(b for b in library.layers[0] if b.text == "mixer=attention heads=2 mlp=1")
    for name, weight in narrow.module.named_parameters():
        assert torch.equal(weight, own[name][tuple(slice(size) for size in weight.shape)])
    hidden = dict(narrow.module.named_parameters())["mlp.0.weight"]
    assert hidden.shape == (16, 16) and own["mlp.0.weight"].shape == (32, 16)


def test_candidates_are_no_larger_than_the_parents(gpt_library: BlockLibrary) -> None:
    texts = [block.text for block in gpt_library.layers[2]]
    assert texts[0] == "mixer=conv mlp=2" and texts[-1] == "out" and "mixer=none mlp=1" in texts
    assert "mixer=attention heads=1 mlp=2" in texts  # the parent has no heads there: any will do
    assert len(set(texts)) == len(texts)


def test_training_lowers_the_error_and_is_charged(gpt: Parent, gpt_library: BlockLibrary) -> None:
    untrained = BlockLibrary(*gpt)
    assert train_blocks(untrained, 0) == 0 and untrained.seconds == 0
    score_blocks(untrained)
    for before, after in zip(chain(*untrained.layers), chain(*gpt_library.layers), strict=True):
        if after.can_learn:
            assert after.error < before.error and after.steps == 15 and after.seconds > 0
        else:
            assert (after.error, after.steps, after.seconds) == (before.error, 0, 0)


def test_errors_are_those_of_the_outputs(vit: Parent, vit_library: BlockLibrary) -> None:
    """The normalised error of a block over the validation part, computed anew from the parent's activations."""
    x = next(vit[1].data.batches("validation", 10**6))
    seen = vit_library.seen(Batch(x.inputs, None, x.y))[1]
    block = vit_library.layers[1][2]
    with torch.no_grad():
        made = block.module(*seen.inputs)
    assert float(normalised_error(made, seen.output)) == pytest.approx(block.error, rel=1e-4)
    out = vit_library.layers[1][-1]
    assert out.values is None
    assert float((seen.inputs[0] - seen.output).square().sum() / seen.output.square().sum()) == pytest.approx(out.error)


def test_the_parent_is_not_trained(gpt: Parent) -> None:
    before = copy.deepcopy(gpt[3].state_dict())
    library = BlockLibrary(*gpt)
    train_blocks(library, 2)
    for state in (gpt[3].state_dict(), library.parent.state_dict()):
        assert all(torch.equal(before[name], state[name]) for name in before)


def test_an_assembled_network_continues_to_train(vit: Parent, vit_library: BlockLibrary) -> None:
    network = vit_library.assemble([1, 1, len(vit_library.layers[2]) - 1])
    before = vit_library.assemble([1, 1, len(vit_library.layers[2]) - 1])
    task = vit[1]
    result = Trainer(task, replace(task.config, epochs=3)).fit(network)
    assert result.train_loss[-1] < result.train_loss[0]
    blocks = dict(before.named_parameters())
    assert all(not torch.equal(weight, blocks[name]) for name, weight in network.named_parameters() if "fc1" in name)


# ---------------------------------------------------------------------- spaces


class FirstIsDifferent(LayeredSpace):
    """Layers whose first one has values of its own."""

    name = "first"

    def __init__(self) -> None:
        super().__init__(self.name, (), [Group("layer", (1, 2, 3), (Decision("op", ("a", "b"), first=("a",)),))])

    def build(self, arch, spec):  # type: ignore[no-untyped-def]
        raise NotImplementedError


def test_which_layers_can_be_left_out(gpt: Parent) -> None:
    stack = gpt[0].stack(gpt[2])
    assert stack.num_groups == 1 and stack.depths(0) == (1, 2, 3) and not stack.only_last(0)
    shorter = stack.architecture([stack.own()[0], None, stack.own()[2]])
    assert gpt[0].to_text(shorter) == "embed=16;depth=2;mixer=attention,conv;heads=2,-;mlp=2,2"
    space = FirstIsDifferent()
    last = space.stack(space.from_text("depth=3;op=a,b,b"))
    assert last.only_last(0) and None not in last.options(0) and None in last.options(1) and None in last.options(2)


class Residual(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Row(nn.Module):
    def __init__(self, parts: Parts, spec: TaskSpec) -> None:
        super().__init__()
        self.stem = nn.Linear(math.prod(spec.input_shape), 8)
        self.blocks = nn.ModuleList(parts.choice(t, lambda s: Residual((16, 4)[s])) for t in range(3))
        self.head = nn.Linear(8, spec.num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x.flatten(1))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class WideOrNarrow(Space):
    """Three layers that are wide or narrow, without being a layered space."""

    name = "wide-or-narrow"

    def __init__(self) -> None:
        edges = np.zeros((3, 3, 2), dtype=bool)
        edges[..., 0] = True
        edges[[0, 1], [1, 2]] = [False, True]
        self.schema = GraphSchema(self.name, ("wide", "narrow"), ("none", "edge"), np.ones((3, 2), bool), edges)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        return Row(parts, spec)

    def stack(self, arch: Architecture) -> Stack:
        return OwnStack(self, arch, [Place(0, i, {"size": w}) for i, w in enumerate(self.to_text(arch).split("/"))])


class OwnStack(Stack):
    def depths(self, group: int) -> tuple[int, ...]:
        return (3,)

    def options(self, layer: int) -> list[Values | None]:
        own = self.places[layer].values
        return [own] if own == {"size": "narrow"} else [own, {"size": "narrow"}]

    def architecture(self, layers: Sequence[Values | None]) -> Architecture:
        return self.space.from_text("/".join(str(values["size"]) for values in layers if values is not None))


def test_a_space_of_your_own_says_what_its_layers_can_be(vit: Parent) -> None:
    space, task = WideOrNarrow(), vit[1]
    arch = space.from_text("wide/narrow/wide")
    torch.manual_seed(0)
    library = BlockLibrary(space, task, arch, space.build(arch, task.spec))
    assert [[b.text for b in blocks] for blocks in library.layers] == [
        ["size=wide", "size=narrow"], ["size=narrow"], ["size=wide", "size=narrow"],
    ]  # fmt: skip
    score_blocks(library)
    wide, narrow = (block.params for block in library.layers[0])
    bound = library.parent_costs["params"] - (wide - narrow)
    chosen = choose_blocks(library, [Bound.parse(f"params<={bound}")])  # of a network that learnt nothing: one or both
    sizes = space.to_text(library.architecture(chosen)).split("/")
    assert sizes.count("narrow") >= 2 and sizes[1] == "narrow"


def test_spaces_without_layers(vit: Parent) -> None:
    cells = NASBench201(num_cells=1, width=4)
    with pytest.raises(ConfigError, match="no layers to replace"):
        BlockLibrary(cells, vit[1], cells.from_text("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), vit[3])
    macro = MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))
    arch = macro.from_text("conv3x3-w4-s1/conv3x3-w4-s1")
    with pytest.raises(ConfigError):
        BlockLibrary(macro, vit[1], arch, macro.build(arch, vit[1].spec))


def test_scores_are_asked_for_first(vit: Parent) -> None:
    with pytest.raises(EvaluationError, match="score_blocks"):
        choose_blocks(BlockLibrary(*vit), [Bound("params", 0.5)])
    with pytest.raises(ConfigError, match="steps=-1"):
        train_blocks(BlockLibrary(*vit), -1)
