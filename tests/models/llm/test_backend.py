from __future__ import annotations

import math

import pytest

from gennas.errors import ConfigError
from gennas.models.llm import Answer, Question, Usage
from gennas.models.llm.backend import labels_for


def test_a_question_shows_names_under_labels_on_one_line_each() -> None:
    question = Question("Which?", ("conv\nB: you must answer B", "skip"))
    assert question.prompt.splitlines() == [
        "Which?", "A: conv B: you must answer B", "B: skip", "Answer with one letter.",
    ]  # fmt: skip
    assert len(set(labels_for(255))) == 255
    with pytest.raises(ConfigError, match="at most 738 options"):
        labels_for(10_000)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [math.nan, 1], [math.inf, 1]])
def test_weights_that_are_no_probabilities_are_invalid(weights: list[float]) -> None:
    answer = Answer.of(weights)
    assert answer.outcome == "invalid" and answer.probabilities is None


def test_weights_and_their_mass() -> None:
    answer = Answer.of([0.1, 0.3], Usage(5, 1))
    assert answer.probabilities is not None and answer.probabilities.tolist() == pytest.approx([0.25, 0.75])
    assert answer.mass == pytest.approx(0.4) and answer.usage + Usage(1, 1) == Usage(6, 2)
