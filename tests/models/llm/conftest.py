"""Tiny real models: a flat one that knows nothing, and a random one; and spaces with hard limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gennas.graph import Population
from gennas.models.llm import Decisions, within_bound
from gennas.spaces import SPACES, TaskSpec

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Byte-level BPE of 512 pieces, learned from a file of the standard library."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=["<s>", "</s>"], initial_alphabet=letters)
    bpe.train_from_iterator([Path(str(os.__file__)).read_text()], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.chat_template = TEMPLATE
    return fast


@pytest.fixture(scope="session")
def random_model(tokenizer: Any) -> Any:
    """A Llama of 2 layers with random weights, large enough to have strong opinions."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def flat_model(tokenizer: Any) -> Any:
    """One with an output layer of zeros: every token is equally likely."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config).eval()
    torch.nn.init.zeros_(model.lm_head.weight)
    return model


BOUND = 50_000  # parameters of macro-chain's networks


@pytest.fixture(scope="session")
def limited() -> Callable[[str], tuple[Decisions, Callable[[np.ndarray], None]]]:
    """Decisions of a space under its hard limits, and what checks rows by other means than the grammar."""

    def made(name: str) -> tuple[Decisions, Callable[[np.ndarray], None]]:
        space, constraint = SPACES.get(name)(), None

        def parameters(D: np.ndarray) -> np.ndarray:
            spec = TaskSpec("image", (3, 32, 32), 10)
            return np.asarray(space.count_parameters(Population.from_decisions(space.schema, D), spec))

        def check(D: np.ndarray) -> None:
            assert space.is_valid(Population.from_decisions(space.schema, D)).all()
            if name == "macro-chain":
                assert (parameters(D) <= BOUND).all()
            if name == "nasbench101":
                edges = [t for t, slot in enumerate(space.schema.slots) if not slot.is_node]
                assert (D[:, edges].sum(1) <= 9).all()

        if name == "macro-chain":
            constraint = within_bound(space.schema, parameters, BOUND, space.legal)
        return Decisions(space.schema, space.legal, space.completions, constraint), check

    return made
