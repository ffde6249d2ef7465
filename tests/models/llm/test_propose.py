from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.models.llm import (
    Answer,
    Decisions,
    Grammar,
    Message,
    Question,
    Recorder,
    Replay,
    Reply,
    Transcript,
    Usage,
    by_choices,
    by_texts,
    listed_decisions,
)
from gennas.models.llm.backend import UnrecordedError
from gennas.models.llm.local import LocalBackend
from gennas.spaces import NASBench101, NASBench201
from gennas.spaces.nasbench101.cells import canonical_codes, decode

SIX = ("nasbench201", "nasbench101", "macro-chain", "autoformer-tiny", "gpt", "gnn")


@pytest.mark.parametrize("name", SIX)
def test_a_local_model_proposes_nothing_but_valid_architectures(
    name: str, limited: Any, random_model: Any, tokenizer: Any
) -> None:
    decisions, check = limited(name)
    backend = LocalBackend(random_model, tokenizer, temperature=2.0)
    for proposals in (
        by_choices(decisions, backend, "33 is good, 44 is bad.", 24, seed=1),
        by_texts(decisions, backend, [{"role": "user", "content": "33 is good, 44 is bad."}], 4, seed=1),
    ):
        check(proposals.D)
        assert proposals.valid_before_repair == 1 and set(proposals.outcomes) == {"ok"}


# ---------------------------------------------------------------------- knowing nothing


def p_uniform(ranks: Sequence[int], total: int, bins: int) -> float:
    """p of the chi-square test that numbers below ``total`` are uniform, in bins of equal width."""
    counts = np.bincount([rank * bins // total for rank in ranks], minlength=bins)
    edges = [-(-total * i // bins) for i in range(bins + 1)]
    expected = np.diff(edges) / total * len(ranks)
    return float(chisquare(counts, expected).pvalue)


def naive_tokens(tokenizer: Any, names: Sequence[str], n: int, rng: np.random.Generator) -> np.ndarray:
    """Labels as a flat model writes their names under a mask of tokens: every token that some name goes on with."""
    pieces = [tokenizer.decode([i]) for i in range(2, len(tokenizer))]

    def written(so_far: str) -> str:
        ends = [name[len(so_far) :] for name in names if name.startswith(so_far)]
        fitting = [p for p in pieces if p and any(end.startswith(p) for end in ends)]
        text = so_far + str(rng.choice(fitting))
        return text if text in names else written(text)

    return np.array([names.index(written("")) for _ in range(n)])


def test_a_flat_model_is_uniform_on_nasbench201_and_masked_tokens_are_not(flat_model: Any, tokenizer: Any) -> None:
    space, n = NASBench201(), 1000
    decisions = Decisions(space.schema, space.legal, space.completions)
    D = by_choices(decisions, LocalBackend(flat_model, tokenizer, calibrate=False), "Nothing is known.", n, seed=3).D
    assert p_uniform(decisions.rank(D), decisions.count(), 25) > 0.01
    names = [f"|{name}~" for name in space.schema.edge_labels]
    naive = naive_tokens(tokenizer, names, 6 * 150, np.random.default_rng(0)).reshape(-1, 6)
    assert p_uniform(decisions.rank(naive), decisions.count(), 25) < 1e-6


def test_a_flat_model_is_uniform_on_nasbench101_and_masked_labels_are_not(flat_model: Any, tokenizer: Any) -> None:
    """Over the 423,624 distinct cells as over the labelled ones that the space itself counts."""
    space, n = NASBench101(), 400
    backend = LocalBackend(flat_model, tokenizer, calibrate=False)
    labelled = Decisions(space.schema, space.legal, space.completions)
    distinct = listed_decisions(space.schema, decode(canonical_codes()))
    assert (labelled.count(), distinct.count()) == (1_293_208, 423_624)
    for decisions in (labelled, distinct):
        D = by_choices(decisions, backend, "", n, seed=3).D
        assert p_uniform(decisions.rank(D), decisions.count(), 20) > 0.01
    naive = by_choices(labelled, backend, "", n, seed=3, by_count=False).D
    assert p_uniform(labelled.rank(naive), labelled.count(), 20) < 1e-6


# ---------------------------------------------------------------------- a model that is no help


class Scripted:
    """A test double: answers and replies from functions."""

    name, concurrency = "scripted", 1

    def __init__(self, answer: Any = None, reply: Any = None) -> None:
        self.answer, self.reply, self.calls = answer, reply, 0

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        self.calls += 1
        return [self.answer(question, self.calls) for question in questions]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        self.calls += 1
        found = self.reply(messages, grammar, draw)
        return found if isinstance(found, Reply) else Reply(found)


def decisions_of() -> Decisions:
    space = NASBench201()
    return Decisions(space.schema, space.legal, space.completions)


def test_the_order_of_the_options_is_drawn_and_undone() -> None:
    """A model that wants the 3x3 convolution gets it, wherever it stands."""
    orders = set()

    def answer(question: Question, call: int) -> Answer:
        orders.add(question.options)
        return Answer.of([float(name == "nor_conv_3x3") for name in question.options])

    proposals = by_choices(decisions_of(), Scripted(answer), "", 30, seed=0)
    assert proposals.D.tolist() == [[3] * 6] * 30 and len(orders) > 3


def test_temperature() -> None:
    def answer(question: Question, call: int) -> Answer:
        return Answer.of([0.2 if name == "none" else 0.8 / 4 for name in question.options])

    sharp = Scripted(lambda q, c: Answer.of([0.3 if name == "none" else 0.175 for name in q.options]))
    assert (by_choices(decisions_of(), sharp, "", 50, temperature=0.01).D == 0).all()
    warm = by_choices(decisions_of(), sharp, "", 400, temperature=100.0).D
    assert 0.15 < (warm == 0).mean() < 0.25


def one_option(question: Question, call: int) -> Answer:
    """A draw of a model that gives no probabilities: it likes all options alike."""
    p = np.zeros(len(question.options))
    p[np.random.default_rng(hash_of(question) + call).integers(len(p))] = 1.0
    return Answer(p, "ok", Usage(1, 1), sampled=True)


def hash_of(question: Question) -> int:
    return int.from_bytes(question.prompt.encode(), "little") % 2**31


def test_without_probabilities_every_row_is_a_draw_of_its_own() -> None:
    n, transcript = 40, Transcript()
    backend = Scripted(one_option)
    found = by_choices(decisions_of(), Recorder(backend, transcript), "", n, seed=0)
    assert len(np.unique(found.D, axis=0)) > 30 and (found.repaired == 0).all()
    assert found.outcomes == {"ok": 6 * n} and found.usage == Usage(6 * n, 6 * n)
    np.testing.assert_array_equal(by_choices(decisions_of(), Replay(transcript), "", n, seed=0).D, found.D)


def test_a_transcript_in_which_rows_shared_a_draw_is_replayed() -> None:
    """As versions before wrote them: one record for all rows with the same history."""
    transcript, asked = Transcript(), list[str]()

    class Former(Recorder):
        def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
            if any(q.text in asked for q in questions):
                raise UnrecordedError("not asked then")
            asked.extend(q.text for q in questions)
            return super().choose(state, questions)

    found = by_choices(decisions_of(), Former(Scripted(one_option), transcript), "", 5, seed=0)
    assert len(transcript) == 6 and len(np.unique(found.D, axis=0)) == 1
    np.testing.assert_array_equal(by_choices(decisions_of(), Replay(transcript), "", 5, seed=0).D, found.D)


def test_an_unusable_answer_is_asked_for_again_and_then_drawn() -> None:
    again = Scripted(lambda q, call: Answer(None, "empty") if call % 2 else Answer.of([1.0] * len(q.options)))
    proposals = by_choices(decisions_of(), again, "", 3, seed=0)
    assert (proposals.repaired == 0).all() and proposals.outcomes["empty"] == proposals.outcomes["ok"]
    never = by_choices(decisions_of(), Scripted(lambda q, call: Answer(None, "refusal")), "", 3, seed=0)
    assert never.repaired.tolist() == [6, 6, 6] and set(never.outcomes) == {"refusal"}
    assert decisions_of().is_legal(never.D).all() and never.valid_before_repair == 0


def test_a_wrong_reply_is_asked_for_again_and_then_repaired_to_the_nearest() -> None:
    def second(messages: Sequence[Message], grammar: Grammar, draw: int) -> str:
        return "nonsense" if draw % 3 == 0 else "3" * len(grammar)

    good = by_texts(decisions_of(), Scripted(reply=second), [{"role": "user", "content": ""}], 2, most=2**18)
    assert good.D.tolist() == [[3] * 6] * 2 and good.outcomes == {"invalid": 2, "ok": 2}
    assert good.valid_before_repair == 1
    bad = Scripted(reply=lambda messages, grammar, draw: "3?333")
    repaired = by_texts(decisions_of(), bad, [{"role": "user", "content": ""}], 2, seed=1, most=2**18)
    assert bad.calls == 6 and repaired.outcomes == {"invalid": 6} and repaired.repaired.tolist() == [2, 2]
    assert repaired.D[:, [0, 2, 3, 4]].tolist() == [[3] * 4] * 2 and decisions_of().is_legal(repaired.D).all()


@pytest.mark.parametrize("outcome", ["refusal", "empty", "truncated"])
def test_outcomes_are_counted(outcome: Any) -> None:
    backend = Scripted(reply=lambda messages, grammar, draw: Reply("no", outcome))
    proposals = by_texts(decisions_of(), backend, [{"role": "user", "content": ""}], 1, tries=2, most=2**18)
    assert proposals.outcomes == {outcome: 2} and proposals.repaired.tolist() == [6]


def test_the_next_request_tells_what_was_decided() -> None:
    seen = []

    def reply(messages: Sequence[Message], grammar: Grammar, draw: int) -> str:
        seen.append(messages[-1]["content"])
        return "1" * len(grammar)

    by_texts(decisions_of(), Scripted(reply=reply), [{"role": "user", "content": "Go."}], 1, most=125)
    assert seen == ["Go.", "Go.\nDecisions so far: 111. Go on from there."]
