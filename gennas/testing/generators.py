"""What every generator must do: a pytest class to inherit from.

Example:
    >>> class TestMyGenerator(GeneratorContract):
    ...     def make(self, schema, legal, num_conditions, seed):
    ...         return MyGenerator(schema, legal, num_conditions, seed=seed)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gennas.errors import CheckpointError, GennasError
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Generator, Legality

__all__ = ["GeneratorContract", "at_most_two_edges", "toy_schema"]


def toy_schema() -> GraphSchema:
    """Four nodes, the two inner ones free (2 labels), and six free edges: 8 decisions of 2 labels."""
    node_mask = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0]], dtype=bool)
    edge_mask = np.zeros((4, 4, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(4, 1)] = True
    return GraphSchema("toy", ("end", "a", "b"), ("none", "edge"), node_mask, edge_mask)


def at_most_two_edges(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
    """A legality that the toy schema's masks cannot say: no third edge after two."""
    schema = toy_schema()
    legal = np.tile(schema.decision_mask[t], (len(D), 1))
    if not schema.slots[t].is_node:
        edges = [i for i in range(t) if not schema.slots[i].is_node]
        legal[:, 1] &= (D[:, edges] == 1).sum(1) < 2
    return legal


class GeneratorContract:
    """Inherit, define :meth:`make`, and pytest checks the generator.

    Attributes:
        steps: optimiser steps that suffice to learn eight binary decisions and one condition.
    """

    steps = 100

    def make(self, schema: GraphSchema, legal: Legality | None, num_conditions: int, seed: int) -> Generator:
        """A new, untrained generator; small, because the toy schema is."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def archs(cls) -> Population:
        """Random graphs of the toy schema, up to six edges."""
        D = toy_schema().decision_mask.argmax(1) + np.random.default_rng(0).integers(2, size=(400, 8))
        return Population.from_decisions(toy_schema(), D)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, archs: Population) -> Generator:
        """Trained on all of them, conditioned on their share of edges."""
        generator = cls().make(toy_schema(), None, 1, seed=0)
        generator.fit(archs, edge_share(archs)[:, None], steps=cls.steps, seed=0)
        return generator

    def test_is_a_generator(self, fitted: Generator) -> None:
        """The object has the protocol's methods."""
        assert isinstance(fitted, Generator)

    def test_samples_fit_the_schema(self, fitted: Generator) -> None:
        """As many as asked for, none of them outside the masks; zero is a number too."""
        drawn = fitted.sample(37, seed=1)
        assert len(drawn) == 37 and drawn.schema.fingerprint == toy_schema().fingerprint
        assert drawn.schema.allows(drawn.X, drawn.E).all()
        assert len(fitted.sample(0)) == 0

    def test_every_sample_is_legal(self, archs: Population) -> None:
        """Also right after training on what is mostly illegal, with and without conditions."""
        generator = self.make(toy_schema(), at_most_two_edges, 1, seed=0)
        generator.fit(archs, edge_share(archs)[:, None], steps=20, seed=0)
        for conditions in (None, np.array([1.0])):
            assert (edge_share(generator.sample(300, conditions, seed=2)) <= 2 / 6).all()

    def test_same_seed_same_samples(self, fitted: Generator) -> None:
        """And another seed draws others."""
        first, again, other = (fitted.sample(50, np.array([0.5]), seed=s).decisions for s in (3, 3, 4))
        assert (first == again).all() and (first != other).any()

    def test_global_random_state_is_neither_used_nor_changed(self, fitted: Generator) -> None:
        """Sampling is the same whatever was drawn elsewhere, and does not disturb others."""
        np.random.seed(0)
        before = np.random.get_state()[1].copy()  # type: ignore[index]
        first = fitted.sample(20, seed=5).decisions
        assert (before == np.random.get_state()[1]).all()  # type: ignore[index]
        np.random.seed(1)
        assert (fitted.sample(20, seed=5).decisions == first).all()

    def test_training_is_deterministic(self, archs: Population) -> None:
        """Two generators with the same seeds end alike."""
        pair = [self.make(toy_schema(), None, 1, seed=0) for _ in range(2)]
        losses = [g.fit(archs, steps=5, seed=1) for g in pair]
        assert (losses[0] == losses[1]).all()
        assert (pair[0].sample(30, seed=2).decisions == pair[1].sample(30, seed=2).decisions).all()

    def test_training_lowers_the_loss(self, archs: Population) -> None:
        """On four architectures repeated, which can be learned by heart, and then drawn."""
        few = archs[np.arange(len(archs)) % 4]
        generator = self.make(toy_schema(), None, 0, seed=0)
        losses = generator.fit(few, steps=self.steps, seed=0)
        assert losses[-10:].mean() < 0.7 * losses[:5].mean()
        hits = np.isin(generator.sample(200, seed=0).keys, few.keys).mean()
        assert hits > 0.5

    def test_weights_choose_what_is_learned(self, archs: Population) -> None:
        """Architectures of weight zero are not learned."""
        generator = self.make(toy_schema(), None, 0, seed=0)
        generator.fit(archs, weights=(edge_share(archs) <= 2 / 6).astype(float), steps=self.steps, seed=0)
        assert edge_share(generator.sample(300, seed=0)).mean() < 0.4 < edge_share(archs).mean()

    def test_conditions_move_the_distribution(self, fitted: Generator) -> None:
        """Asking for more edges gives more edges, for all at once and row by row."""
        few, some, many = (edge_share(fitted.sample(300, np.array([q]), seed=6)).mean() for q in (0.1, 0.5, 0.9))
        assert few < 0.35 < 0.4 < some < 0.6 < 0.65 < many
        rows = np.repeat([[0.1], [0.9]], 100, axis=0)
        share = edge_share(fitted.sample(200, rows, seed=7))
        assert share[:100].mean() + 0.3 < share[100:].mean()

    def test_unknown_conditions_are_accepted(self, archs: Population, fitted: Generator) -> None:
        """NaN in training means "unknown", in sampling "any"."""
        generator = self.make(toy_schema(), None, 1, seed=0)
        conditions = np.where(np.arange(len(archs)) % 2, edge_share(archs), np.nan)[:, None]
        assert np.isfinite(generator.fit(archs, conditions, steps=5, seed=0)).all()
        any_share = edge_share(fitted.sample(300, np.array([np.nan]), seed=8)).mean()
        assert 0.4 < any_share < 0.6

    def test_reloaded_generator_draws_the_same(self, fitted: Generator, tmp_path: Path) -> None:
        """Saved and loaded weights give identical samples and can be trained further."""
        fitted.save_pretrained(tmp_path / "saved")
        loaded = type(fitted).from_pretrained(tmp_path / "saved", toy_schema())
        conditions = np.array([0.8])
        assert (loaded.sample(64, conditions, 9).decisions == fitted.sample(64, conditions, 9).decisions).all()
        assert np.isfinite(loaded.fit(fitted.sample(32, seed=0), steps=2)).all()

    def test_wrong_checkpoints_are_refused(self, fitted: Generator, tmp_path: Path) -> None:
        """Another schema, an empty directory."""
        toy = toy_schema()
        other = GraphSchema("other", toy.node_labels, toy.edge_labels, toy.node_mask, toy.edge_mask)
        fitted.save_pretrained(tmp_path / "saved")
        with pytest.raises(CheckpointError, match="other"):
            type(fitted).from_pretrained(tmp_path / "saved", other)
        with pytest.raises(CheckpointError):
            type(fitted).from_pretrained(tmp_path, toy)

    def test_misuse_is_explained(self, archs: Population) -> None:
        """No architectures, weights that cannot be drawn from, conditions of the wrong width."""
        generator = self.make(toy_schema(), None, 1, seed=0)
        for call in (
            lambda: generator.fit(archs[:0], steps=1),
            lambda: generator.fit(archs, weights=np.zeros(len(archs)), steps=1),
            lambda: generator.fit(archs, np.zeros((len(archs), 3)), steps=1),
            lambda: generator.sample(5, np.zeros(3)),
        ):
            with pytest.raises(GennasError):
                call()


def edge_share(archs: Population) -> FloatArray:
    """Share of the six edges that are present, ``(b,)``."""
    share: FloatArray = (archs.E > 0).sum((1, 2)) / 6
    return share
