from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.models.llm import Decisions, by_texts
from gennas.models.llm.local import LocalBackend
from gennas.models.llm.tuning import Tuning, examples_of, log_likelihood, right_order, tune
from gennas.spaces import NASBench201

PROMPT = "Propose a good cell."
SPACE = NASBench201()
DECISIONS = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)
CELLS = SPACE.sample(60, np.random.default_rng(0)).unique().decisions
QUALITY = (CELLS == 3).sum(1).astype(float)  # convolutions of 3x3
QUICK = Tuning(steps=40, batch_size=12, lr=3e-3)


@pytest.fixture(autouse=True)
def _peft() -> None:
    pytest.importorskip("peft")


@pytest.fixture
def backend(random_model: Any, tokenizer: Any) -> LocalBackend:
    return LocalBackend(copy.deepcopy(random_model), tokenizer)


def test_preferences_order_what_was_held_out(backend: LocalBackend, random_model: Any, tokenizer: Any) -> None:
    steps = []
    tuned = tune(backend, DECISIONS, CELLS, QUALITY, PROMPT, QUICK, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (40, 40) and tuned.held_out == 12 and tuned.learned == len(CELLS) - 12
    assert tuned.losses[-10:].mean() < 0.9 * tuned.losses[0] and tuned.losses[0] == pytest.approx(np.log(2))
    assert tuned.after > 0.75 and tuned.after > tuned.before + 0.1
    # On cells that nobody has seen, with weights that were added to the model's own.
    fresh = SPACE.sample(100, np.random.default_rng(7)).decisions
    examples = examples_of(backend, DECISIONS, fresh, PROMPT)
    with torch.inference_mode():
        ratio = (log_likelihood(tuned.model, examples) - log_likelihood(random_model, examples)).numpy()
    assert right_order(ratio, (fresh == 3).sum(1).astype(float)) > 0.75
    made = by_texts(DECISIONS, LocalBackend(tuned.model, tokenizer), [{"role": "user", "content": PROMPT}], 20)
    assert (made.D == 3).mean() > 0.3 and made.valid_before_repair == 1  # .2 by chance


def test_the_best_become_likelier(backend: LocalBackend, random_model: Any) -> None:
    tuning = Tuning("supervised", steps=30, batch_size=8, lr=3e-3, held_out=0, best=0.2)
    tuned = tune(backend, DECISIONS, CELLS, QUALITY, PROMPT, tuning)
    assert tuned.learned == 12 and tuned.held_out == 0 and np.isnan(tuned.after)
    assert tuned.losses[-5:].mean() < 0.9 * tuned.losses[0]
    best = CELLS[np.argsort(-QUALITY, kind="stable")[:12]]
    examples = examples_of(backend, DECISIONS, best, PROMPT)
    with torch.inference_mode():
        assert (log_likelihood(tuned.model, examples) > log_likelihood(random_model, examples)).all()


def test_same_seed_same_model_and_random_numbers_are_left_alone(random_model: Any, tokenizer: Any) -> None:
    tuning = Tuning(steps=3, batch_size=4)
    state = torch.get_rng_state()
    a, b = (
        tune(LocalBackend(copy.deepcopy(random_model), tokenizer), DECISIONS, CELLS[:12], QUALITY[:12], PROMPT, tuning)
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(x, y) for x, y in zip(a.model.parameters(), b.model.parameters(), strict=True))
    assert a.losses.tolist() == b.losses.tolist()


def test_nothing_to_learn_is_refused_before_anything_is_changed(backend: LocalBackend, random_model: Any) -> None:
    for D, quality, says in (
        (CELLS, np.ones(len(CELLS)), "different quality"),
        (CELLS[:1], QUALITY[:1], "different quality"),
        (CELLS, QUALITY[:3], "a utility for each"),
        (CELLS, np.where(QUALITY > 2, np.nan, QUALITY), "NaN"),
    ):
        with pytest.raises(ConfigError, match=says):
            tune(backend, DECISIONS, D, quality, PROMPT, QUICK)
    with pytest.raises(ConfigError, match="different quality"):
        tune(backend, DECISIONS, CELLS, np.full(len(CELLS), -np.inf), PROMPT, Tuning("supervised"))
    assert not any("lora" in name for name, _ in backend.model.named_parameters())


@pytest.mark.parametrize("wrong", [{"best": 0.0}, {"held_out": 1.0}, {"batch_size": 1}, {"lr": 0.0}, {"method": "ppo"}])
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        Tuning(**wrong)
