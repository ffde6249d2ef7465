"""Candidates, swaps and assembled networks of real small parents."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain

import pytest
import torch

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.complexity import count_flops
from gennas.spaces import MacroChain, NASBench201
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.training import Trainer
from gennas.training.blocks import BlockLibrary, Stack, score_blocks, train_blocks
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
    stack = Stack(gpt[0], gpt[2])
    assert stack.depths(0) == (1, 2, 3) and not stack.only_last(0)
    shorter = stack.architecture([stack.own()[0], None, stack.own()[2]])
    assert gpt[0].to_text(shorter) == "embed=16;depth=2;mixer=attention,conv;heads=2,-;mlp=2,2"
    space = FirstIsDifferent()
    last = Stack(space, space.from_text("depth=3;op=a,b,b"))
    assert last.only_last(0) and None not in last.options(0) and None in last.options(1) and None in last.options(2)


def test_spaces_without_layers(vit: Parent) -> None:
    cells = NASBench201(num_cells=1, width=4)
    with pytest.raises(ConfigError, match="no layers to replace"):
        BlockLibrary(cells, vit[1], cells.from_text("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), vit[3])
    macro = MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))
    arch = macro.from_text("conv3x3-w4-s1/conv3x3-w4-s1")
    with pytest.raises(ConfigError):
        BlockLibrary(macro, vit[1], arch, macro.build(arch, vit[1].spec))


def test_scores_are_asked_for_first(vit: Parent) -> None:
    from gennas.training.blocks import Bound, choose_blocks

    with pytest.raises(EvaluationError, match="score_blocks"):
        choose_blocks(BlockLibrary(*vit), [Bound("params", 0.5)])
    with pytest.raises(ConfigError, match="steps=-1"):
        train_blocks(BlockLibrary(*vit), -1)
