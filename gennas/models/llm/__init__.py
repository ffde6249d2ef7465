"""Language models as proposers: typed decisions, one protocol for every model, and transcripts."""

from gennas.models.llm.automaton import Automaton, GrammarTooLargeError, automaton
from gennas.models.llm.backend import Answer, Backend, Message, Outcome, Question, Reply, ServerError, Usage
from gennas.models.llm.bound import within_bound
from gennas.models.llm.decisions import Completions, Decisions
from gennas.models.llm.grammar import Grammar, grammar_of
from gennas.models.llm.listed import listed_decisions
from gennas.models.llm.propose import Proposals, by_choices, by_texts
from gennas.models.llm.replay import Replay
from gennas.models.llm.transcript import Recorder, Spent, Transcript

__all__ = [
    "Answer",
    "Automaton",
    "Backend",
    "Completions",
    "Decisions",
    "Grammar",
    "GrammarTooLargeError",
    "Message",
    "Outcome",
    "Proposals",
    "Question",
    "Recorder",
    "Replay",
    "Reply",
    "ServerError",
    "Spent",
    "Transcript",
    "Usage",
    "automaton",
    "by_choices",
    "by_texts",
    "grammar_of",
    "listed_decisions",
    "within_bound",
]
