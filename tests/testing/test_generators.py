"""The contract itself: it must pass a generator that works and fail ones that do not."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings
from gennas.graph import GraphSchema, Population
from gennas.models.base import Legality
from gennas.testing.generators import GeneratorContract, at_most_two_edges, edge_share, toy_schema

SMALL = DiffusionSettings(dim=32, num_layers=2)


class TestDiffusionGenerator(GeneratorContract):
    def make(self, schema: GraphSchema, legal: Legality | None, num_conditions: int, seed: int) -> DiffusionGenerator:
        return DiffusionGenerator(schema, legal, num_conditions, SMALL, seed)


class Deaf(DiffusionGenerator):
    """Ignores conditions and legality, and draws from numpy's global state."""

    def sample(self, n, conditions=None, seed=0, fixed=None):  # type: ignore[no-untyped-def]
        return super().sample(n, None, int(np.random.randint(1 << 30)))


@pytest.mark.parametrize(
    "check",
    [
        "test_same_seed_same_samples",
        "test_conditions_move_the_distribution",
        "test_global_random_state_is_neither_used_nor_changed",
    ],
)
def test_the_contract_catches_a_deaf_generator(check: str) -> None:
    with pytest.raises(AssertionError):
        getattr(GeneratorContract(), check)(Deaf(toy_schema(), None, 1, SMALL))


def test_toy_legality() -> None:
    schema = toy_schema()
    assert schema.num_decisions == 8
    # Edge 0->1 and node 1, then 2, then the three edges into 3.
    assert "".join("n" if slot.is_node else "e" for slot in schema.slots) == "neneeeee"
    D = np.array([[1, 1, 1, 1, 1, 0, 0, 0]])
    last = at_most_two_edges(D, 7)
    assert last.tolist() == [[True, False, False]]
    assert edge_share(Population.from_decisions(schema, D)).tolist() == [0.5]
