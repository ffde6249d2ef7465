"""Architectures as the tokens that a model would have to write, and how likely it is to write them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.local import LocalBackend
from gennas.models.llm.propose import parts_of

__all__ = ["Example", "examples_of", "log_likelihood"]

Example = list[tuple[list[int], list[int]]]
"""One architecture: the tokens of each request, and of the reply to it."""


def examples_of(backend: LocalBackend, decisions: Decisions, D: NDArray[np.integer], prompt: str) -> list[Example]:
    """Each architecture as :func:`~gennas.models.llm.by_texts` would ask for it, and the end of each reply.

    Args:
        backend: the model whose tokens are meant.
        decisions: the space's.
        D: ``(b, d)`` decisions.
        prompt: the text by which it is asked.

    Raises:
        ConfigError: a request with its reply is longer than the model's context, or its tokenizer has no end of text.
    """
    end = backend.tokenizer.eos_token_id
    if end is None:
        raise ConfigError(f"The tokenizer of {backend.name} has no token for the end of a text.")
    found = []
    for parts in parts_of(decisions, [{"role": "user", "content": prompt}], D):
        tokens = [backend.tokens_of(messages, reply) for messages, reply in parts]
        found.append([(asked, [*written, end]) for asked, written in tokens])
    longest = max((len(asked) + len(written) for parts in found for asked, written in parts), default=0)
    context = int(getattr(backend.model.config, "max_position_embeddings", 0) or 0)
    if context and longest > context:
        raise ConfigError(
            f"A request with its reply has {longest:,} tokens, and the model's context holds {context:,}."
        )
    return found


def log_likelihood(model: Any, examples: Sequence[Example]) -> Tensor:
    r"""How likely a model is to write each architecture, ``(b,)``.

    .. math:: \log p(a) = \sum_{\text{parts}} \sum_t \log p(w_t \mid \text{request}, w_{<t})

    over the tokens :math:`w` of the replies and their ends, whatever a grammar would forbid. Differentiable.
    """
    rows = [(owner, part) for owner, parts in enumerate(examples) for part in parts]
    device = next(model.parameters()).device
    total = torch.zeros(len(examples), device=device)
    if not rows:
        return total
    width = max(len(asked) + len(reply) for _, (asked, reply) in rows)
    kept = max(len(reply) for _, (_, reply) in rows)
    ids, seen = torch.zeros(2, len(rows), width, dtype=torch.long)
    written = torch.zeros(len(rows), kept, dtype=torch.bool)
    for i, (_, (asked, reply)) in enumerate(rows):  # all end in the same column
        ids[i, width - len(asked) - len(reply) :] = torch.tensor([*asked, *reply])
        seen[i, width - len(asked) - len(reply) :] = 1
        written[i, kept - len(reply) :] = True
    ids, seen, written = ids.to(device), seen.to(device), written.to(device)
    more = {"logits_to_keep": kept + 1, "position_ids": (seen.cumsum(1) - 1).clamp(min=0)}
    taken = _arguments(model)
    more = {name: value for name, value in more.items() if name in taken}
    out = model(input_ids=ids, attention_mask=seen, use_cache=False, **more)
    log_p = out.logits[:, -kept - 1 : -1].float().log_softmax(-1)
    scores = log_p.gather(-1, ids[:, -kept:, None])[..., 0].where(written, torch.zeros((), device=device))
    owners = torch.tensor([owner for owner, _ in rows], device=device)
    return total.index_add(0, owners, scores.sum(1))


def _arguments(model: Any) -> set[str]:
    """What its forward pass can be told: some models know positions from the mask, some compute all logits always."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return set(inspect.signature(base.forward).parameters)
