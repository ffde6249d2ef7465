from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.graph.graf import graf_features
from gennas.models.surrogate import graf, live_one_hot, lookup_features, normal_scores, path_statistics


def mixed() -> GraphSchema:
    """0 -> 1 -> 2 and 0 -> 2 with edge labels x, y; node 1 is a or b."""
    node_mask = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=bool)
    edge_mask = np.zeros((3, 3, 3), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(3, 1)] = True
    return GraphSchema("mixed", ("end", "a", "b"), ("none", "x", "y"), node_mask, edge_mask)


def archs() -> Population:
    # Columns: node 1, 0->1, 0->2, 1->2. Both paths live; then 1 -> 2 missing: node 1 and 0 -> 1 are dead.
    return Population.from_decisions(mixed(), np.array([[1, 1, 2, 1], [2, 1, 2, 0]]))


def test_normal_scores_of_ranks() -> None:
    np.testing.assert_allclose(normal_scores(np.array([5.0, 1.0])), [0.6744897501960817, -0.6744897501960817])
    tied = normal_scores(np.array([1.0, 1.0, 9.0]))
    assert tied[0] == tied[1] < 0 < tied[2]
    np.testing.assert_array_equal(normal_scores(np.array([1.0, 2.0, 3.0])), normal_scores(np.array([-1e9, 0.0, 1e9])))


@pytest.mark.parametrize("y", [[1.0], [1.0, np.nan], [[1.0, 2.0]], []])
def test_values_without_ranks_are_refused(y: list[float]) -> None:
    with pytest.raises(ConfigError, match="at least two finite"):
        normal_scores(np.array(y))


def test_one_hot_is_silent_about_dead_slots() -> None:
    # Columns: node a, b; then none, x, y for each of the three edges.
    assert live_one_hot(archs()).tolist() == [
        [1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    ]


def test_path_statistics_by_hand() -> None:
    counts, sums, most, paths = np.split(path_statistics(archs()), [5, 10, 15], axis=1)
    # Labels end, a, b, x, y. First graph: paths 0 -x-> 1 -x-> 2 and 0 -y-> 2.
    assert counts.tolist() == [[2, 1, 0, 2, 1], [2, 0, 0, 0, 1]]
    np.testing.assert_allclose(np.expm1(sums), [[4, 1, 0, 2, 1], [2, 0, 0, 0, 1]])
    assert most.tolist() == [[2, 1, 0, 2, 1], [2, 0, 0, 0, 1]]
    np.testing.assert_allclose(np.expm1(paths), [[2], [1]])


def test_a_disconnected_graph_has_no_paths() -> None:
    empty = Population.from_decisions(mixed(), np.array([[1, 0, 0, 1]]))
    assert not live_one_hot(empty).any()
    assert path_statistics(empty)[0, -1] == 0


def test_graf_columns_are_those_of_the_graph_package() -> None:
    np.testing.assert_array_equal(graf(archs()), graf_features(archs())[0])


def test_lookup_finds_rows_by_key_and_ranks_them() -> None:
    one, two = archs().keys
    table = {two: [1e9, 5.0], one: [-3.0, np.nan]}
    low, high = -0.6744897501960817, 0.6744897501960817
    np.testing.assert_allclose(lookup_features(table)(archs()), [[low, low], [high, high]])
    np.testing.assert_array_equal(lookup_features(table, ranks=False)(archs()), [[-3.0, np.nan], [1e9, 5.0]])
    np.testing.assert_allclose(lookup_features(table)(archs()[1:]), [[high, high]])


def test_a_growing_table_is_read_again() -> None:
    one, two = archs().keys
    table = {one: [0.0]}
    features = lookup_features(table)
    assert features(archs()[:1]).tolist() == [[0.0]]
    table[two] = [1.0]
    assert features(archs())[1, 0] > 0


def test_missing_and_ragged_rows_are_explained() -> None:
    one, two = archs().keys
    with pytest.raises(ConfigError, match="1 of 2 have none, such as " + two):
        lookup_features({one: [0.0]})(archs())
    with pytest.raises(ConfigError, match="same number of columns"):
        lookup_features({one: [0.0], two: [1.0, 2.0]})(archs())
