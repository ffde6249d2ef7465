from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gennas.errors import CheckpointError
from gennas.graph import GraphSchema, Population
from gennas.models.latent import GraphAutoencoder


@pytest.fixture
def archs(mixed: GraphSchema) -> Population:
    ranks = np.random.default_rng(0).integers(mixed.decision_mask.sum(1), size=(40, 4))
    return Population.from_decisions(mixed, ranks + mixed.decision_mask.argmax(1))


def make(schema: GraphSchema, **settings: float) -> GraphAutoencoder:
    torch.manual_seed(0)
    return GraphAutoencoder.for_schema(schema, dim=16, num_layers=1, decoder_dim=32, **settings)


def test_latent_has_numbers_for_nodes_with_decisions_only(mixed: GraphSchema, chain: GraphSchema) -> None:
    assert make(mixed, node_dim=3).latent_dim == 2 * 3  # the first of three nodes has no decision
    assert make(chain, node_dim=2).latent_dim == 4 * 2


def test_latents_are_standardised(archs: Population) -> None:
    model = make(archs.schema).train()
    X, E = (torch.from_numpy(a.astype(np.int64)) for a in (archs.X, archs.E))
    z = model.encode(X, E)
    torch.testing.assert_close(z.mean(0), torch.zeros(z.shape[1]), atol=1e-4, rtol=0)
    assert (z.std(0, correction=0) - 1).abs().max() < 0.05


def test_logits_stay_inside_the_masks(archs: Population) -> None:
    model = make(archs.schema).eval()
    logits = model.logits(model.embed(archs))
    assert logits.shape == (40, 4, 3)
    assert (logits.isneginf() == ~torch.tensor(archs.schema.decision_mask)).all()


def test_decoding_takes_the_most_likely_legal_label_in_order(chain: GraphSchema) -> None:
    model = make(chain).eval()
    logits = torch.tensor([[[0.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 9.0]]])
    model.logits = lambda z: logits  # type: ignore[method-assign]

    def at_most_two_high(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
        return np.stack([np.ones(len(D), bool), D[:, :t].sum(1) < 2], 1)

    assert model.decode(torch.zeros(1, 8)).tolist() == [[1, 1, 0, 1]]
    assert model.decode(torch.zeros(1, 8), at_most_two_high).tolist() == [[1, 1, 0, 0]]


def test_blur_is_seeded_and_can_be_left_out(archs: Population) -> None:
    X, E = (torch.from_numpy(a.astype(np.int64)) for a in (archs.X, archs.E))
    model = make(archs.schema).eval()
    first, again, other = (model(X, E, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    model.noise = 0.0
    torch.testing.assert_close(model(X, E), model.logits(model.embed(archs)))


def test_other_schemas_are_refused(archs: Population, chain: GraphSchema) -> None:
    with pytest.raises(CheckpointError, match="mixed"):
        make(chain).embed(archs)
