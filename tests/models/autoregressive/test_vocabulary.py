from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import CheckpointError
from gennas.graph import GraphSchema
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary
from gennas.spaces import SPACES


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


def test_shared_tokens_are_those_of_labels_and_come_back_from_files(tmp_path: Path) -> None:
    space = SPACES.get("nasbench-graph")()
    own, shared = DecisionVocabulary(space.schema, 1), DecisionVocabulary(space.schema, 1, shared=True)
    assert len(shared) < len(own)
    D = space.sample(50, np.random.default_rng(0)).decisions
    names: dict[tuple[bool, str], set[int]] = {}
    for t, slot in enumerate(space.schema.slots):
        for label, token in zip(D[:, t].tolist(), shared.encode(D)[:, t].tolist(), strict=True):
            names.setdefault((slot.is_node, space.schema.label(t, label)), set()).add(token)
    assert all(len(tokens) == 1 for tokens in names.values())
    assert len(set.union(*names.values())) == len(names)
    model = DecisionLM(shared, dim=16)
    model.save_pretrained(tmp_path)
    assert DecisionLM.from_pretrained(tmp_path).vocabulary.shared
    (tmp_path / "vocabulary.json").write_text(
        json.dumps({k: v for k, v in json.loads((tmp_path / "vocabulary.json").read_text()).items() if k != "shared"})
    )
    with pytest.raises(CheckpointError, match=f"{len(own)} tokens"):
        DecisionLM.from_pretrained(tmp_path)
