from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.models.llm import Decisions, by_texts
from gennas.models.llm.local import LocalBackend
from gennas.models.llm.tuning import examples_of, log_likelihood
from gennas.spaces import NASBench101, NASBench201

PROMPT = "Propose a good cell."


def decisions_of(space: Any) -> Decisions:
    return Decisions(space.schema, space.legal, space.completions)


def test_the_requests_are_those_that_a_search_sends(random_model: Any, tokenizer: Any) -> None:
    """What the backend is asked while it makes architectures is what these architectures are examples of."""

    class Listening(LocalBackend):
        def complete(self, messages: Any, grammar: Any = None, draw: int = 0) -> Any:
            reply = super().complete(messages, grammar, draw)
            heard.add((messages[-1]["content"], reply.text))
            return reply

    for space in (NASBench201(), NASBench101()):
        heard: set[tuple[str, str]] = set()
        backend, decisions = Listening(random_model, tokenizer), decisions_of(space)
        made = by_texts(decisions, backend, [{"role": "user", "content": PROMPT}], 3)
        parts = examples_of(backend, decisions, made.D, PROMPT)
        assert min(map(len, parts)) > 1
        end = [tokenizer.eos_token_id]
        expected = set()
        for content, text in heard:
            asked, written = backend.tokens_of([{"role": "user", "content": content}], text)
            expected.add((tuple(asked), tuple(written + end)))
        assert {(tuple(asked), tuple(written)) for example in parts for asked, written in example} == expected


def test_likelihood_is_that_of_single_passes(random_model: Any, tokenizer: Any) -> None:
    """One forward pass for each token, without padding; rows of unequal length together."""
    space = NASBench201()
    examples = examples_of(
        LocalBackend(random_model, tokenizer), decisions_of(space), space.sample(3, np.random.default_rng(1)).decisions,
        PROMPT,
    )  # fmt: skip
    examples = [[*examples[0], ([5, 6], [7])], examples[1][:1], examples[2]]
    expected = []
    for parts in examples:
        score = 0.0
        for asked, written in parts:
            for j, token in enumerate(written):
                with torch.inference_mode():
                    logits = random_model(torch.tensor([[*asked, *written[:j]]])).logits[0, -1]
                score += float(logits.log_softmax(-1)[token])
        expected.append(score)
    with torch.inference_mode():
        assert np.allclose(log_likelihood(random_model, examples), expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["GPT2", "Bloom"])
def test_other_kinds_of_models(kind: str, tokenizer: Any) -> None:
    """One with learned positions, one that takes none: padding changes nothing."""
    import transformers

    sizes = {"GPT2": {"n_embd": 16, "n_positions": 256}, "Bloom": {"hidden_size": 16}}[kind]
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(tokenizer), n_layer=1, n_head=2, **sizes)
    model = getattr(transformers, f"{kind}{'LMHeadModel' if kind == 'GPT2' else 'ForCausalLM'}")(config).eval()
    parts = [[(list(range(5, 25)), [7, 8])], [([5, 6, 9], [7, 8, 10])]]
    with torch.inference_mode():
        together, alone = log_likelihood(model, parts), [log_likelihood(model, [part])[0] for part in parts]
    assert np.allclose(together, alone, atol=1e-4) and abs(float(together[0] - together[1])) > 0.1


def test_a_context_that_is_too_small_is_one_clear_error(random_model: Any, tokenizer: Any) -> None:
    space = NASBench201()
    D = space.sample(1, np.random.default_rng(0)).decisions
    with pytest.raises(ConfigError, match="holds 1,024"):
        examples_of(LocalBackend(random_model, tokenizer), decisions_of(space), D, "x y " * 2000)
