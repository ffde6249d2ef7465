"""NAS-Bench-Graph: isomorphism against the published package, sampling, edits and networks."""

from __future__ import annotations

import itertools

import nas_bench_graph
import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nas_bench_graph.architecture import Arch
from scipy import stats

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces.nasbench_graph.space import NASBenchGraph
from gennas.spaces.spec import TaskSpec

SPACE, PROTEINS = NASBenchGraph(), NASBenchGraph("proteins")
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
RAW_LINKS = list(itertools.product(range(1), range(2), range(3), range(4)))
NODE_TASK = TaskSpec("node", (5,), 3)

links_and_operations = st.tuples(
    st.sampled_from(RAW_LINKS),
    st.tuples(*[st.sampled_from(OPERATIONS)] * 4).filter(lambda ops: set(ops) != {"skip"}),
)


def raw_graph(space: NASBenchGraph, links: tuple[int, ...], operations: tuple[str, ...]) -> Population:
    """A graph in the numbering given, not made canonical."""
    X, E = np.zeros((1, 6), dtype=np.int16), np.zeros((1, 6, 6), dtype=np.int16)
    X[0, 1:5] = [space.schema.node_labels.index(o) for o in operations]
    X[0, 5] = len(space.schema.node_labels) - 1
    E[0, links, range(1, 5)] = 1
    for v in range(1, 5):
        E[0, v, 5] = v not in links
    return Population(space.schema, X, E)


def everything(space: NASBenchGraph) -> Population:
    """All architectures, by following the legal labels from first to last."""
    D = np.zeros((1, space.schema.num_decisions), dtype=np.int16)
    for t in range(D.shape[1]):
        rows, labels = np.nonzero(space.legal(D, t))
        D = D[rows]
        D[:, t] = labels
    return Population.from_decisions(space.schema, D)


@pytest.mark.parametrize(("space", "dataset", "size"), [(SPACE, "cora", 26_206), (PROTEINS, "proteins", 2_021)])
def test_legal_graphs_are_the_published_table(space: NASBenchGraph, dataset: str, size: int) -> None:
    archs = everything(space)
    assert space.size == len(archs) == len(set(archs.keys)) == size
    assert sorted(space.official_hash(archs).tolist()) == sorted(nas_bench_graph.light_read(dataset))
    assert space.is_valid(archs).all()
    assert np.array_equal(space.canonical(archs).decisions, archs.decisions)


@pytest.mark.parametrize("links", RAW_LINKS)
def test_every_raw_graph_has_the_hash_of_the_package(links: tuple[int, ...]) -> None:
    labels = np.array(list(itertools.product(range(9), repeat=4)), dtype=np.int16)[:-1]  # all but skips alone
    one = raw_graph(SPACE, links, ("gat",) * 4)
    X, E = np.repeat(one.X, len(labels), axis=0), np.repeat(one.E, len(labels), axis=0)
    X[:, 1:5] = labels + 1
    raw = Population(SPACE.schema, X, E)
    assert SPACE.is_valid(raw).all()
    expected = [Arch(list(links), [OPERATIONS[label] for label in row]).valid_hash() for row in labels]
    assert SPACE.official_hash(raw).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(links_and_operations)
def test_links_and_raw_graphs_give_the_same_architecture(graph: tuple[tuple[int, ...], tuple[str, ...]]) -> None:
    assert SPACE.canonical(raw_graph(SPACE, *graph))[0] == SPACE.from_links(*graph)


@settings(max_examples=200, deadline=None)
@given(links_and_operations, st.permutations(range(4)))
def test_renumbering_keeps_the_key(graph: tuple[tuple[int, ...], tuple[str, ...]], order: list[int]) -> None:
    """``order[i]`` is the new number of node ``i``; parents may then come after their children."""
    links, operations = graph
    new_links, new_operations = [0] * 4, [""] * 4
    for i, (parent, operation) in enumerate(zip(links, operations, strict=True)):
        new_links[order[i]] = order[parent - 1] + 1 if parent else 0
        new_operations[order[i]] = operation
    assert SPACE.from_links(new_links, new_operations) == SPACE.from_links(links, operations)


def test_hash_has_one_decimal_digit_for_the_shape_and_each_operation() -> None:
    texts = ["0000:gat,gat,gat,gat", "0001:skip,gcn,fc,gin", "0123:skip,skip,skip,fc"]
    hashes = [int(SPACE.official_hash(Population.of(SPACE.schema, [SPACE.from_text(t)]))[0]) for t in texts]
    assert hashes == [0, 58127, 88887]  # the interchangeable leaves are sorted: gcn, gin, fc
    arch = PROTEINS.from_text("0123:gcn,sage,arma,fc")
    assert PROTEINS.official_hash(Population.of(PROTEINS.schema, [arch])).tolist() == [81457]


def test_redundant_skips_go_to_the_front() -> None:
    same = ["0123:gcn,skip,gat,fc", "0123:skip,gcn,gat,fc", "0123:gcn,gat,skip,fc", "0123:gcn,gat,fc,skip"]
    assert {SPACE.to_text(SPACE.from_text(text)) for text in same} == {"0123:skip,gcn,gat,fc"}
    # A skip leaf beside a sibling hands the hidden features on: it stays.
    assert SPACE.to_text(SPACE.from_text("0112:gcn,gat,skip,fc")) == "0112:gcn,gat,skip,fc"
    # Beside the input's children it would hand on raw features: the package puts it in front of them.
    assert SPACE.to_text(SPACE.from_text("0000:gcn,gat,skip,fc")) == "0111:skip,gat,gcn,fc"


def test_sampling_is_uniform_over_shapes() -> None:
    drawn = SPACE.official_hash(SPACE.sample(40_000, np.random.default_rng(1))) // 10_000
    shares = np.bincount(np.array(list(nas_bench_graph.light_read("cora"))) // 10_000) / 26_206
    assert stats.chisquare(np.bincount(drawn, minlength=9), 40_000 * shares).pvalue > 1e-3


def test_completions_count_what_follows() -> None:
    D = everything(PROTEINS).decisions
    for t in (0, 1, 5, 15):
        prefixes, first = np.unique(D[:, :t], axis=0, return_index=True)
        counts = PROTEINS.completions(D[first], t)
        for prefix, count in zip(prefixes, counts, strict=True):
            matching = D[(D[:, :t] == prefix).all(1)]
            assert np.array_equal(count, np.bincount(matching[:, t], minlength=7))


@pytest.mark.parametrize(
    ("source", "target"),
    [((0, 3), (0, 4)), ((0, 4), (0, 4)), ((1, 5), (2, 5))],
    ids=["two parents and none", "no parent", "leaves"],
)
def test_graphs_that_are_no_trees_are_invalid(source: tuple[int, int], target: tuple[int, int]) -> None:
    raw = raw_graph(SPACE, (0, 0, 1, 0), ("gcn", "gat", "fc", "fc"))
    raw.E[(0, *source)] ^= 1
    if target != source:
        raw.E[(0, *target)] ^= 1
    assert not SPACE.is_valid(raw).any()


def test_skips_alone_are_invalid() -> None:
    assert not SPACE.is_valid(raw_graph(SPACE, (0, 1, 2, 3), ("skip",) * 4)).any()
    with pytest.raises(InvalidArchitectureError, match="must not be 'skip'"):
        SPACE.from_links([0, 0, 0, 0], ["skip"] * 4)


def test_neighbours_of_a_chain() -> None:
    arch = PROTEINS.from_text("0123:gcn,gcn,gcn,gcn")
    near = [PROTEINS.to_text(a) for a in PROTEINS.neighbours(arch)]
    assert near == [
        "0012:gcn,gcn,gcn,gcn",
        "0013:gcn,gcn,gcn,gcn",
        "0112:gcn,gcn,gcn,gcn",
        "0122:gcn,gcn,gcn,gcn",
        *[
            "0123:" + ",".join(["gcn"] * i + [op] + ["gcn"] * (3 - i))
            for i, op in [(3, "sage"), (3, "arma"), (3, "fc")]
        ],
        *[
            "0123:" + ",".join(["gcn"] * i + [op] + ["gcn"] * (3 - i))
            for i, op in itertools.product((2, 1, 0), ("sage", "arma", "fc"))
        ],
        "0123:skip,gcn,gcn,gcn",
    ]


def test_all_architectures_reach_each_other() -> None:
    archs = everything(PROTEINS)
    graph = nx.DiGraph(
        (key, near) for key, a in zip(archs.keys, archs, strict=True) for near in PROTEINS.neighbours(a).keys
    )
    assert len(graph) == 2_021
    assert nx.is_strongly_connected(graph)


def test_mutants_are_neighbours(rng: np.random.Generator) -> None:
    archs = SPACE.sample(60, rng)
    for arch, mutant in zip(archs, SPACE.mutate(archs, rng), strict=True):
        assert mutant in SPACE.neighbours(arch)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0012:gat"),
        ("0012:gat,gcn,fc", "0012:gat"),
        ("0012:gat,gcn,fc,skip,fc", "0012:gat"),
        ("0012-gat,gcn,fc,skip", "0012:gat"),
        ("0019:gat,gcn,fc,skip", "between 0 and 4"),
        ("0210:gat,gcn,fc,skip", "cycle"),
        ("0320:gat,gcn,fc,skip", "cycle"),
        ("0012:gat,gcn,lstm,skip", "unknown operations 'lstm'"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.from_text(text)


def test_variants_do_not_mix() -> None:
    assert PROTEINS.name == SPACE.name == "nasbench-graph"
    assert PROTEINS.schema.fingerprint != SPACE.schema.fingerprint
    with pytest.raises(InvalidArchitectureError, match="nasbench-graph-proteins: unknown operations 'gat'"):
        PROTEINS.from_text("0000:gat,gcn,gcn,gcn")


def published_parameters(dataset: str, features: int, classes: int, hidden: int, num_post: int) -> None:
    """Parameters of 25 architectures equal the table's, which hold two vectors for the norm of every skip."""
    space = NASBenchGraph(hidden=hidden, num_post=num_post)
    bench = nas_bench_graph.light_read(dataset)
    archs = space.sample(25, np.random.default_rng(0))
    for arch, number in zip(archs, space.official_hash(archs), strict=True):
        with torch.device("meta"):
            net = space.build(arch, TaskSpec("node", (features,), classes))
        skips = space.to_text(arch).count("skip")
        ours = sum(p.numel() for p in net.parameters()) + 2 * hidden * skips
        assert ours == round(float(bench[int(number)]["para"]) * 1e6)


def test_parameters_equal_the_published_ones() -> None:
    published_parameters("cora", features=1433, classes=7, hidden=256, num_post=1)
    published_parameters("pubmed", features=500, classes=3, hidden=128, num_post=0)


def test_random_networks_train_on_a_small_graph() -> None:
    """200 architectures, which hold every operation; ``arma`` keeps a weight that one layer does not use."""
    space = NASBenchGraph(hidden=4, num_pre=0, dropout=0.1)
    generator = torch.Generator().manual_seed(0)
    x, edge_index = torch.randn(12, 5, generator=generator), torch.randint(12, (2, 30), generator=generator)
    archs = space.sample(200, np.random.default_rng(0))
    seen = set()
    for arch in archs:
        net = space.build(arch, NODE_TASK)
        logits = net(x, edge_index)
        assert logits.shape == (12, 3)
        logits.square().sum().backward()
        unused = [name for name, p in net.named_parameters() if p.grad is None]
        assert all(name.endswith("operation.weight") for name in unused)
        assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
        seen |= set(space.to_text(arch)[5:].split(","))
    assert seen == set(OPERATIONS)


def test_network_computes_the_stated_formula() -> None:
    """Node 1 feeds 2 and the leaf 3, a skip; 2 feeds the leaf 4. The leaves are concatenated."""
    torch.manual_seed(0)
    space = NASBenchGraph(hidden=6, num_pre=1, num_post=1, dropout=0.5)
    net = space.build(space.from_text("0112:fc,gcn,skip,fc"), NODE_TASK).eval()
    x, edge_index = torch.randn(7, 5), torch.tensor([[0, 1, 2, 5], [1, 2, 0, 5]])
    one = net.nodes[0].norm(net.nodes[0].operation(net.pre[0](x).relu())).relu()
    two = net.nodes[1].norm(net.nodes[1].operation(one, edge_index)).relu()
    four = net.nodes[3].norm(net.nodes[3].operation(two)).relu()
    hidden = net.post[0](torch.cat([one, four], dim=1)).relu()
    torch.testing.assert_close(net(x, edge_index), net.classifier(hidden))


def test_dropout_acts_in_training_only() -> None:
    net = NASBenchGraph(hidden=8, dropout=0.9).build(SPACE.from_text("0123:fc,fc,fc,fc"), NODE_TASK)
    x, edge_index = torch.randn(9, 5), torch.zeros((2, 0), dtype=torch.long)
    assert not torch.equal(net(x, edge_index), net(x, edge_index))
    net.eval()
    assert torch.equal(net(x, edge_index), net(x, edge_index))


def test_unusable_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="graph nodes only"):
        SPACE.build(SPACE.from_text("0000:fc,fc,fc,fc"), TaskSpec("image", (3, 8, 8), 2))
    with pytest.raises(ConfigError, match="got 'arxiv'"):
        NASBenchGraph("arxiv")  # type: ignore[arg-type]
    for hidden in (0, 7, -2):
        with pytest.raises(ConfigError, match="even, positive"):
            NASBenchGraph(hidden=hidden)
