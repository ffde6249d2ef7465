from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError
from gennas.graph import GraphSchema, Population
from gennas.models.encoder import GraphEncoder


@pytest.fixture
def archs(mixed: GraphSchema) -> Population:
    return Population.from_decisions(mixed, np.array([[1, 1, 0, 1], [2, 1, 0, 1], [1, 2, 0, 1], [1, 0, 0, 0]]))


@pytest.fixture
def encoder(mixed: GraphSchema) -> GraphEncoder:
    torch.manual_seed(0)
    return GraphEncoder.for_schema(mixed, dim=16, num_layers=2).eval()


def test_embeddings_tell_architectures_apart_and_do_not_depend_on_the_batch(
    encoder: GraphEncoder, archs: Population
) -> None:
    z = encoder.embed(archs)
    assert z.shape == (4, 16)
    distance = np.abs(z[:, None] - z[None]).max(-1)
    assert (distance[~np.eye(4, dtype=bool)] > 1e-4).all()
    np.testing.assert_allclose(encoder.embed(archs, batch_size=3), z, atol=1e-6)
    np.testing.assert_allclose(encoder.embed(archs[2:3])[0], z[2], atol=1e-6)


def test_messages_flow_along_and_against_the_edges(encoder: GraphEncoder, archs: Population) -> None:
    """In 0 -> 1 -> 2 each node hears of the others; without edges none does."""
    X, E = torch.from_numpy(archs.X).long(), torch.from_numpy(archs.E).long()
    joined, apart = slice(0, 1), slice(3, 4)

    def heard(rows: slice, changed: int) -> list[bool]:
        other = X.clone()
        other[:, changed] = 3  # masked
        difference = encoder.node_states(X[rows], E[rows]) - encoder.node_states(other[rows], E[rows])
        return (difference[0].abs().amax(-1) > 1e-6).tolist()

    with torch.inference_mode():
        assert heard(joined, 0) == [True, True, True] and heard(joined, 2) == [True, True, True]
        assert heard(apart, 0) == [True, False, False] and heard(apart, 2) == [False, False, True]


def test_messages_are_directed(encoder: GraphEncoder) -> None:
    """The same weights on an edge and on its reverse give different states."""
    with torch.no_grad():
        encoder.position.weight.zero_()
    X, E = torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3, 3, dtype=torch.long)
    E[0, 0, 1] = E[1, 1, 0] = 1
    with torch.inference_mode():
        states = encoder.node_states(X, E)
    torch.testing.assert_close(states[0, 0], states[1, 1])
    assert (states[0, 0] - states[0, 1]).abs().max() > 1e-4


def test_reconstruction_stays_within_the_masks(encoder: GraphEncoder, archs: Population, mixed: GraphSchema) -> None:
    X, E = torch.from_numpy(archs.X).long(), torch.from_numpy(archs.E).long()
    nodes, edges = encoder.reconstruct(X, E)
    assert (nodes.isinf() == ~torch.tensor(mixed.node_mask)).all()
    assert (edges.isinf() == ~torch.tensor(mixed.edge_mask)).all()


def test_one_encoder_class_serves_macro_spaces(chain: GraphSchema) -> None:
    archs = Population.from_decisions(chain, np.array([[0, 1, 1, 0], [1, 1, 0, 0]]))
    assert GraphEncoder.for_schema(chain, dim=8).embed(archs).shape == (2, 8)


def test_save_and_load(encoder: GraphEncoder, archs: Population, tmp_path) -> None:
    encoder.save_pretrained(tmp_path)
    loaded = GraphEncoder.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    np.testing.assert_array_equal(loaded.embed(archs), encoder.embed(archs))


def test_population_of_another_schema_is_refused(encoder: GraphEncoder, chain: GraphSchema) -> None:
    with pytest.raises(CheckpointError, match="mixed"):
        encoder.embed(Population.from_decisions(chain, np.zeros((1, 4), dtype=int)))
