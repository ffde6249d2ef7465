from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.llm import Backend, Decisions, Question, by_choices, by_texts, grammar_of
from gennas.spaces import NASBench101, NASBench201
from gennas.testing.scripted_models import Adversary, Follower, Ignorant, Memoriser, Oracle

SPACE = NASBench201()
DECISIONS = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)


def truth(D: np.ndarray) -> np.ndarray:
    """Linked decisions: the third operation everywhere, and a bonus where neighbours are equal."""
    return (D == 3).sum(1) + 0.5 * (D[:, 1:] == D[:, :-1]).sum(1)


ALL = DECISIONS.unrank(range(0, 15625, 7))
MEAN = float(truth(ALL).mean())
MODELS = [
    Oracle(DECISIONS, truth, noise=0.5),
    Adversary(DECISIONS, truth, noise=0.5),
    Memoriser(DECISIONS, ALL, truth(ALL)),
    Follower(DECISIONS),
    Ignorant(DECISIONS),
]
LEGEND = "Decisions 1 to 6: " + "; ".join(f"{i} = {name}" for i, name in enumerate(SPACE.schema.edge_labels))


def proposed(model: Any, state: str, n: int = 60) -> list[np.ndarray]:
    """What is proposed in both ways."""
    return [
        by_choices(DECISIONS, model, state, n, seed=1).D,
        by_texts(DECISIONS, model, [{"role": "user", "content": state}], n).D,
    ]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_double_is_a_backend_whose_answers_depend_on_the_prompt_alone(model: Any) -> None:
    assert isinstance(model, Backend)
    message, grammar = [{"role": "user", "content": "Maximise."}], grammar_of(DECISIONS)
    first = [model.complete(message, grammar, draw).text for draw in range(20)]
    assert first == [model.complete(message, grammar, draw).text for draw in range(20)]
    assert all(grammar.read(text) is not None for text in first) and len(set(first)) > 5
    questions = [Question("Next: edge 0 to 1?", SPACE.schema.edge_labels)] * 2
    a, b = model.choose("Maximise.", questions)
    assert np.array_equal(a.probabilities, model.choose("Maximise.", questions)[0].probabilities)
    assert a.probabilities.sum() == pytest.approx(1) and a.usage.input_tokens > 5 and len(b.probabilities) == 5


@pytest.mark.parametrize("kind", [Oracle, Adversary, Follower, Ignorant])
def test_a_double_is_legal_where_decisions_depend_on_each_other(kind: Any) -> None:
    space = NASBench101()
    decisions = Decisions(space.schema, space.legal, space.completions)
    options = {"truth": lambda D: D.sum(1), "samples": 4} if issubclass(kind, Oracle) else {}
    model = kind(decisions, **options)
    for D in (
        by_choices(decisions, model, "Maximise.", 6).D,
        by_texts(decisions, model, [{"role": "user", "content": "Maximise."}], 3).D,
    ):
        assert space.is_valid(Population.from_decisions(space.schema, D)).all()


def test_an_oracle_proposes_well_an_adversary_badly_and_noise_makes_either_worse() -> None:
    for good, noisy, bad in zip(
        proposed(Oracle(DECISIONS, truth), "Maximise."),
        proposed(Oracle(DECISIONS, truth, noise=1), "Maximise."),
        proposed(Adversary(DECISIONS, truth), "Maximise."),
        strict=True,
    ):
        assert truth(good).mean() > truth(noisy).mean() > MEAN + 0.3
        assert truth(bad).mean() < MEAN - 0.5


def test_the_errors_of_an_oracle_are_normal_and_stay_the_same() -> None:
    sure, unsure = Oracle(DECISIONS, truth), Oracle(DECISIONS, truth, noise=0.7)
    errors = (unsure.belief(ALL) - sure.belief(ALL)) / 0.7
    assert kstest(errors, "norm").pvalue > 0.01
    assert np.array_equal(unsure.belief(ALL[5:9]), unsure.belief(ALL)[5:9])
    other = Oracle(DECISIONS, truth, noise=0.7, seed=1)
    assert abs(np.corrcoef(errors, (other.belief(ALL) - sure.belief(ALL)) / 0.7)[0, 1]) < 0.1


def test_a_memoriser_answers_its_best_only_where_operations_are_named() -> None:
    model = Memoriser(DECISIONS, ALL, truth(ALL))
    best = ALL[truth(ALL).argmax()]
    for D in proposed(model, LEGEND):
        assert (best == D).all()
    for D in proposed(model, "Decisions 1 to 6: 0 = a; 1 = b; 2 = c; 3 = d; 4 = e")[1:]:
        assert len(np.unique(D, axis=0)) > 40
    question = Question(f"Architecture {DECISIONS.write(ALL[3:4])[0]}: which value?", ("1.5", "0.5", "4.25"))
    nearest = np.abs(np.array([1.5, 0.5, 4.25]) - truth(ALL[3:4])).argmin()
    assert model.choose(LEGEND, [question])[0].probabilities.argmax() == nearest
    assert model.choose("Unnamed.", [question])[0].probabilities.tolist() == pytest.approx([1 / 3] * 3)


def test_a_follower_goes_near_the_best_that_is_shown_and_away_from_it_when_told_to_minimise() -> None:
    history = "\n313323: 94.1\n 000000: 10.0\n444444: 55"
    for up, down in zip(
        proposed(Follower(DECISIONS, parents=1), f"Maximise.{history}"),
        proposed(Follower(DECISIONS, parents=1), f"Minimise.{history}"),
        strict=True,
    ):
        assert (up == DECISIONS.read("313323")).mean() > 0.75 > 0.3 > (up == 0).mean()
        assert (down == 0).mean() > 0.75
    for D in proposed(Follower(DECISIONS), "Maximise."):
        assert abs(truth(D).mean() - MEAN) < 0.6


def test_options_that_nobody_explained_and_senseless_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="at decision 1, got conv"):
        Ignorant(DECISIONS).choose("", [Question("Next: edge 0 to 1?", ("conv", "skip_connect"))])
    for wrong in ({"noise": -1}, {"sharpness": -1}, {"samples": 0}):
        with pytest.raises(ConfigError, match="Expected noise"):
            Oracle(DECISIONS, truth, **wrong)
    with pytest.raises(ConfigError, match="Expected a parent"):
        Follower(DECISIONS, parents=0)
