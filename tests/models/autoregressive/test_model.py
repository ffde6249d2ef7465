from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import GraphSchema
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary


def make(schema: GraphSchema, num_conditions: int = 1, sharp: float = 0.0) -> DecisionLM:
    torch.manual_seed(0)
    model = DecisionLM(DecisionVocabulary(schema, num_conditions), dim=16, num_layers=2, num_heads=2).eval()
    if sharp:
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=sharp)
    return model


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exactly_one_edge(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
    """Legality of the mixed schema, columns node 1, 0->1, 0->2, 1->2: one edge in all."""
    if t == 0:
        return np.tile([False, True, True], (len(D), 1))
    used = (D[:, 1:t] > 0).any(1)
    legal = np.stack([np.ones(len(D), bool), ~used, ~used], 1)
    if t == 3:
        legal[:, 0] = used
    return legal


ALL_MIXED = np.array(list(itertools.product([1, 2], range(3), range(3), range(3))))


@pytest.mark.parametrize("w", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("legal", [None, exactly_one_edge])
def test_likelihoods_of_all_architectures_sum_to_one(mixed: GraphSchema, legal, w: float) -> None:
    model = make(mixed, sharp=0.4)
    p = np.exp(model.log_prob(ALL_MIXED, np.array([0.7]), legal, w))
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert (p > 0).sum() == (54 if legal is None else 12)  # 2 nodes times 27 edge patterns, or 3 places * 2 labels
    assert p.max() > 3 * p[p > 0].min()  # not the uniform model


def test_samples_have_the_likelihoods_stated(mixed: GraphSchema) -> None:
    """Cached sampling with guidance and legality against the exact distribution, by chi-square."""
    model = make(mixed, sharp=0.4)
    drawn = model.sample(6000, np.array([0.7]), 2.0, seeded(0), exactly_one_edge).decisions
    p = np.exp(model.log_prob(ALL_MIXED, np.array([0.7]), exactly_one_edge, 2.0))
    counts = np.array([(drawn == d).all(1).sum() for d in ALL_MIXED])
    assert counts[p == 0].sum() == 0
    assert chisquare(counts[p > 0], 6000 * p[p > 0] / p.sum()).pvalue > 1e-3


def test_untrained_model_is_uniform(chain: GraphSchema) -> None:
    D = make(chain).sample(4000, generator=seeded(0)).decisions
    assert chisquare(np.bincount(D @ np.array([1, 2, 4, 8]), minlength=16)).pvalue > 1e-4
    np.testing.assert_allclose(make(chain).log_prob(D[:3]), 4 * np.log(0.5), atol=1e-6)


def test_every_decision_sees_the_past_only(mixed: GraphSchema) -> None:
    model = make(mixed, sharp=0.4)
    x = torch.tensor([[1, 0, 2, 1], [1, 0, 1, 2]])
    with torch.inference_mode():
        logits = model(x, torch.full((2, 1), 0.5))
    torch.testing.assert_close(logits[0, :3], logits[1, :3])
    assert not torch.allclose(logits[0, 3], logits[1, 3])
    assert (logits.isneginf() == ~torch.tensor(mixed.decision_mask)).all()


def test_guidance_is_the_stated_combination(chain: GraphSchema) -> None:
    """On the first decision, by hand from the three likelihoods."""
    model = make(chain, sharp=0.4)
    D, c, w = np.array(list(itertools.product([0, 1], repeat=4))), np.array([0.9]), 3.0

    def first(scale: float, conditions: NDArray | None) -> NDArray:
        p = np.exp(model.log_prob(D, conditions, guidance_scale=scale))
        return np.log([p[D[:, 0] == s].sum() for s in (0, 1)])

    free, with_c, guided = first(1.0, None), first(1.0, c), first(w, c)
    ratio = (free + w * (with_c - free)) @ [-1, 1]
    assert guided @ [-1, 1] == pytest.approx(ratio, abs=1e-5)
    np.testing.assert_allclose(first(w, np.array([np.nan])), free, atol=1e-6)


def test_conditions_row_by_row(chain: GraphSchema) -> None:
    model = make(chain, 2, sharp=0.4)
    D = np.array([[0, 1, 1, 0], [1, 0, 1, 1]])
    c = np.array([[0.1, np.nan], [0.8, 0.3]])
    together = model.log_prob(D, c)
    for i in range(2):
        np.testing.assert_allclose(model.log_prob(D[i : i + 1], c[i]), together[i : i + 1], atol=1e-6)
    assert len(model.sample(2, c, 2.0, seeded(0))) == 2
    for call in (lambda: model.sample(3, c), lambda: model.log_prob(D, np.zeros(3))):
        with pytest.raises(ConfigError, match=r"\(2,\) or"):
            call()


def test_values_between_two_tokens_lie_between_their_models(chain: GraphSchema) -> None:
    """The condition's effect is continuous, also across the border of two bins."""
    model = make(chain, sharp=0.4)
    D = np.array([[0, 1, 1, 0]])
    below, at, above = (model.log_prob(D, np.array([q]))[0] for q in (0.3 - 1e-5, 0.3, 0.3 + 1e-5))
    assert below == pytest.approx(at, abs=1e-3) and above == pytest.approx(at, abs=1e-3)
    assert abs(model.log_prob(D, np.array([0.8]))[0] - at) > 1e-2


def test_round_trip_through_files(mixed: GraphSchema, tmp_path: Path) -> None:
    model = make(mixed, sharp=0.4)
    model.save_pretrained(tmp_path)
    loaded = DecisionLM.from_pretrained(tmp_path, mixed)
    c = np.array([0.4])
    assert (loaded.log_prob(ALL_MIXED, c) == model.log_prob(ALL_MIXED, c)).all()
    assert (loaded.sample(64, c, 2.0, seeded(3)).decisions == model.sample(64, c, 2.0, seeded(3)).decisions).all()


@pytest.mark.parametrize("file", ["vocabulary.json", "config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_files_are_refused(mixed: GraphSchema, tmp_path: Path, file: str, damage: str) -> None:
    make(mixed).save_pretrained(tmp_path)
    if damage == "missing":
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:40])
    with pytest.raises(CheckpointError):
        DecisionLM.from_pretrained(tmp_path)


def test_network_of_another_vocabulary_is_refused(mixed: GraphSchema, chain: GraphSchema, tmp_path: Path) -> None:
    make(mixed).save_pretrained(tmp_path)
    vocabulary = (tmp_path / "vocabulary.json").read_text()
    make(chain).save_pretrained(tmp_path)
    (tmp_path / "vocabulary.json").write_text(vocabulary)
    with pytest.raises(CheckpointError, match="tokens"):
        DecisionLM.from_pretrained(tmp_path)
