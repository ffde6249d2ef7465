"""DARTS networks: shapes at odd and tiny sizes, the auxiliary head, dropped paths."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.spaces import DARTS, TaskSpec
from gennas.spaces.darts.genotype import OPERATIONS, Genotype
from gennas.spaces.darts.networks import Cell, DARTSNetwork, FactorizedReduce, edge_operation
from gennas.spaces.parts import Plain


def network(spec: TaskSpec, **options: object) -> DARTSNetwork:
    space = DARTS(num_cells=3, width=4, **options)  # type: ignore[arg-type]
    torch.manual_seed(0)
    module = space.build(space.from_text(space.reference["DARTS-V2"]), spec)
    assert isinstance(module, DARTSNetwork)
    return module


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (32, 32)])
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_images_of_any_size(size: tuple[int, int], stem: str) -> None:
    spec = TaskSpec("image", (3, *size), 4)
    module = network(spec, auxiliary=True, stem=stem).train()
    assert module(*spec.random_inputs(3)).shape == (3, 4)
    assert module.auxiliary_logits is not None and module.auxiliary_logits.shape == (3, 4)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strides_halve_and_round_up(operation: str) -> None:
    for size in (1, 5, 8):
        assert edge_operation(operation, 3, 1)(torch.randn(2, 3, size, size)).shape == (2, 3, size, size)
        half = (size + 1) // 2
        assert edge_operation(operation, 3, 2)(torch.randn(2, 3, size, size)).shape == (2, 3, half, half)


def test_the_two_grids_lie_one_pixel_apart() -> None:
    reduce = FactorizedReduce(1, 2).eval()
    with torch.no_grad():
        reduce.even.weight.fill_(1.0)
        reduce.odd.weight.fill_(1.0)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    y = reduce(image) * (1 + 1e-5) ** 0.5  # what the untrained normalisation takes away
    torch.testing.assert_close(y[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    torch.testing.assert_close(y[0, 1], torch.tensor([[5.0, 7.0], [13.0, 15.0]]))


def normal_cell(edges: tuple[tuple[str, int], ...]) -> Cell:
    space = DARTS()
    parts = Plain(space.from_genotype(Genotype(edges, edges)))
    return Cell(parts, space.schema.edge_labels, 4, 4, 4, reduces=False, reduced=False)


def test_a_cell_of_skips_adds_its_inputs() -> None:
    edges = tuple(("skip_connect", source) for _ in range(4) for source in (0, 1))
    cell = normal_cell(edges)
    cell.inputs = nn.ModuleList([nn.Identity(), nn.Identity()])
    a, b = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(cell(a, b), torch.cat([a + b] * 4, dim=1))


def test_the_published_head_pools_8x8_and_7x7_to_2x2() -> None:
    pools = [network(TaskSpec("image", (3, s, s), 4), auxiliary=True).auxiliary_head[1] for s in (32, 28, 8)]  # type: ignore[index]
    assert [getattr(p, "stride", None) for p in pools] == [3, 2, None]
    assert isinstance(pools[2], nn.AdaptiveAvgPool2d)


def test_auxiliary_logits_are_there_in_training_mode_only() -> None:
    spec = TaskSpec("image", (3, 8, 8), 4)
    images = spec.random_inputs(3)
    module = network(spec, auxiliary=True)
    module.train()(*images)
    first = module.auxiliary_logits
    assert first is not None and first.requires_grad
    module.eval()(*images)
    assert module.auxiliary_logits is None
    plain = network(spec).train()
    plain(*images)
    assert plain.auxiliary_logits is None


def test_paths_are_dropped_the_more_the_longer_training_lasts() -> None:
    spec = TaskSpec("image", (3, 8, 8), 4)
    images = spec.random_inputs(4)
    module, plain = network(spec, drop_path=0.9), network(spec)
    torch.testing.assert_close(module.train()(*images), plain.train()(*images))  # at the start none
    module.set_progress(1.0)
    assert {cell.drop_probability for cell in module.cells} == {0.9}
    torch.manual_seed(0)
    dropped = module(*images)
    assert not torch.allclose(dropped, plain(*images))
    again = network(spec, drop_path=0.9)
    again.set_progress(1.0)
    torch.testing.assert_close(again.eval()(*images), network(spec).eval()(*images))  # never when it is evaluated


def test_dropping_keeps_the_mean_and_spares_identities() -> None:
    edges = tuple((op, source) for _ in range(4) for op, source in (("skip_connect", 0), ("avg_pool_3x3", 1)))
    cell = normal_cell(edges).train()
    cell.drop_probability = 0.5
    ones = [torch.ones(4000, 4, 2, 2), torch.ones(4000, 4, 2, 2)]
    torch.manual_seed(0)
    assert torch.equal(cell._edge(0, ones), ones[0])
    pooled = cell._edge(1, ones)
    assert set(pooled.unique().tolist()) == {0.0, 2.0}
    assert abs(float(pooled.mean()) - 1) < 0.05
