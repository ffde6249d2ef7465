from __future__ import annotations

import numpy as np

from gennas.graph import GraphSchema
from gennas.models.autoregressive import DecisionVocabulary


def test_every_label_of_every_decision_has_its_own_token(mixed: GraphSchema) -> None:
    vocabulary = DecisionVocabulary(mixed, num_conditions=2, num_bins=3)
    # BOS; twice "any" and 4 values; then 0->1, node 1, 0->2, 1->2 (or node 1 first) with 3, 2, 3, 3 labels.
    assert len(vocabulary) == 1 + 2 * 5 + 11
    used = vocabulary.tokens[mixed.decision_mask]
    assert used.tolist() == list(range(11, 22))
    assert (vocabulary.tokens[~mixed.decision_mask] == 0).all()
    assert vocabulary.length == 2 + 1 + 4


def test_decisions_as_tokens(chain: GraphSchema) -> None:
    tokens = DecisionVocabulary(chain).encode(np.array([[0, 1, 1, 0], [1, 1, 0, 0]]))
    assert tokens.tolist() == [[1, 4, 6, 7], [2, 4, 5, 7]]


def test_conditions_are_mixtures_of_two_tokens(chain: GraphSchema) -> None:
    vocabulary = DecisionVocabulary(chain, num_conditions=2, num_bins=4)  # any at 1 and 7, zero at 2 and 8
    pair, weight = vocabulary.encode_conditions(np.array([[0.0, 0.3], [1.0, np.nan], [2.0, -1.0]]))
    assert pair.tolist() == [[[2, 3], [9, 10]], [[5, 6], [7, 7]], [[5, 6], [8, 9]]]
    np.testing.assert_allclose(weight, [[0, 0.2], [1, 0], [1, 0]], atol=1e-12)
