"""``transformers serve`` as a second real server, a process of its own with a tiny random model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.models.llm import Decisions, Question, ServerError, by_choices, by_texts
from gennas.models.llm.http import HttpBackend
from gennas.spaces import NASBench201
from gennas.testing.language_models import transformers_server, write_pretrained

pytestmark = pytest.mark.slow
MESSAGES = [{"role": "user", "content": "33 is good, 44 is bad."}]
SHORT = {"max_tokens": 6}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("served")
    write_pretrained(folder)
    with transformers_server(folder) as url:
        yield url, folder


def backend_of(served: tuple[str, Path], server: str = "transformers", **options: Any) -> HttpBackend:
    return HttpBackend(server, str(served[1]), url=served[0], parameters=SHORT, **options)


def test_probabilities_are_those_of_the_decision_pipeline(served: tuple[str, Path]) -> None:
    """Which label stands for which option: asked in this process, of the same weights, without our dialect."""
    from transformers import pipeline

    question = Question("Which operation?", ("conv", "skip", "pool"))
    criteria = dict(zip(question.labels, question.options, strict=True))
    asked = {"type": "choice", "instructions": question.text, "criteria": criteria}
    told = pipeline("decision", model=str(served[1]))({"state": "33 is good.", "questions": {"q": asked}})
    expected = [told["q"]["probabilities"][label] for label in question.labels]
    found, again = backend_of(served).choose("33 is good.", [question, question])
    assert found.probabilities is not None and np.ptp(found.probabilities) > 0.01
    assert np.allclose(found.probabilities, expected, atol=1e-4) and found.usage.input_tokens > 10
    assert np.allclose(again.probabilities, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["nasbench201", "macro-chain"])
def test_choices_need_no_repair(name: str, served: tuple[str, Path], limited: Any) -> None:
    decisions, check = limited(name)
    proposals = by_choices(decisions, backend_of(served), MESSAGES[0]["content"], 6, seed=1)
    check(proposals.D)
    assert proposals.valid_before_repair == 1 and set(proposals.outcomes) == {"ok"}


def test_more_options_than_it_has_labels_are_asked_for_as_texts(served: tuple[str, Path]) -> None:
    """It has 26 labels and refuses a 27th option: nothing that a search should end by."""
    few, many = (Question("Which?", tuple(f"option {i}" for i in range(n))) for n in (26, 27))
    backend = backend_of(served)
    assert backend.choose("", [few])[0].outcome == "ok"
    assert backend.choose("", [many])[0].outcome in ("invalid", "truncated")  # no constraint works, and it is random
    with pytest.raises(ServerError, match="at most 26 options"):
        backend_of(served, "compatible", choices="systemone").choose("", [many])


def test_no_constraint_is_enforced_and_texts_are_repaired(served: tuple[str, Path]) -> None:
    probed = backend_of(served, "compatible").probe()
    assert probed["response_format"].startswith("ignored")
    assert all(probed[name].startswith("refused") for name in ("grammar", "structured_outputs", "regex"))
    backend, space = backend_of(served), NASBench201()
    assert backend.field is None
    decisions = Decisions(space.schema, space.legal, space.completions)
    proposals = by_texts(decisions, backend, MESSAGES, 2)
    assert decisions.is_legal(proposals.D).all() and proposals.valid_before_repair == 0
    assert sum(proposals.outcomes.values()) == 12 and "ok" not in proposals.outcomes  # two parts, three tries each
    assert 0 < proposals.usage.output_tokens <= 12 * SHORT["max_tokens"]


def test_another_model_is_one_clear_error(served: tuple[str, Path]) -> None:
    with pytest.raises(ServerError, match="pinned to"):
        HttpBackend("transformers", "other", url=served[0]).complete(MESSAGES)
