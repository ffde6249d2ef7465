from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.linear_model import Ridge

from gennas.errors import ConfigError
from gennas.eval.complexity import count_flops, count_parameters
from gennas.generators.encoder import free_properties, pretrain_encoder
from gennas.graph import Population
from gennas.graph.graf import graf_features
from gennas.models.encoder import GraphEncoder
from gennas.models.surrogate import GNNSurrogate, GPSurrogate, Group, StackSurrogate, path_statistics
from gennas.spaces import MacroChain, NASBench201, NASBenchGraph, TaskSpec

SPACE = NASBench201(num_cells=1, width=4)
IMAGES = TaskSpec("image", (3, 8, 8), 10)


def held_out(archs: Population) -> np.ndarray:
    """Columns that the encoder is not trained on: most operations of each subset on one path, ``(b, 15)``."""
    values, names = graf_features(archs)
    return values[:, [i for i, name in enumerate(names) if name.startswith("most:")]]


def log_paths(archs: Population) -> np.ndarray:
    return path_statistics(archs)[:, -1]


@pytest.fixture(scope="module")
def trained() -> GraphEncoder:
    archs = SPACE.sample(500, np.random.default_rng(0))
    properties, names = free_properties(SPACE, archs)
    torch.manual_seed(0)
    encoder = GraphEncoder.for_schema(SPACE.schema, dim=24, num_layers=2, properties=names)
    losses = pretrain_encoder(encoder, archs, steps=150, batch_size=64, lr=5e-3, properties=properties)
    assert losses[-20:].mean() < 0.8 * losses[:5].mean()
    return encoder


@pytest.fixture(scope="module")
def untrained() -> GraphEncoder:
    torch.manual_seed(0)
    return GraphEncoder.for_schema(SPACE.schema, dim=24, num_layers=2).eval()


def fresh(n: int) -> Population:
    return SPACE.sample(n, np.random.default_rng(1))


def test_properties_are_predicted_for_other_architectures(trained: GraphEncoder) -> None:
    archs = fresh(300)
    truth, names = free_properties(SPACE, archs)
    found = trained.predict_properties(archs)
    assert tuple(found) == names and {"edges", "depth", "width", "count:skip_connect"} < set(names)
    taus = {name: kendalltau(found[name], column)[0] for column, name in zip(truth.T, names, strict=True)}
    assert min(taus["edges"], taus["depth"], taus["count:nor_conv_3x3"]) > 0.6 and np.mean(list(taus.values())) > 0.6


def test_the_embedding_says_more_of_other_properties_after_training(
    trained: GraphEncoder, untrained: GraphEncoder
) -> None:
    """Mean correlation of linear predictions of the held-out columns, from 80 architectures."""
    archs = fresh(400)
    truth = held_out(archs)

    def tau(encoder: GraphEncoder) -> float:
        z = encoder.embed(archs)
        predicted = Ridge(1.0).fit((z[:80] - z.mean(0)) / z.std(0), truth[:80]).predict((z[80:] - z.mean(0)) / z.std(0))
        return float(np.mean([kendalltau(p, t)[0] for p, t in zip(predicted.T, truth[80:].T, strict=True)]))

    assert tau(trained) > tau(untrained) + 0.03


def test_save_and_load_keep_embedding_and_properties(trained: GraphEncoder, tmp_path) -> None:
    trained.save_pretrained(tmp_path)
    loaded = GraphEncoder.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    archs = fresh(9)
    np.testing.assert_array_equal(loaded.embed(archs), trained.embed(archs))
    np.testing.assert_array_equal(loaded.predict_properties(archs)["depth"], trained.predict_properties(archs)["depth"])


def test_embedding_as_a_kernel(trained: GraphEncoder, untrained: GraphEncoder) -> None:
    archs = fresh(300)
    paths = log_paths(archs)

    def tau(encoder: GraphEncoder) -> float:
        surrogate = GPSurrogate([Group(encoder.embed, "common")])
        surrogate.fit(archs[:40], paths[:40])
        return float(kendalltau(surrogate.predict(archs[40:])[0], paths[40:])[0])

    assert tau(trained) > max(0.6, tau(untrained))


def test_pretrained_networks_learn_from_fewer_steps(trained: GraphEncoder, untrained: GraphEncoder) -> None:
    archs = fresh(200)
    paths = log_paths(archs)

    def tau(encoder: GraphEncoder) -> float:
        surrogate = GNNSurrogate(encoder, num_members=2, steps=10)
        surrogate.fit(archs[:30], paths[:30])
        return float(kendalltau(surrogate.predict(archs[30:])[0], paths[30:])[0])

    assert tau(trained) > tau(untrained) + 0.05


def test_all_uses_stack(trained: GraphEncoder) -> None:
    archs = fresh(60)
    members = [GPSurrogate([Group(trained.embed, "common")]), GNNSurrogate(trained, num_members=2, steps=5)]
    stack = StackSurrogate(members, "likelihood", folds=3)
    stack.fit(archs[:30], log_paths(archs[:30]))
    mean, std = stack.predict(archs[30:])
    assert np.isfinite(mean).all() and (std > 0).all() and stack.weights.sum() == pytest.approx(1)


def test_parameters_and_flops_are_those_of_the_network() -> None:
    archs = fresh(3)
    values, names = free_properties(SPACE, archs, IMAGES, most_built=2)
    for i in range(2):
        module = SPACE.build(archs[i], IMAGES)
        assert values[i, names.index("params")] == count_parameters(module)
        assert values[i, names.index("flops")] == count_flops(module, (1, 3, 8, 8)).flops
    assert np.isnan(values[2, -2:]).all() and np.isfinite(values[:, :-2]).all()


def test_node_tasks_and_fixed_topologies() -> None:
    graph, macro = NASBenchGraph(), MacroChain(max_depth=2)
    rng = np.random.default_rng(0)
    values, names = free_properties(graph, graph.sample(1, rng), TaskSpec("node", (8,), 3))
    assert "paths:gat+gcn" in names and names[-2:] == ("params", "flops") and (values[0, -2:] > 0).all()
    values, names = free_properties(macro, macro.sample(2, rng), IMAGES)
    assert "depth" not in names and (values[:, -2:] > 0).all()


def test_unknown_properties_do_not_count() -> None:
    """One column is known for two architectures only, another for none: the loss stays finite."""
    archs = fresh(50)
    properties = np.full((50, 2), np.nan)
    properties[:2, 0] = [1.0, 2.0]
    encoder = GraphEncoder.for_schema(SPACE.schema, dim=8, num_layers=1, properties=("a", "b"))
    assert np.isfinite(pretrain_encoder(encoder, archs, steps=5, batch_size=8, properties=properties)).all()


def test_misuse_is_explained(untrained: GraphEncoder) -> None:
    archs = fresh(5)
    with pytest.raises(ConfigError, match=r"\(5, 0\).*properties=names"):
        pretrain_encoder(untrained, archs, steps=1, properties=np.zeros((5, 2)))
    with pytest.raises(ConfigError, match="properties="):
        untrained.predict_properties(archs)
