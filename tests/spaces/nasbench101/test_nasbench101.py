"""NAS-Bench-101: isomorphism, counts, sampling, edits and networks."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces.nasbench101.networks import Cell, vertex_channels
from gennas.spaces.nasbench101.space import NASBench101
from gennas.spaces.spec import TaskSpec

SPACE = NASBench101()
CIFAR = TaskSpec("image", (3, 32, 32), 10)
Published = tuple[Population, dict[str, np.ndarray]]
NAMES = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
CELLS_BY_VERTICES = {2: 1, 3: 6, 4: 84, 5: 2441, 6: 62010, 7: 359082}  # figures of the published table
# Published parameter counts; in the last one 128 channels do not divide by the vertices before the output.
PARAMETERS = {
    "output~0": 882_570,
    "maxpool3x3~0|output~1": 882_570,
    "maxpool3x3~0|output~0,1": 1_756_298,
    "conv1x1-bn-relu~0|output~0,1": 2_793_866,
    "conv3x3-bn-relu~0|output~1": 10_177_674,
    "conv1x1-bn-relu~0|conv3x3-bn-relu~0|maxpool3x3~2|conv3x3-bn-relu~3|conv3x3-bn-relu~0,1,4|output~0,5": 32_426_634,
    "conv3x3-bn-relu~0|maxpool3x3~0|conv1x1-bn-relu~0,2|conv3x3-bn-relu~3|conv3x3-bn-relu~4|output~0,1,5": 9_429_258,
    "maxpool3x3~0|conv3x3-bn-relu~1|conv3x3-bn-relu~1|maxpool3x3~2,3|conv3x3-bn-relu~3|output~2,4,5": 3_403_080,
}


def key_of(text: str) -> str:
    return SPACE.from_text(text).key


def vertices(population: Population) -> np.ndarray:
    return (population.X != SPACE.schema.node_labels.index("none")).sum(1)


def labelled_graph(arch: Architecture) -> nx.DiGraph:
    adjacency, operations = SPACE.to_matrix(arch)
    graph = nx.from_numpy_array(adjacency, create_using=nx.DiGraph)
    nx.set_node_attributes(graph, dict(enumerate(operations)), "operation")
    return graph


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Published:
    """The published cells through ``from_matrices``, and the columns in the same order."""
    with np.load(shared_data / "nb101.npz") as file:
        columns = {name: file[name] for name in file.files}
    order = np.argsort(columns["n_vertices"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    parts = []
    for n in range(2, 8):
        rows = columns["n_vertices"] == n
        adjacency = np.zeros((rows.sum(), n, n), dtype=np.int8)
        for bit, (u, v) in enumerate((a, b) for b in range(n) for a in range(b)):
            adjacency[:, u, v] = columns["adj_bits"][rows] >> bit & 1
        parts.append(SPACE.from_matrices(adjacency, columns["ops"][rows, : n - 2].astype(np.int16)))
    return Population.concat(parts), columns


def test_published_table_is_the_space(published: Published) -> None:
    cells, columns = published
    assert len(set(cells.keys)) == len(cells) == SPACE.size == 423_624
    assert np.array_equal(vertices(cells), columns["n_vertices"])
    edges = np.bincount(cells.E.sum((1, 2)))
    assert edges.tolist() == [0, 1, 3, 12, 60, 339, 2134, 13984, 78822, 328269]
    # The canonical cell is the one that the table lists, so that its channels are split as published.
    listed = columns["ops"].astype(int)
    full = columns["n_vertices"] == 7
    targets, sources = np.tril_indices(7, -1)
    assert np.array_equal(cells.E[full][:, sources, targets] @ 2 ** np.arange(21), columns["adj_bits"][full])
    assert np.array_equal(np.where(cells.X[:, 1:6] == 4, 255, cells.X[:, 1:6] - 1), listed)


def test_100_000_cells_are_canonicalised_and_keyed_in_ten_seconds(rng: np.random.Generator) -> None:
    cells = SPACE.sample(100_000, rng)
    start = time.process_time()
    keys = SPACE.canonical(Population(cells.schema, cells.X, cells.E)).keys
    assert time.process_time() - start < 10
    assert keys == cells.keys


def test_labelled_cells_are_as_many_as_brute_force_finds() -> None:
    """All graphs of up to four vertices: completions under the prefix that fixes the number of vertices."""
    blank = np.zeros((1, 26), dtype=np.int16)
    used = {m: 0 for m in range(3)}
    for m in range(3):
        for bits in itertools.product((0, 1), repeat=(m + 2) * (m + 1) // 2):
            matrix = np.zeros((m + 2, m + 2), dtype=int)
            matrix[np.triu_indices(m + 2, 1)] = bits
            graph = nx.from_numpy_array(matrix, create_using=nx.DiGraph)
            reach = nx.descendants(graph, 0) | {0}
            used[m] += all(v in reach and nx.has_path(graph, v, m + 1) for v in range(m + 2))
    assert used == {0: 1, 1: 2, 2: 10}
    total = SPACE.completions(blank, 0).sum()
    assert total == 1 + 3 * 2 + 9 * 10 + 27 * 121 + 81 * 1545 + 243 * 4793
    assert SPACE.completions(blank, 0)[0].tolist() == [0, (total - 1) / 3, (total - 1) / 3, (total - 1) / 3, 1, 0]


def test_legality_looks_ahead_to_the_ninth_edge() -> None:
    """Four vertices on the input need four more edges: a fifth on the input would make ten in all."""
    slots = [(s.source, s.target) for s in SPACE.schema.slots]
    D = np.zeros((1, 26), dtype=np.int16)
    for v in range(1, 6):
        D[0, slots.index((None, v))] = 3
        D[0, slots.index((0, v))] = v < 5
    none, edge = [True, False], [False, True]
    assert SPACE.legal(D, slots.index((0, 5)))[0, :2].tolist() == none
    D[0, slots.index((1, 5))] = 1
    assert SPACE.legal(D, slots.index((2, 5)))[0, :2].tolist() == [True, True]
    assert SPACE.legal(D, slots.index((0, 6)))[0, :2].tolist() == none
    D[0, slots.index((2, 6)) - 1] = 0
    assert SPACE.legal(D, slots.index((2, 6)))[0, :2].tolist() == edge


def test_validity_equals_its_definition(rng: np.random.Generator) -> None:
    """Edits of valid cells at random slots, about a third of them still valid."""
    D = SPACE.sample(400, rng).decisions.copy()
    D[:200] = SPACE.sample(200, rng).decisions  # plus small cells, where unused slots matter
    small = SPACE.neighbours(SPACE.from_text("maxpool3x3~0|output~0,1")).decisions
    D = np.concatenate([D, np.repeat(small, 10, axis=0)])
    for row in D:
        t = int(rng.integers(26))
        row[t] = rng.choice(np.flatnonzero(SPACE.schema.decision_mask[t]))
    graphs = Population.from_decisions(SPACE.schema, D)
    found = SPACE.is_valid(graphs)
    assert 0.1 < found.mean() < 0.9
    for valid, X, E in zip(found, graphs.X, graphs.E, strict=True):
        used = [0, *(v for v in range(1, 6) if X[v] != 4), 6]
        graph = nx.from_numpy_array(E, create_using=nx.DiGraph)
        paths = all(nx.has_path(graph, 0, v) and nx.has_path(graph, v, 6) for v in used)
        loose = any(graph.degree(v) for v in range(7) if v not in used)
        packed = used == [*range(len(used) - 1), 6]
        assert valid == (paths and packed and not loose and E.sum() <= 9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_permuting_vertices_keeps_the_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for cell in SPACE.sample(10, rng):
        graph = labelled_graph(cell)
        orders = list(itertools.islice(nx.all_topological_sorts(graph), 30))
        order = orders[rng.integers(len(orders))]
        adjacency, operations = SPACE.to_matrix(cell)
        assert SPACE.from_matrix(adjacency[np.ix_(order, order)], [operations[v] for v in order]).key == cell.key


def test_keys_differ_exactly_where_networkx_finds_no_isomorphism(rng: np.random.Generator) -> None:
    """All pairs among the cells that share vertices, edges and operations, where confusion is likeliest."""
    start = SPACE.from_text("conv3x3-bn-relu~0|conv1x1-bn-relu~0,1|maxpool3x3~1,2|output~2,3")
    cells = Population.concat([SPACE.neighbours(start), SPACE.neighbours(SPACE.neighbours(start)[40])])
    graphs = [labelled_graph(cell) for cell in cells]
    shape = [(g.number_of_edges(), sorted(nx.get_node_attributes(g, "operation").values())) for g in graphs]
    pairs = [(i, j) for i, j in itertools.combinations(range(len(cells)), 2) if shape[i] == shape[j]]
    assert len(pairs) > 100
    for i, j in pairs:
        same = nx.is_isomorphic(graphs[i], graphs[j], node_match=lambda a, b: a == b)
        assert same == (cells.keys[i] == cells.keys[j])


def test_sampling_is_uniform_over_distinct_cells() -> None:
    cells = SPACE.sample(60_000, np.random.default_rng(1))
    counts = np.bincount(vertices(cells), minlength=8)[5:]
    expected = np.array([CELLS_BY_VERTICES[5] + 91, CELLS_BY_VERTICES[6], CELLS_BY_VERTICES[7]]) / 423_624
    counts[0] += (vertices(cells) < 5).sum()
    assert stats.chisquare(counts, 60_000 * expected).pvalue > 1e-3


def test_symmetric_cells_are_as_likely_as_others(published: Published) -> None:
    """Cells with few labelled forms would be rare under uniform sampling of labelled graphs."""
    cells, _ = published
    drawn = SPACE.sample(60_000, np.random.default_rng(2))
    shares, counts = (np.bincount(c.E[:, 0].sum(1))[1:6] / len(c) for c in (cells, drawn))  # edges leaving the input
    assert stats.chisquare(60_000 * counts, 60_000 * shares).pvalue > 1e-3


def test_neighbours_of_the_smallest_cells() -> None:
    near = [SPACE.to_text(cell) for cell in SPACE.neighbours(SPACE.from_text("output~0"))]
    assert near == [f"{name}~0|output~{sources}" for sources in ("1", "0,1") for name in NAMES]
    cell = SPACE.from_text("conv3x3-bn-relu~0|output~0,1")
    near = [SPACE.to_text(cell) for cell in SPACE.neighbours(cell)]
    assert near[:4] == [
        "output~0",
        "conv3x3-bn-relu~0|output~1",
        "conv1x1-bn-relu~0|output~0,1",
        "maxpool3x3~0|output~0,1",
    ]
    assert len(near) == 21


@pytest.mark.parametrize(
    ("large", "near"),
    [
        ("conv3x3-bn-relu~0|maxpool3x3~1|output~2", True),
        ("conv3x3-bn-relu~0|maxpool3x3~0|output~1,2", True),
        ("conv3x3-bn-relu~0|maxpool3x3~0,1|output~2", False),
    ],
)
def test_inserting_and_removing_a_vertex_are_one_edit_both_ways(large: str, near: bool) -> None:
    a, b = SPACE.from_text("conv3x3-bn-relu~0|output~1"), SPACE.from_text(large)
    assert (b in SPACE.neighbours(a)) == (a in SPACE.neighbours(b)) == near


def test_all_small_cells_reach_each_other() -> None:
    start = SPACE.from_text("output~0")
    seen, todo = {start.key}, [start]
    edges = nx.DiGraph()
    while todo:
        cell = todo.pop()
        near = SPACE.neighbours(cell)
        for other in near[vertices(near) <= 4]:
            edges.add_edge(cell.key, other.key)
            if other.key not in seen:
                seen.add(other.key)
                todo.append(other)
    assert len(seen) == 1 + 6 + 84
    assert nx.is_strongly_connected(edges)


def test_mutants_are_neighbours(rng: np.random.Generator) -> None:
    cells = SPACE.sample(40, rng)
    cells = Population.concat([cells, Population.of(SPACE.schema, [SPACE.from_text("output~0")])])
    for cell, mutant in zip(cells, SPACE.mutate(cells, rng), strict=True):
        assert mutant in SPACE.neighbours(cell)


def test_unused_vertices_of_a_matrix_are_pruned_before_the_limits_are_checked() -> None:
    adjacency = np.zeros((9, 9), dtype=int)
    adjacency[[0, 0, 1, 8 - 5], [1, 3, 8, 5]] = 1
    operations = ["input", "maxpool3x3", *["conv3x3-bn-relu"] * 6, "output"]
    assert SPACE.to_text(SPACE.from_matrix(adjacency, operations)) == "maxpool3x3~0|output~1"


def test_matrix_round_trip(rng: np.random.Generator) -> None:
    for cell in SPACE.sample(30, rng):
        adjacency, operations = SPACE.to_matrix(cell)
        assert operations[0] == "input" and operations[-1] == "output"
        assert SPACE.from_matrix(adjacency.tolist(), operations) == cell


@pytest.mark.parametrize(
    ("adjacency", "operations", "message"),
    [
        ([[0, 1, 0], [0, 0, 1]], ["input", "output"], "square"),
        ([[0, 1], [0, 0]], ["input", "maxpool3x3", "output"], "one row per operation"),
        ([0, 1], ["input", "output"], "square"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular"),
        ([[1, 1], [0, 0]], ["input", "output"], "upper triangular"),
        ([[0, 2], [0, 0]], ["input", "output"], "0 and 1"),
        ([[0, 0], [0, 0]], ["input", "output"], "no path"),
        ([[0, 1], [0, 0]], ["output", "input"], "'input' first"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv5x5", "output"], "unknown operations 'conv5x5'"),
        (np.eye(8, k=1), ["input", *["maxpool3x3"] * 6, "output"], "more than 7 vertices"),
        (np.triu(np.ones((5, 5)), 1), ["input", *["maxpool3x3"] * 3, "output"], "more than 9 edges"),
    ],
)
def test_bad_matrices_are_refused(adjacency: object, operations: list[str], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.from_matrix(np.array(adjacency), operations)


def test_bad_row_of_a_batch_is_named() -> None:
    adjacency = np.array([[[0, 1, 0], [0, 0, 1], [0, 0, 0]]] * 3)
    with pytest.raises(InvalidArchitectureError, match=r"row 1: operations must be 0, 1 or 2"):
        SPACE.from_matrices(adjacency, np.array([[0], [3], [2]]))
    with pytest.raises(InvalidArchitectureError, match=r"got \(3, 3, 3\) and \(3, 2\)"):
        SPACE.from_matrices(adjacency, np.zeros((3, 2), dtype=int))


def test_text_takes_vertices_in_any_topological_order() -> None:
    canonical = "conv3x3-bn-relu~0|conv1x1-bn-relu~0|maxpool3x3~1|output~2,3"
    swapped = "conv1x1-bn-relu~0|conv3x3-bn-relu~0|maxpool3x3~2|output~3,1"
    later = "conv3x3-bn-relu~0|maxpool3x3~1|conv1x1-bn-relu~0|output~2,3"
    assert key_of(canonical) == key_of(swapped) == key_of(later)
    assert key_of("conv1x1-bn-relu~0|conv3x3-bn-relu~0|maxpool3x3~1|output~2,3") != key_of(canonical)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "output",
        "output~",
        "output~1",
        "maxpool3x3~0",
        "maxpool3x3~1|output~1",
        "maxpool3x3~0|output~1,1",
        "maxpool3x3~0|output~1|maxpool3x3~0",
        "maxpool3x3~0|output~0",
        "conv7x7~0|output~1",
        "none~0|output~1",
        "maxpool3x3~0||output~1",
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        SPACE.from_text(text)


def parameters(space: NASBench101, arch: Architecture, spec: TaskSpec = CIFAR) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in space.build(arch, spec).parameters())


@pytest.mark.parametrize(("text", "count"), PARAMETERS.items())
def test_parameters_equal_the_published_ones(text: str, count: int) -> None:
    assert parameters(SPACE, SPACE.from_text(text)) == count


def test_parameters_equal_the_table(published: Published) -> None:
    cells, columns = published
    rng = np.random.default_rng(3)
    uneven = np.flatnonzero(np.isin(cells.E[:, 1:6, 6].sum(1), [3, 5]))
    rows = [*rng.choice(7 + 84, 6), *rng.choice(uneven, 12), *rng.integers(len(cells), size=12)]
    for row in rows:
        assert parameters(SPACE, cells[int(row)]) == columns["params"][row]


def test_channels_are_split_over_the_vertices_before_the_output() -> None:
    adjacency, _ = SPACE.to_matrix(SPACE.from_text("maxpool3x3~0|maxpool3x3~0,1|maxpool3x3~0|output~1,2,3"))
    assert vertex_channels(adjacency, 16, 32) == [16, 11, 11, 10, 32]
    chain, _ = SPACE.to_matrix(SPACE.from_text("maxpool3x3~0|maxpool3x3~1|maxpool3x3~1|output~2,3"))
    assert vertex_channels(chain, 16, 7) == [16, 4, 4, 3, 7]


def test_cell_computes_sums_cuts_and_concatenation() -> None:
    """0 → 1, 2, output; 1 → 2, output; 2 → output with seven channels: vertex 1 has four, vertex 2 three."""
    torch.manual_seed(0)
    adjacency, operations = SPACE.to_matrix(SPACE.from_text("maxpool3x3~0|conv3x3-bn-relu~0,1|output~0,1,2"))
    operations_in_order = operations[1:-1]
    cell = Cell(adjacency, operations, 5, 7)
    x = torch.randn(4, 5, 6, 6)
    first = cell.vertices[0](cell.projections["1"](x))
    second = cell.vertices[1](cell.projections["2"](x) + first[:, :3])
    expected = torch.cat([first, second], dim=1) + cell.projections["3"](x)
    assert operations_in_order == ["maxpool3x3", "conv3x3-bn-relu"]
    torch.testing.assert_close(cell(x), expected)


@pytest.mark.parametrize("spec", [TaskSpec("image", (1, 8, 8), 10), TaskSpec("image", (3, 7, 5), 4)])
def test_networks_of_any_width_train_on_small_images(spec: TaskSpec, rng: np.random.Generator) -> None:
    space = NASBench101(width=7, num_stacks=3, num_cells=1)
    for cell in space.sample(8, rng):
        net = space.build(cell, spec)
        logits = net(torch.randn(2, *spec.input_shape))
        assert logits.shape == (2, spec.num_outputs)
        logits.sum().backward()
        assert all(p.grad is not None for p in net.parameters())


def test_unusable_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 5 channels, got 4"):
        NASBench101(width=4)
    with pytest.raises(ConfigError, match="image"):
        SPACE.build(SPACE.from_text("output~0"), TaskSpec("node", (5,), 2))


def test_vertices_that_pruning_removes_may_hold_anything() -> None:
    matrix = np.zeros((5, 5), dtype=int)
    matrix[0, 1] = matrix[1, 4] = matrix[0, 2] = matrix[3, 4] = 1  # vertices 2 and 3 lie on no path
    names = ["input", "maxpool3x3", "conv7x7", None, "output"]
    expected = SPACE.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    assert SPACE.from_matrix(matrix, names) == expected
    huge = np.array([[2, 10**6, -7]])
    assert SPACE.from_matrices(matrix[None], huge)[0] == expected
    matrix[2, 4] = 1
    with pytest.raises(InvalidArchitectureError, match=r"unknown operations 'conv7x7'; known"):
        SPACE.from_matrix(matrix, names)


@pytest.mark.parametrize("matrix", [[[0, 1], [0]], [[0, 1]], [0, 1], [["0", "1"], ["0", "0"]], [[0, None], [0, 0]]])
def test_what_is_no_matrix_is_one_line(matrix: list) -> None:
    with pytest.raises(InvalidArchitectureError, match="nasbench101: expected a") as caught:
        SPACE.from_matrix(matrix, ["input", "output"])
    assert "\n" not in str(caught.value)
