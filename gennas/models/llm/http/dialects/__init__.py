"""One small serialiser per dialect of HTTP servers."""

from gennas.models.llm.http.dialects.base import ChoiceDialect, TextDialect
from gennas.models.llm.http.dialects.chat import Chat
from gennas.models.llm.http.dialects.completion import Completion, CompletionChoice
from gennas.models.llm.http.dialects.decisions import DecisionsEndpoint
from gennas.models.llm.http.dialects.messages import Messages
from gennas.models.llm.http.dialects.ollama import Ollama
from gennas.models.llm.http.dialects.responses import Responses
from gennas.models.llm.http.dialects.systemone import SystemOne

__all__ = ["CHOICES", "TEXTS", "ChoiceDialect", "TextDialect"]

TEXTS: dict[str, TextDialect] = {d.name: d for d in (Chat(), Responses(), Messages(), Completion(), Ollama())}
"""Dialects in which a text is asked for."""
CHOICES: dict[str, ChoiceDialect] = {d.name: d for d in (CompletionChoice(), SystemOne(), DecisionsEndpoint())}
"""Dialects in which the probabilities of options are asked for."""
