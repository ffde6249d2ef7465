from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gennas.graph import GraphSchema
from gennas.models.diffusion.denoiser import GraphDenoiser, slot_relations


@pytest.fixture
def denoiser(mixed: GraphSchema) -> GraphDenoiser:
    torch.manual_seed(0)
    model = GraphDenoiser.for_schema(mixed, num_conditions=2, dim=16, num_layers=2, num_heads=2)
    torch.nn.init.normal_(model.head.weight)
    return model.eval()


def test_slot_relations_of_a_small_graph(mixed: GraphSchema) -> None:
    # Slots: node 1, edge 0->1, edge 0->2, edge 1->2.
    assert [(s.source, s.target) for s in mixed.slots] == [(None, 1), (0, 1), (0, 2), (1, 2)]
    relations = slot_relations(mixed).bool()
    names = ["same", "source", "target", "chain", "chained", "earlier", "kind"]
    found = {name: {tuple(p) for p in relations[..., i].nonzero().tolist()} for i, name in enumerate(names)}
    assert found["same"] == {(0, 0), (1, 1), (2, 2), (3, 3)}
    assert found["source"] - found["same"] == {(0, 3), (3, 0), (1, 2), (2, 1)}
    assert found["target"] - found["same"] == {(0, 1), (1, 0), (2, 3), (3, 2)}
    assert found["chain"] == {(0, 0), (0, 3), (1, 0), (1, 3)}
    assert found["chained"] == {(0, 0), (3, 0), (0, 1), (3, 1)}
    assert found["earlier"] == {(i, j) for i in range(4) for j in range(i + 1, 4)}
    assert found["kind"] == {(0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)}


def test_untrained_network_is_uniform_over_the_allowed_labels(mixed: GraphSchema) -> None:
    model = GraphDenoiser.for_schema(mixed, dim=16)
    p = model(torch.full((2, 4), 3), torch.ones(2)).softmax(-1)
    torch.testing.assert_close(p[0, 0], torch.tensor([0.0, 0.5, 0.5]))
    torch.testing.assert_close(p[0, 1:], torch.full((3, 3), 1 / 3))


def test_logits_respect_the_masks_and_the_batch(denoiser: GraphDenoiser) -> None:
    x = torch.tensor([[1, 0, 3, 2], [3, 3, 3, 3], [2, 1, 1, 0]])
    time, conditions = torch.tensor([0.2, 1.0, 0.5]), torch.rand(3, 2)
    logits = denoiser(x, time, conditions)
    assert logits.shape == (3, 4, 3)
    assert (logits.isinf() == ~denoiser.mask).all()
    torch.testing.assert_close(denoiser(x[1:2], time[1:2], conditions[1:2])[0], logits[1])


def test_every_input_matters(denoiser: GraphDenoiser) -> None:
    x, time, conditions = torch.tensor([[1, 0, 3, 2]]), torch.tensor([0.5]), torch.tensor([[0.2, 0.9]])
    base = denoiser(x, time, conditions)
    for t in range(4):  # attention carries each slot to every other
        moved = x.clone()
        moved[0, t] = 3 if x[0, t] != 3 else 1
        assert ((denoiser(moved, time, conditions) - base).abs().nan_to_num().amax(-1) > 1e-6).all()
    assert not torch.allclose(denoiser(x, time * 0.1, conditions), base)
    for i in range(2):
        other = conditions.clone()
        other[0, i] = 0.5
        assert not torch.allclose(denoiser(x, time, other), base)


def test_unknown_conditions_are_no_conditions(denoiser: GraphDenoiser) -> None:
    x, time = torch.tensor([[1, 0, 3, 2]]), torch.tensor([0.5])
    unknown = torch.full((1, 2), math.nan)
    torch.testing.assert_close(denoiser(x, time, unknown), denoiser(x, time))
    assert not torch.allclose(denoiser(x, time, torch.tensor([[0.0, math.nan]])), denoiser(x, time))


def test_gradients_are_finite_with_unknown_conditions(denoiser: GraphDenoiser) -> None:
    logits = denoiser(torch.tensor([[1, 0, 3, 2]]), torch.tensor([0.5]), torch.tensor([[0.3, math.nan]]))
    logits[logits.isfinite()].sum().backward()
    gradients = [p.grad for p in denoiser.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)


def test_direction_is_seen() -> None:
    """Edges 0->1 and 1->2 exchange roles if the graph is turned round, and the relations tell which."""
    n = 3
    edge_mask = np.zeros((n, n, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(n, 1)] = True
    schema = GraphSchema("e", ("v",), ("none", "e"), np.ones((n, 1), dtype=bool), edge_mask)
    forward, backward = slot_relations(schema)[..., 3], slot_relations(schema)[..., 4]
    assert (forward != forward.T).any()
    torch.testing.assert_close(forward, backward.T)


def free_edges(n: int) -> GraphSchema:
    edges = np.zeros((n, n, 2), dtype=bool)
    edges[..., 0] = True
    edges[np.triu_indices(n, 1)] = True
    nodes = np.ones((n, 2), dtype=bool)
    return GraphSchema("free", ("a", "b"), ("none", "edge"), nodes, edges)


def test_means_of_related_slots_are_those_of_the_formula() -> None:
    schema = free_edges(5)
    denoiser = GraphDenoiser.for_schema(schema, dim=8, num_layers=2, num_heads=2, mixing="relations")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        denoiser.means.strength.copy_(torch.randn(2, 8, 2, generator=generator))
    d = schema.num_decisions
    key, value = torch.rand(2, 3, d, 8, generator=generator).unbind(0)
    slots = [(slot.target if slot.source is None else slot.source, slot.target, slot.is_node) for slot in schema.slots]
    related = [
        lambda i, j: i == j,
        lambda i, j: i[0] == j[0],
        lambda i, j: i[1] == j[1],
        lambda i, j: i[1] == j[0],
        lambda i, j: i[0] == j[1],
        lambda i, j: j[1] > i[1],
        lambda i, j: i[2] != j[2],
        lambda i, j: True,
    ]
    for layer, mixer in enumerate(denoiser.mixers()):
        weight = torch.zeros(2, d, d)
        for r, relation in enumerate(related):
            member = torch.tensor([[float(relation(i, j)) for j in slots] for i in slots])
            mean = member / member.sum(1, keepdim=True).clamp_min(1)
            weight += denoiser.means.strength[layer, r].exp().reshape(2, 1, 1) * mean
        k, kv = (part.reshape(3, d, 2, 4) for part in (key, key * value))
        above, below = (torch.einsum("hij,bjhc->bihc", weight, part) for part in (kv, k))
        torch.testing.assert_close(mixer(key, value), (above / below).reshape(3, d, 8))


def test_mixers_that_are_known_change_nothing() -> None:
    for mixing in ("pairs", "relations"):
        denoiser = GraphDenoiser.for_schema(free_edges(4), dim=8, num_heads=2, mixing=mixing)
        torch.nn.init.normal_(denoiser.head.weight)
        x, time = torch.zeros(3, denoiser.mask.shape[0], dtype=torch.long), torch.rand(3)
        assert torch.equal(denoiser(x, time), denoiser(x, time, mixers=denoiser.mixers()))


def test_relations_take_parameters_with_the_number_of_slots_not_with_its_square() -> None:
    def extra(n: int, mixing: str) -> int:
        denoiser = GraphDenoiser.for_schema(free_edges(n), mixing=mixing)
        return sum(
            p.numel() for name, p in denoiser.named_parameters() if name.startswith(("pair", "relation", "means"))
        )

    assert extra(10, "relations") == extra(20, "relations") == 2 * 8 * 4
    assert extra(10, "pairs") == 8 * (55**2 + 7 + 1)
