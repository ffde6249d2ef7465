from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.models.llm import Decisions, Question, grammar_of
from gennas.models.llm.local import LocalBackend
from gennas.spaces import NASBench201

QUESTIONS = [
    Question("Which operation?", ("conv", "skip", "pool")),
    Question("And then, after 31?", ("conv", "skip")),
    Question("And then, after 31, in the end?", tuple(f"operation {i}" for i in range(70))),
]


def by_hand(model: Any, tokenizer: Any, state: str, question: Question) -> np.ndarray:
    """Log-probabilities of the labels, one forward pass for each token of each, without any cache."""
    text = f"user: {state}\n{question.prompt}\nassistant: " if state else f"user: {question.prompt}\nassistant: "
    ids, found = tokenizer.encode(text, add_special_tokens=False), []
    for label in question.labels:
        row, score = list(ids), 0.0
        for token in tokenizer.encode(label, add_special_tokens=False):
            with torch.inference_mode():
                score += float(model(torch.tensor([row])).logits[0, -1].log_softmax(-1)[token])
            row.append(token)
        found.append(score)
    return np.array(found)


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def test_scores_are_those_of_single_passes(random_model: Any, tokenizer: Any) -> None:
    """Also of labels of several tokens, of prompts that share a beginning, and after other calls."""
    backend = LocalBackend(random_model, tokenizer, calibrate=False)
    for state in ("history: 33 is 94.1", "history: 33 is 94.2 and 34 is 90", "history"):
        for question, answer in zip(QUESTIONS, backend.choose(state, QUESTIONS), strict=True):
            expected = softmax(by_hand(random_model, tokenizer, state, question))
            np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)


def test_calibration_divides_by_what_is_said_without_history(random_model: Any, tokenizer: Any) -> None:
    backend = LocalBackend(random_model, tokenizer)
    answers = backend.choose("history: 33 is 94.1", QUESTIONS[:2])
    for question, answer in zip(QUESTIONS[:2], answers, strict=True):
        with_state = by_hand(random_model, tokenizer, "history: 33 is 94.1", question)
        expected = softmax(with_state - by_hand(random_model, tokenizer, "", question))
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
    for answer in backend.choose("", QUESTIONS):
        assert answer.probabilities is not None
        np.testing.assert_allclose(answer.probabilities, 1 / len(answer.probabilities), rtol=1e-5)


def test_texts_fit_the_grammar_and_depend_on_the_draw(random_model: Any, tokenizer: Any) -> None:
    space = NASBench201()
    grammar = grammar_of(Decisions(space.schema, space.legal))
    backend = LocalBackend(random_model, tokenizer, temperature=3.0)
    messages = [{"role": "user", "content": "six symbols"}]
    texts = [backend.complete(messages, grammar, draw).text for draw in range(5)]
    assert all(grammar.read(text) is not None for text in texts) and len(set(texts)) > 1
    assert texts == [backend.complete(messages, grammar, draw).text for draw in range(5)]
    free = backend.complete(messages)
    assert free.outcome in ("ok", "truncated") and free.usage.output_tokens > 0


def test_a_folder(random_model: Any, tokenizer: Any, tmp_path: Path) -> None:
    random_model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    backend = LocalBackend.from_pretrained(tmp_path, calibrate=False)
    first = LocalBackend(random_model, tokenizer, calibrate=False).choose("x", QUESTIONS[:1])[0]
    np.testing.assert_allclose(backend.choose("x", QUESTIONS[:1])[0].probabilities, first.probabilities, atol=1e-6)


def test_bad_models_are_refused_in_one_line(random_model: Any, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No language model 'nobody/nothing' in the cache \(offline\)"):
        LocalBackend.from_pretrained("nobody/nothing", local_files_only=True)
    with pytest.raises(ConfigError, match=r"No language model .* there"):
        LocalBackend.from_pretrained(tmp_path)
    plain = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer, eos_token="</s>")
    with pytest.raises(ConfigError, match=r"Model 'mine' has no chat template\. Give chat=False"):
        LocalBackend(random_model, plain, "mine")
    without = LocalBackend(random_model, plain, "mine", chat=False)
    assert without.choose("x", QUESTIONS[:1])[0].outcome == "ok"
    with pytest.raises(ConfigError, match=r"The prompt has [0-9,]+ tokens, and the context of .* holds 1,024"):
        without.choose("x y " * 2000, QUESTIONS[:1])
