"""Language models of ``transformers`` in this process: every option scored in one batched forward pass."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError, reason_of
from gennas.models.base import FloatArray
from gennas.models.llm.backend import Answer, Message, Question, Reply, Usage
from gennas.models.llm.grammar import Grammar

__all__ = ["LocalBackend"]

_KEPT = 4096  # calibrations
_PLAIN = "\nAnswer: "  # behind a prompt where there is no template


class LocalBackend:
    r"""A causal language model from a folder or from the hub's cache.

    The probability of option ``a`` with label ``l`` is

    .. math:: q(a) \propto p(l \mid \text{state}, \text{question}) / p(l \mid \text{question})

    the model's probability of the label's tokens, calibrated by what it says without any state (Zhao et al. 2021,
    arXiv 2102.09690), which takes away its liking for the letter A or for what stands first. Without state all options
    are equally likely, therefore. What the prompts of a call have in common is computed once, kept for the next call,
    and shared by all rows.

    Args:
        model: a causal language model of ``transformers``.
        tokenizer: its tokenizer.
        name: name of the model for records.
        chat: whether prompts go through the tokenizer's chat template.
        calibrate: whether to divide by the probabilities without state.
        temperature: of :meth:`complete`.
        seed: of :meth:`complete`.

    Raises:
        ConfigError: ``chat`` and the tokenizer has no template.
    """

    concurrency = 1

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str = "local",
        chat: bool = True,
        calibrate: bool = True,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> None:
        _check_template(tokenizer, name, chat)
        self.model, self.tokenizer, self.chat, self.calibrate = model.eval(), tokenizer, chat, calibrate
        self.temperature, self.seed = temperature, seed
        self.name = f"{name} (local, chat={chat}, calibrate={calibrate}, temperature={temperature}, seed={seed})"
        self._context = int(getattr(model.config, "max_position_embeddings", 0) or 0)
        self._takes_positions = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._head: tuple[str, list[int]] = ("", [])
        self._labels: dict[str, tuple[int, ...]] = {}
        self._stems: dict[str, tuple[list[int], Any]] = {}
        self._without: dict[Question, FloatArray] = {}

    @classmethod
    def from_pretrained(
        cls, source: str | Path, local_files_only: bool | None = None, device: str = "cpu", **options: Any
    ) -> LocalBackend:
        """Load a folder, or a model by its name on the hub.

        Args:
            source: the folder or name.
            local_files_only: never download; None: as ``HF_HUB_OFFLINE`` says.
            device: where it computes.
            options: as of the class.

        Raises:
            ConfigError: there is no such model, its files are damaged, or ``chat`` and it has no chat template.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
        only = offline if local_files_only is None else local_files_only
        tokenizer = _loaded(AutoTokenizer, source, only)
        _check_template(tokenizer, Path(source).name, options.get("chat", True))  # before weights are loaded
        model = _loaded(AutoModelForCausalLM, source, only)
        return cls(model.to(device), tokenizer, Path(source).name, **options)

    # ------------------------------------------------------------------ choices

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """Probabilities of the options of every question, see :class:`Backend`."""
        log_p, tokens = self._log_p(state, questions)
        if self.calibrate:
            log_p = [a - b for a, b in zip(log_p, self._log_p_without(questions), strict=True)]
        usage = [Usage(n, 1) for n in tokens]
        return [
            Answer(
                _softmax(scores), "ok", used, mass=float(np.exp(scores).sum()) if not self.calibrate else float("nan")
            )
            for scores, used in zip(log_p, usage, strict=True)
        ]

    def _log_p_without(self, questions: Sequence[Question]) -> list[FloatArray]:
        """Log-probabilities without state, each computed once."""
        new = [q for q in dict.fromkeys(questions) if q not in self._without]
        if len(self._without) + len(new) > _KEPT:
            self._without, new = {}, list(dict.fromkeys(questions))
        if new:
            self._without.update(zip(new, self._log_p("", new)[0], strict=True))
        return [self._without[q] for q in questions]

    def _log_p(self, state: str, questions: Sequence[Question]) -> tuple[list[FloatArray], list[int]]:
        """Log-probability of every option's label, and tokens of every prompt."""
        asked = self._asked(state, questions)
        rows: list[list[int]] = []
        entries: list[tuple[int, int, int]] = []  # row, place in it and token, for each token of each label
        sizes: list[int] = []  # tokens of each label
        for ids, question in zip(asked, questions, strict=True):
            places: dict[tuple[int, ...], int] = {}  # all but the last token of a label: its row
            for label in question.labels:
                option = self._label(label)
                if option[:-1] not in places:
                    places[option[:-1]] = len(rows)
                    rows.append([*ids, *option[:-1]])
                entries += [(places[option[:-1]], len(ids) - 1 + j, token) for j, token in enumerate(option)]
                sizes.append(len(option))
        row, place, token = np.array(entries).T
        needed, at = np.unique(place, return_inverse=True)
        log_p = self._logits(rows, needed.tolist(), "state" if state else "without").numpy()
        scores = np.add.reduceat(log_p[row, at, token].astype(np.float64), np.cumsum([0, *sizes[:-1]]))
        ends = np.cumsum([len(question.options) for question in questions])[:-1]
        return np.split(scores, ends), [len(ids) for ids in asked]

    def _asked(self, state: str, questions: Sequence[Question]) -> list[list[int]]:
        """Tokens of every prompt; what they share is turned into tokens once."""
        before, after = self._frame
        head = f"{before}{state}\n" if state else before
        if self._head[0] != head:
            self._head = head, self.tokenizer.encode(head, add_special_tokens=not self.chat)
        tails = self.tokenizer([q.prompt + after for q in questions], add_special_tokens=False)["input_ids"]
        return [[*self._head[1], *tail] for tail in tails]

    def _label(self, label: str) -> tuple[int, ...]:
        if label not in self._labels:
            self._labels[label] = tuple(self.tokenizer.encode(label, add_special_tokens=False))
        return self._labels[label]

    @cached_property
    def _frame(self) -> tuple[str, str]:
        """What stands before and after a user's message."""
        if not self.chat:
            return "", _PLAIN
        marker = "STATE-AND-QUESTION"
        before, _, after = self._templated([{"role": "user", "content": marker}]).partition(marker)
        return before, after

    def _templated(self, messages: Sequence[Message]) -> str:
        conversation = [dict(m) for m in messages]
        return str(self.tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True))

    # ------------------------------------------------------------------ texts

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """A text; with a grammar one symbol per decision, each drawn among the legal ones, see :class:`Backend`."""
        start = time.perf_counter()
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + draw) % 2**63)
        ids = self._tokens(messages)
        if grammar is None:
            text, used, outcome = self._free(ids, generator)
        else:
            text, used, outcome = self._symbols(ids, grammar, generator), len(grammar), "ok"
        return Reply(text, outcome, Usage(len(ids), used), time.perf_counter() - start, {"messages": list(messages)})

    def _symbols(self, ids: list[int], grammar: Grammar, generator: torch.Generator) -> str:
        text, state, row = "", 0, list(ids)
        for layer, follow in enumerate(grammar.automaton.layers):
            legal = np.flatnonzero(follow[state] >= 0)
            label = int(legal[0])
            symbols = grammar.symbols[layer, legal].tolist()
            tokens = [self._label(symbol) for symbol in symbols]
            if len(legal) > 1:
                logits = self._logits([row], [len(row) - 1])[0, 0]
                scores = logits[[token[0] for token in tokens]] / self.temperature
                label = int(legal[int(torch.multinomial(scores.softmax(-1), 1, generator=generator))])
            text += str(grammar.symbols[layer, label])
            row += tokens[int(np.flatnonzero(legal == label)[0])]
            state = int(follow[state, label])
        return text

    def _free(self, ids: list[int], generator: torch.Generator, most: int = 256) -> tuple[str, int, Any]:
        """Text until the end of the sequence, or until ``most`` tokens."""
        row = list(ids)
        for _ in range(most):
            scores = self._logits([row], [len(row) - 1])[0, 0] / self.temperature
            token = int(torch.multinomial(scores.softmax(-1), 1, generator=generator))
            if token == self.tokenizer.eos_token_id:
                text = self.tokenizer.decode(row[len(ids) :], skip_special_tokens=True)
                return text, len(row) - len(ids), "ok" if text.strip() else "empty"
            row.append(token)
        return self.tokenizer.decode(row[len(ids) :], skip_special_tokens=True), most, "truncated"

    # ------------------------------------------------------------------ tokens and logits

    def tokens_of(self, messages: Sequence[Message], reply: str) -> tuple[list[int], list[int]]:
        """Tokens of a conversation, and of a reply as :meth:`complete` writes it: symbol by symbol, none merged."""
        return self._tokens(messages), [token for symbol in reply for token in self._label(symbol)]

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        """Tokens of a conversation up to where the model answers."""
        if self.chat:
            return list(self.tokenizer.encode(self._templated(messages), add_special_tokens=False))
        return list(self.tokenizer.encode("\n".join(m["content"] for m in messages) + _PLAIN))

    @torch.inference_mode()
    def _logits(self, rows: list[list[int]], places: list[int], stem: str = "text") -> Tensor:
        """Log-probabilities of the next token at some places of every row, ``(rows, places, vocabulary)``, on the CPU.

        Raises:
            ConfigError: a row is longer than the model's context.
        """
        longest = max(map(len, rows))
        if self._context and longest > self._context:
            raise ConfigError(
                f"The prompt has {longest:,} tokens, and the context of {self.name} holds {self._context:,}. "
                "Show less of the history, or take a model with a longer context."
            )
        shared = min(_common(rows), min(map(len, rows)) - 1, min(places))
        cache = self._shared(rows[0][:shared], stem)
        shared = 0 if cache is None else shared
        device = self.model.device
        ids = torch.zeros(len(rows), longest - shared, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row) - shared] = torch.tensor(row[shared:])
            mask[i, : len(row)] = 1
        if cache is not None:
            cache.batch_repeat_interleave(len(rows))
        where = torch.tensor([min(p, longest - 1) - shared for p in places])
        keep = {"logits_to_keep": where.to(device)} if self._takes_positions else {}
        out = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=cache,
            use_cache=cache is not None,
            **keep,
        )
        logits = out.logits if keep else out.logits[:, where]
        return torch.as_tensor(logits).float().log_softmax(-1).cpu()

    def _shared(self, ids: list[int], stem: str) -> Any:
        """A copy of the keys and values of what all rows begin with; None where the model has no such cache."""
        from transformers import DynamicCache

        if not ids:
            return None
        kept, cache = self._stems.get(stem, ([], None))
        same = _common([kept, ids]) if cache is not None else 0
        if same and same < len(kept):
            cache.crop(same - len(kept))  # so many fewer
        if not same:
            cache = DynamicCache(config=self.model.config)
        if same < len(ids):
            inputs = torch.tensor([ids[same:]], device=self.model.device)
            keep = {"logits_to_keep": 1} if self._takes_positions else {}
            out = self.model(input_ids=inputs, past_key_values=cache, use_cache=True, **keep)
            cache = out.past_key_values
        if not isinstance(cache, DynamicCache):
            return None
        self._stems[stem] = (list(ids), cache)
        return copy.deepcopy(cache)


def _common(rows: Sequence[Sequence[int]]) -> int:
    """Tokens that all rows begin with."""
    first, last = min(map(list, rows)), max(map(list, rows))  # all others lie between them
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def _loaded(kind: Any, source: str | Path, only: bool) -> Any:
    """A tokenizer or a model of ``transformers``."""
    try:
        return kind.from_pretrained(source, local_files_only=only)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        where = "in the cache (offline)" if only and not Path(source).exists() else "there"
        raise ConfigError(f"No language model {str(source)!r} {where}: {reason_of(error, 160)}") from error


def _check_template(tokenizer: Any, name: str, chat: bool) -> None:
    if chat and not getattr(tokenizer, "chat_template", None):
        raise ConfigError(f"Model {name!r} has no chat template. Give chat=False to ask it in plain text.")


def _softmax(scores: FloatArray) -> FloatArray:
    weights = np.exp(scores - scores.max())
    found: FloatArray = weights / weights.sum()
    return found
