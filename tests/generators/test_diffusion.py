from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.tables import read_table
from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings, fit_diffusion, pretrain_encoder
from gennas.generators.weights import pack_weights, unpack_weights
from gennas.graph import GraphSchema, Population
from gennas.models.diffusion import CategoricalScheduler, DenseDenoiser, GraphDenoiser
from gennas.models.encoder import GraphEncoder
from gennas.spaces import NASBench201
from gennas.testing.generators import at_most_two_edges, edge_share, toy_schema

SMALL = DiffusionSettings(dim=16, num_layers=1)


def twin_bits() -> Population:
    """Toy graphs in which the first four edges are all present or all absent."""
    rng = np.random.default_rng(0)
    schema = toy_schema()
    D = schema.decision_mask.argmax(1) + rng.integers(2, size=(256, 8))
    edges = [t for t, slot in enumerate(schema.slots) if not slot.is_node][:4]
    D[:, edges] = rng.integers(2, size=(256, 1))
    return Population.from_decisions(schema, D)


def twins_agree(archs: Population) -> float:
    schema = toy_schema()
    edges = [t for t, slot in enumerate(schema.slots) if not slot.is_node][:4]
    return float((np.ptp(archs.decisions[:, edges], axis=1) == 0).mean())


@pytest.mark.parametrize(("kernel", "steps"), [("absorbing", 80), ("uniform", 200)])
def test_dependence_between_decisions_is_learned(kernel, steps: int) -> None:
    archs = twin_bits()
    settings = DiffusionSettings(kernel=kernel, dim=32, num_layers=2)
    generator = DiffusionGenerator(toy_schema(), None, 0, settings)
    before = generator.elbo(archs).mean()
    assert twins_agree(generator.sample(300, seed=0)) < 0.25
    generator.fit(archs, steps=steps)
    assert twins_agree(generator.sample(300, seed=0)) > 0.7
    # 8 free bits before, 1 + 4 of them after.
    assert before == pytest.approx(8 * math.log(2), rel=0.03)
    assert 5 * math.log(2) - 0.1 < generator.elbo(archs).mean() < 0.85 * before


def test_warm_start_goes_on_from_the_present_weights() -> None:
    archs = twin_bits()
    generator = DiffusionGenerator(toy_schema(), None, 0, SMALL)
    first = generator.fit(archs, steps=40, seed=0)
    second = generator.fit(archs, steps=10, seed=1)
    assert second[:5].mean() < first[:5].mean()


def test_initial_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    weights = [DiffusionGenerator(toy_schema(), None, 1, SMALL, seed).pipeline.denoiser.slot for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_chunks_bound_memory_without_breaking_rows() -> None:
    settings = DiffusionSettings(dim=16, num_layers=1, chunk=7)
    generator = DiffusionGenerator(toy_schema(), at_most_two_edges, 1, settings)
    fixed = np.full((20, 8), -1)
    node = next(t for t, slot in enumerate(toy_schema().slots) if slot.is_node)
    fixed[:, node] = 1 + np.arange(20) % 2
    drawn = generator.sample(20, np.linspace(0, 1, 20)[:, None], seed=0, fixed=fixed)
    assert (drawn.decisions[:, node] == fixed[:, node]).all() and (edge_share(drawn) <= 2 / 6).all()


def test_settings_are_saved_with_the_weights(tmp_path) -> None:
    generator = DiffusionGenerator(toy_schema(), None, 1, SMALL)
    generator.save_pretrained(tmp_path)
    assert DiffusionGenerator.from_pretrained(tmp_path, toy_schema()).settings == SMALL
    (tmp_path / "generator.json").write_text('{"width": 3}')
    with pytest.raises(CheckpointError, match=r"generator\.json"):
        DiffusionGenerator.from_pretrained(tmp_path, toy_schema())


def test_two_conditions_steer_together() -> None:
    """Asked for many edges and few nodes of kind b, or the other way round, or for one of them only."""
    schema = toy_schema()
    rng = np.random.default_rng(0)
    archs = Population.from_decisions(schema, schema.decision_mask.argmax(1) + rng.integers(2, size=(600, 8)))

    def figures(drawn: Population) -> np.ndarray:
        return np.stack([edge_share(drawn), (drawn.X == 2).sum(1) / 2], 1)

    settings = DiffusionSettings(dim=32, num_layers=2)
    generator = DiffusionGenerator(schema, None, 2, settings)
    generator.fit(archs, figures(archs), steps=150)
    both, other, one, free = (
        figures(generator.sample(400, np.array(ask), seed=1)).mean(0)
        for ask in ([0.95, 0.05], [0.05, 0.95], [0.95, np.nan], [np.nan, np.nan])
    )
    assert both[0] > 0.65 and both[1] < 0.3
    assert other[0] < 0.35 and other[1] > 0.7
    assert one[0] > 0.65 and 0.3 < one[1] < 0.7
    assert (abs(free - 0.5) < 0.1).all()


def test_accurate_and_small_on_a_real_table(shared_data) -> None:
    """NAS-Bench-201: quantiles of accuracy and of FLOPs as two conditions of one model, from 300 labels."""
    space = NASBench201()
    table = read_table(shared_data / "nb201.csv.gz", space, metrics=["c10_val_200", "flops_m"])

    def values(archs: Population) -> np.ndarray:
        measured = table.lookup_population(space.canonical(archs))
        return np.stack([measured["c10_val_200"], measured["flops_m"]], 1)

    archs = space.sample(300, np.random.default_rng(0))
    quantiles = rankdata(values(archs), axis=0) / 300
    generator = DiffusionGenerator(space.schema, space.legal, 2)
    generator.fit(archs, quantiles, steps=150)
    both, small, accurate = (
        values(generator.sample(300, np.array(ask), seed=1)).mean(0)
        for ask in ([0.9, 0.3], [np.nan, 0.3], [0.9, np.nan])
    )
    assert both[0] > small[0]
    assert both[1] < accurate[1]
    assert small[1] < np.median(values(archs)[:, 1])


def test_spread_conditions_stay_between_the_extreme_and_the_middle() -> None:
    generator = DiffusionGenerator(toy_schema(), None, 2, DiffusionSettings(dim=16, condition_spread=0.2))
    moved = generator._spread(200, np.array([0.99, 0.1]), torch.Generator().manual_seed(0))
    assert moved.shape == (200, 2)
    assert (moved[:, 0] <= 0.99).all() and (moved[:, 0] >= 0.79).all() and np.ptp(moved[:, 0]) > 0.15
    assert (moved[:, 1] >= 0.1).all() and (moved[:, 1] <= 0.26).all()
    assert np.isnan(generator._spread(3, np.array([np.nan, 0.5]), torch.Generator())[:, 0]).all()


def test_a_literal_generator_moves_nothing_and_shares_the_weights() -> None:
    generator = DiffusionGenerator(toy_schema(), None, 2, DiffusionSettings(dim=16, condition_spread=0.2))
    literal, asked = generator.literal(), np.array([0.99, np.nan])
    assert literal.network is generator.network and generator.settings.condition_spread == 0.2
    assert literal._spread(3, asked, torch.Generator()) is asked


def test_decisions_of_another_width_are_refused(chain: GraphSchema) -> None:
    denoiser = GraphDenoiser.for_schema(chain, dim=16)
    with pytest.raises(ConfigError, match=r"\(b, 4\)"):
        fit_diffusion(denoiser, CategoricalScheduler(), np.zeros((3, 5), dtype=int), steps=1)


def test_encoder_learns_what_labels_imply(chain: GraphSchema) -> None:
    """Equal neighbours on a chain: a masked label can be read off, ln 2 falls towards 0."""
    labels = np.random.default_rng(0).integers(2, size=(200, 1))
    archs = Population.from_decisions(chain, np.repeat(labels, 4, axis=1))
    torch.manual_seed(0)
    encoder = GraphEncoder.for_schema(chain, dim=16, num_layers=2)
    losses = pretrain_encoder(encoder, archs, steps=80, batch_size=32, lr=5e-3)
    assert losses[:3].mean() > 0.5 and losses[-20:].mean() < 0.25
    again = GraphEncoder.for_schema(chain, dim=16, num_layers=2)
    again.load_state_dict(encoder.state_dict())
    assert (pretrain_encoder(again, archs, 3, seed=4) == pretrain_encoder(encoder, archs, 3, seed=4)).all()


def test_encoder_learns_nothing_from_noise() -> None:
    """Independent decisions cannot be told from the others: the loss stays at ln 2, nothing leaks."""
    schema = toy_schema()
    D = schema.decision_mask.argmax(1) + np.random.default_rng(0).integers(2, size=(2000, 8))
    encoder = GraphEncoder.for_schema(schema, dim=16, num_layers=2)
    losses = pretrain_encoder(encoder, Population.from_decisions(schema, D), steps=60, batch_size=64)
    assert losses[-20:].mean() > 0.95 * math.log(2)


def test_encoder_needs_architectures() -> None:
    with pytest.raises(ConfigError, match="none"):
        pretrain_encoder(GraphEncoder.for_schema(toy_schema(), dim=8), Population.of(toy_schema(), []))


@pytest.fixture
def chain() -> GraphSchema:
    edge_mask = np.zeros((4, 4, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.arange(3), np.arange(1, 4)] = [False, True]
    return GraphSchema("chain", ("low", "high"), ("none", "next"), np.ones((4, 2), dtype=bool), edge_mask)


def test_large_schemas_are_learnt_by_related_slots_and_small_ones_by_pairs(tmp_path):
    n = 24
    edges = np.zeros((n, n, 2), dtype=bool)
    edges[..., 0] = edges[np.triu_indices(n, 1)] = True
    edges[np.tril_indices(n)] = [True, False]
    large = GraphSchema("large", ("op",), ("none", "edge"), np.ones((n, 1), dtype=bool), edges)
    assert large.num_decisions == 276
    small = DiffusionGenerator(NASBench201().schema)
    generator = DiffusionGenerator(large)
    assert small.pipeline.denoiser.config.mixing == "pairs" and small._batch_size == 32
    assert generator.pipeline.denoiser.config.mixing == "relations" and generator._batch_size == 8192 // 276
    rng = np.random.default_rng(0)
    sparse = Population.from_decisions(large, (rng.random((60, 276)) < 0.1).astype(np.int16))
    losses = generator.fit(sparse, steps=60)
    assert losses[-5:].mean() < 0.45 < losses[0]  # -.1 log .1 - .9 log .9 is .33, log 2 is .69
    drawn = generator.sample(20, seed=0)
    assert 0.03 < drawn.decisions.mean() < 0.2
    generator.save_pretrained(tmp_path)
    again = DiffusionGenerator.from_pretrained(tmp_path, large)
    assert again.sample(20, seed=0).keys == drawn.keys


def layers(n: int = 5) -> GraphSchema:
    """A list of free nodes of three kinds; edges are fixed."""
    edge_mask = np.zeros((n, n, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.arange(n - 1), np.arange(1, n)] = [False, True]
    return GraphSchema("layers", ("a", "b", "c"), ("none", "next"), np.ones((n, 3), dtype=bool), edge_mask)


def test_lists_get_a_dense_network_and_graphs_one_over_tokens() -> None:
    assert type(DiffusionGenerator(layers()).pipeline.denoiser) is DenseDenoiser
    assert type(DiffusionGenerator(toy_schema()).pipeline.denoiser) is GraphDenoiser
    asked = DiffusionGenerator(layers(), settings=DiffusionSettings(network="tokens"))
    assert type(asked.pipeline.denoiser) is GraphDenoiser and asked.pipeline.denoiser.config.dim == 64
    with pytest.raises(ConfigError, match="'tokens' or 'dense'"):
        DiffusionGenerator(layers(), settings=DiffusionSettings(network="token"))


@pytest.mark.parametrize(("kernel", "steps"), [("absorbing", 120), ("uniform", 200)])
def test_a_dense_network_learns_what_goes_together(kernel, steps: int) -> None:
    D = np.repeat(np.random.default_rng(0).integers(3, size=(200, 1)), 5, axis=1)
    generator = DiffusionGenerator(layers(), None, 0, DiffusionSettings(kernel=kernel, network="dense"))
    generator.fit(Population.from_decisions(layers(), D), steps=steps)
    drawn = generator.sample(300, seed=0).decisions
    assert (drawn == drawn[:, :1]).all(1).mean() > 0.5  # by chance 1 in 81


def test_weights_of_before_there_was_a_choice_open_as_tokens(tmp_path) -> None:
    """A folder and a search's state that do not name the network, as gennas 0.1 wrote them."""
    archs = Population.from_decisions(layers(), np.random.default_rng(0).integers(3, size=(40, 5)))
    former = DiffusionGenerator(layers(), None, 1, DiffusionSettings(network="tokens"))
    former.fit(archs, steps=5)
    want = former.sample(30, np.array([0.7]), seed=1).keys
    former.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "generator.json").read_text())
    del settings["network"]
    settings |= {"dim": 64, "num_layers": 2, "batch_size": 32, "lr": 0.01}
    (tmp_path / "generator.json").write_text(json.dumps(settings))
    opened = DiffusionGenerator.from_pretrained(tmp_path, layers())
    assert opened.settings.network == "tokens" and opened.sample(30, np.array([0.7]), seed=1).keys == want
    assert type(opened.with_conditions([0]).pipeline.denoiser) is GraphDenoiser
    state = {f"0.{name}": value.numpy() for name, value in former.pipeline.denoiser.state_dict().items()}
    restored = DiffusionGenerator(layers(), None, 1, seed=7)
    assert type(restored.pipeline.denoiser) is DenseDenoiser
    unpack_weights(restored, state)
    assert restored.sample(30, np.array([0.7]), seed=1).keys == want
    assert (restored.fit(archs, steps=4, seed=2) == former.fit(archs, steps=4, seed=2)).all()


def test_dense_weights_come_back_from_files_and_states(tmp_path) -> None:
    archs = Population.from_decisions(layers(), np.random.default_rng(0).integers(3, size=(40, 5)))
    first = DiffusionGenerator(layers(), None, 1)
    first.fit(archs, np.linspace(0, 1, 40)[:, None], steps=5)
    want = first.sample(30, np.array([0.7]), seed=1).keys
    first.save_pretrained(tmp_path)
    assert DiffusionGenerator.from_pretrained(tmp_path, layers()).sample(30, np.array([0.7]), seed=1).keys == want
    other = DiffusionGenerator(layers(), None, 1, DiffusionSettings(network="tokens"))
    unpack_weights(other, pack_weights(first))
    assert other.sample(30, np.array([0.7]), seed=1).keys == want and other.settings.network == "dense"
