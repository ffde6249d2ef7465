"""Architectures from a language model, each valid and inside the hard constraints by construction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gennas.graph import IntArray, draw_labels
from gennas.models.base import FloatArray
from gennas.models.llm.backend import Answer, Backend, Message, Outcome, Question, UnrecordedError, Usage
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.grammar import Grammar, grammar_of

__all__ = ["Proposals", "by_choices", "by_texts", "completed", "decisions_so_far", "parts_of"]

_Told = tuple[NDArray[np.intp], NDArray[np.intp], list[Answer]]
"""Rows that were asked alike, the order of their options, and the answers, the last of which counts."""
_BATCH = 64  # questions in one call
_SO_FAR = re.compile(r"Decisions so far: (\S+?)\.?(?:\s|$)")


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a model proposed.

    Args:
        D: ``(n, d)`` decisions, legal in every row.
        repaired: ``(n,)`` how many decisions of each were *not* the model's own.
        outcomes: how many answers or replies came out how, re-asked ones among them.
        usage: tokens in all.
    """

    D: IntArray
    repaired: NDArray[np.int64]
    outcomes: Mapping[Outcome, int]
    usage: Usage = field(default_factory=Usage)

    @property
    def valid_before_repair(self) -> float:
        """Share of the proposals that needed no repair."""
        return float((self.repaired == 0).mean()) if len(self.repaired) else 1.0


def by_choices(
    decisions: Decisions,
    backend: Backend,
    state: str,
    n: int,
    seed: int = 0,
    temperature: float = 1.0,
    by_count: bool = True,
    tries: int = 2,
) -> Proposals:
    r"""Draw ``n`` architectures decision by decision from what the model thinks of the options.

    Decision ``t`` takes label ``a`` with probability

    .. math:: p(a) \propto q(a)^{1/T} \, N(a)^{c}

    of the model's ``q`` over the legal labels and the number ``N`` of architectures that go on with ``a``
    (``c`` is 1 with ``by_count``): under a model that knows nothing, so with uniform ``q``, architectures are uniform.
    The options are shown in an order that is drawn anew for each question. Rows with the same history share a question
    and its probabilities; where the model gave one option and no probabilities (``sampled``), every further row asks
    for an answer of its own. Where one label is legal nobody is asked. An answer that is unusable is asked for again,
    ``tries`` times in all; then the label is drawn as from a model that knows nothing, and counted as repaired.

    Args:
        decisions: what is legal.
        backend: the model.
        state: the text before every question: the task, the space, the history of the search.
        n: how many.
        seed: fixes the orders of the options and the draws.
        temperature: ``T``.
        by_count: whether options count by the number of architectures behind them.
        tries: how often an unusable answer is asked for.
    """
    rng, again = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    D = np.zeros((n, len(decisions)), dtype=np.int16)
    repaired, outcomes, usage = np.zeros(n, dtype=np.int64), Counter[Outcome](), Usage()
    for t in range(len(decisions)):
        _, first, group = np.unique(D[:, :t], axis=0, return_index=True, return_inverse=True)
        group = group.reshape(-1)  # NumPy 2.0 gives it another shape
        log_counts = decisions.log_counts(D[first], t)
        legal = np.isfinite(log_counts)
        asked = np.flatnonzero(legal.sum(1) > 1)
        orders = [rng.permutation(np.flatnonzero(legal[u])) for u in asked]
        questions = _questions(decisions, D[first[asked]], t, orders)
        answered = _answers(backend, state, questions, tries)
        told = [(np.flatnonzero(group == u), o, found) for u, o, found in zip(asked, orders, answered, strict=True)]
        log_q, known = np.zeros((n, legal.shape[1])), np.ones(n, dtype=bool)
        for rows, order, answers in _each_its_own(decisions, backend, state, D, t, told, again, tries):
            outcomes.update(a.outcome for a in answers)
            usage = sum((a.usage for a in answers), usage)
            q = answers[-1].probabilities
            known[rows] = q is not None
            if q is not None:
                with np.errstate(divide="ignore"):
                    log_q[rows[:, None], order] = np.log(q)
        logits = log_q / temperature + (log_counts if by_count else np.where(legal, 0.0, -np.inf))[group]
        D[:, t] = _draw(logits, rng)
        repaired += ~known
    return Proposals(D, repaired, dict(outcomes), usage)


def completed(decisions: Decisions, D: NDArray[np.integer], start: int, rng: np.random.Generator) -> IntArray:
    """Rows ``(b, d)`` whose decisions from ``start`` on are drawn as by a model that knows nothing: by count.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> decisions = Decisions(space.schema, space.legal, space.completions)
        >>> completed(decisions, np.full((2, 6), 3), 5, np.random.default_rng(0)).tolist()
        [[3, 3, 3, 3, 3, 3], [3, 3, 3, 3, 3, 1]]
    """
    full = np.array(D, dtype=np.int16)
    for t in range(start, len(decisions)):
        full[:, t] = _draw(decisions.log_counts(full, t), rng)
    return full


def decisions_so_far(text: str) -> str:
    r"""The symbols of the decisions that a question or a conversation of this module says were made.

    Example:
        >>> decisions_so_far("Decisions so far: 313\nNext: edge 1 to 2?"), decisions_so_far("Next: edge 0 to 1?")
        ('313', '')
    """
    found = _SO_FAR.findall(text)
    return found[-1] if found else ""


def _questions(decisions: Decisions, rows: IntArray, t: int, orders: Sequence[NDArray[np.intp]]) -> list[Question]:
    """Decision ``t`` of each row, its options in the given order."""
    names, ask = decisions.shown(t), f"Next: {decisions.name(t)}?"
    histories = [f"Decisions so far: {text}\n" if t else "" for text in decisions.write(rows[:, :t])]
    return [
        Question(history + ask, tuple(names[s] for s in order.tolist()))
        for history, order in zip(histories, orders, strict=True)
    ]


def _answers(backend: Backend, state: str, questions: Sequence[Question], tries: int) -> list[list[Answer]]:
    """All answers to each question, the last of which counts."""
    found: list[list[Answer]] = [[] for _ in questions]
    todo = list(range(len(questions)))
    for _ in range(tries):
        for start in range(0, len(todo), _BATCH):
            part = todo[start : start + _BATCH]
            for i, answer in zip(part, backend.choose(state, [questions[i] for i in part]), strict=True):
                found[i].append(answer)
        todo = [i for i in todo if found[i][-1].probabilities is None]
    return found


def _each_its_own(
    decisions: Decisions,
    backend: Backend,
    state: str,
    D: IntArray,
    t: int,
    told: Sequence[_Told],
    rng: np.random.Generator,
    tries: int,
) -> Sequence[_Told]:
    """The same, but every row with an answer of its own where the shared one is a draw of the model's.

    A transcript of a former version, whose rows shared it, is taken as it is: ``rng`` is for this alone.
    """
    drawn = [answers[-1].sampled for _, _, answers in told]
    own = [(row, order) for (rows, order, _), is_drawn in zip(told, drawn, strict=True) if is_drawn for row in rows[1:]]
    if not own:
        return told
    orders = [rng.permutation(order) for _, order in own]
    questions = _questions(decisions, D[[row for row, _ in own]], t, orders)
    try:
        answered = _answers(backend, state, questions, tries)
    except UnrecordedError:
        return told
    shared = [
        (rows[:1] if is_drawn else rows, order, answers)
        for (rows, order, answers), is_drawn in zip(told, drawn, strict=True)
    ]
    alone = [(np.array([row]), order, answers) for (row, _), order, answers in zip(own, orders, answered, strict=True)]
    return [*shared, *alone]


def _draw(logits: FloatArray, rng: np.random.Generator) -> IntArray:
    """One label of each row, in proportion to ``exp(logits)``."""
    return draw_labels(np.exp(logits - logits.max(1, keepdims=True)), rng)


def by_texts(
    decisions: Decisions,
    backend: Backend,
    messages: Sequence[Message],
    n: int,
    seed: int = 0,
    tries: int = 3,
    most: int = 500,
) -> Proposals:
    """Have ``n`` architectures written by the model, each request under the grammar of the decisions that come next.

    Where one grammar holds all that is legal, one request makes an architecture; else each makes as many decisions as a
    grammar of ``most`` beginnings holds, and the next one starts where it ended. Every reply is read by the grammar
    whatever the server promised. What is no legal text is asked for again, ``tries`` times in all; then the last reply
    is repaired: from left to right each symbol becomes the nearest legal one, missing ones are drawn by count.

    Args:
        decisions: what is legal.
        backend: the model.
        messages: the conversation; the decisions that were made are told after it.
        n: how many.
        seed: fixes the draws of repairs.
        tries: how often an unusable reply is asked for.
        most: beginnings that a grammar is made of; up to 500 can be written as a JSON Schema, too.
    """
    first = grammar_of(decisions, most=most, whole=False)
    seeds = np.random.SeedSequence(seed).spawn(n)

    def one(i: int) -> tuple[IntArray, int, list[Outcome], Usage]:
        row, rng = np.zeros((1, 0), dtype=np.int16), np.random.default_rng(seeds[i])
        repaired, outcomes, usage = 0, [], Usage()
        while row.shape[1] < len(decisions):
            grammar = grammar_of(decisions, row, most, whole=False) if row.shape[1] else first
            labels = _forced(grammar)
            text = ""
            for attempt in range(tries if labels is None else 0):
                reply = backend.complete(_asked(messages, decisions, row), grammar, i * tries + attempt)
                labels = grammar.read(reply.text) if reply.outcome in ("ok", "truncated") else None
                outcome: Outcome = "ok" if labels is not None else reply.outcome
                outcomes.append("invalid" if labels is None and outcome == "ok" else outcome)
                usage, text = usage + reply.usage, reply.text
                if labels is not None:
                    break
            if labels is None:
                labels, changed = _repaired(decisions, row, len(grammar), text, rng)
                repaired += changed
            row = np.concatenate([row, labels[None]], axis=1)
        return row[0], repaired, outcomes, usage

    with ThreadPoolExecutor(max(1, backend.concurrency)) as pool:
        made = list(pool.map(one, range(n)))
    return Proposals(
        np.array([row for row, *_ in made], dtype=np.int16).reshape(n, len(decisions)),
        np.array([repaired for _, repaired, *_ in made], dtype=np.int64),
        dict(Counter(outcome for _, _, outcomes, _ in made for outcome in outcomes)),
        sum((usage for *_, usage in made), Usage()),
    )


def parts_of(
    decisions: Decisions, messages: Sequence[Message], D: NDArray[np.integer], most: int = 500
) -> list[list[tuple[Sequence[Message], str]]]:
    r"""The requests by which :func:`by_texts` would have made each architecture, and the replies that make it.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> decisions = Decisions(space.schema, space.legal, space.completions)
        >>> parts = parts_of(decisions, [{"role": "user", "content": "A good one?"}], decisions.read("310204"))[0]
        >>> [(messages[0]["content"], reply) for messages, reply in parts]  # doctest: +NORMALIZE_WHITESPACE
        [('A good one?', '310'),
         ('A good one?\nDecisions so far: 310. Go on from there.', '204')]
    """
    first, found = grammar_of(decisions, most=most, whole=False), []
    for row, text in zip(D, decisions.write(D), strict=True):
        parts, start = [], 0
        while start < len(decisions):
            grammar = grammar_of(decisions, row[None, :start], most, whole=False) if start else first
            if _forced(grammar) is None:
                parts.append((_asked(messages, decisions, row[None, :start]), text[start : start + len(grammar)]))
            start += len(grammar)
        found.append(parts)
    return found


def _forced(grammar: Grammar) -> IntArray | None:
    """The labels where there is one way only."""
    if any((layer >= 0).sum() > 1 for layer in grammar.automaton.layers):
        return None
    return np.array([int(layer.argmax()) for layer in grammar.automaton.layers], dtype=np.int16)


def _asked(messages: Sequence[Message], decisions: Decisions, row: IntArray) -> Sequence[Message]:
    """The conversation, with the decisions that were made."""
    if not row.shape[1]:
        return messages
    last = messages[-1]
    content = f"{last['content']}\nDecisions so far: {decisions.write(row)[0]}. Go on from there."
    return [*messages[:-1], {**last, "content": content}]


def _repaired(
    decisions: Decisions, row: IntArray, length: int, text: str, rng: np.random.Generator
) -> tuple[IntArray, int]:
    """The nearest legal labels to a text, and how many are other ones than the text's."""
    full = np.zeros((1, len(decisions)), dtype=np.int16)
    start = row.shape[1]
    full[:, :start] = row
    changed, wishes = 0, text.strip()
    for t in range(start, start + length):
        symbol = wishes[t - start] if t - start < len(wishes) else ""
        wish = np.flatnonzero(decisions.symbols[t, decisions.labels[t]] == symbol)
        legal = decisions.options(full, t)[0]
        if len(wish):
            full[0, t] = decisions.nearest(t, int(decisions.labels[t][wish[0]]), legal)
            changed += int(full[0, t] != decisions.labels[t][wish[0]])
        else:
            full[:, t] = _draw(decisions.log_counts(full, t), rng)
            changed += 1
    return full[0, start : start + length], changed
