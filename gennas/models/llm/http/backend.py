"""Language models behind HTTP servers."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import ConfigError, UnknownNameError, listed
from gennas.models.llm.backend import Answer, Message, Question, Reply, ServerError
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.client import Client, Response
from gennas.models.llm.http.dialects import CHOICES, TEXTS
from gennas.models.llm.http.keys import read_key
from gennas.models.llm.http.probe import PROBE, label_grammar, probe
from gennas.models.llm.http.servers import server_named
from gennas.runtime.secrets import redacted, without_secrets

__all__ = ["HttpBackend"]

_TOLD = 2000  # letters of a schema that the prompt shows
_ANTHROPIC_VERSION = "2023-06-01"


class HttpBackend:
    """A model behind a server.

    Args:
        server: name of the kind of server (:data:`SERVERS`).
        model: name of the model; None: the only one that the server lists.
        url: where the server is; None: where such a server usually is.
        parameters: sent with every request, under the names that the server gives them (``temperature``,
            ``max_tokens``); nothing else is. A ``seed`` becomes another one in every draw.
        key_variable: environment variable of the key; None: the server's usual one.
        key_file: file of the key; it wins over the variable.
        texts: another dialect for texts.
        choices: another dialect for probabilities; ``"none"``: options are asked for as texts of one symbol.
        client: settings of :class:`Client`, such as ``timeout`` and ``retries``.

    Raises:
        UnknownNameError: no such server, dialect or model.
        ConfigError: a key is missing, or the address is none.
        ServerError: the server cannot be reached, or refuses the key.

    Example:
        >>> backend = HttpBackend("openai", "some-model", key_variable="NOT_SET")
        Traceback (most recent call last):
        gennas.errors.ConfigError: The environment variable NOT_SET holds no key; this server needs one.
    """

    def __init__(
        self,
        server: str,
        model: str | None = None,
        url: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        key_variable: str | None = None,
        key_file: str | Path | None = None,
        texts: str | None = None,
        choices: str | None = None,
        **client: Any,
    ) -> None:
        kind = server_named(server)
        self.server, self.parameters = server, dict(parameters or {})
        self.texts = _dialect("dialect of texts", TEXTS, texts or kind.texts)
        wanted = choices or kind.choices
        self.choices = None if wanted in (None, "none") else _dialect("dialect of choices", CHOICES, str(wanted))
        self._most_options = min(getattr(self.choices, "most_options", 0), kind.most_options or sys.maxsize)
        self._fields = kind.fields if texts in (None, kind.texts) else self.texts.fields
        self._variable = str(key_file) if key_file is not None else key_variable or kind.key
        self._key = read_key(key_variable or kind.key, key_file, optional=not kind.needs_key and key_variable is None)
        self.client = Client(url or kind.url, _headers(self.texts.name, self._key), [self._key], **client)
        self.concurrency = self.client.concurrency
        self.model = self._checked(model, kind.models)
        settings = json.dumps(redacted(self.parameters), sort_keys=True, default=str)
        self.name = (
            f"{self.model} ({server}, {self.texts.name}, {self.choices.name if self.choices else 'texts'}, {settings})"
        )
        self._field: str | None = None
        self._probed: dict[str, str] | None = None
        self._template: tuple[str, str] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"HttpBackend({self.server!r}, {self.model!r}, {self.client.url!r})"

    # ------------------------------------------------------------------ what the server can do

    def _checked(self, model: str | None, path: str | None) -> str:
        """The model's name, which the server has to know where it lists its models."""
        if path is None:
            if model is None:
                raise ConfigError(f"Expected the name of a model: the server {self.server!r} lists none that would do.")
            return model
        response = self._refused(self.client.get(path), model or "")
        entries = response.content.get("data", response.content.get("models", []))
        names = [str(e.get("id", e.get("name", ""))) for e in entries if isinstance(e, dict)]
        if model is None:
            if len(names) != 1:
                raise ConfigError(f"Expected the name of a model; {self.client.url} has {listed(names) or 'none'}.")
            return names[0]
        if names and model not in names and f"{model}:latest" not in names:
            raise UnknownNameError(f"model of {self.client.url}", model, names)
        return model

    def probe(self) -> Mapping[str, str]:
        """What the server does with each field that may hold a grammar, asked once: see :func:`probe`."""
        with self._lock:
            if self._probed is None:
                self._probed = probe(lambda field, g: self._complete(PROBE, g, 0, field), self._fields, self.model)
                self._field = next((f for f, says in self._probed.items() if says == "enforced"), None)
        return self._probed

    @property
    def probed(self) -> Mapping[str, str]:
        """What :meth:`probe` found; empty where it was not asked for."""
        return self._probed or {}

    def remember(self, probed: Mapping[str, str]) -> None:
        """Take what an earlier :meth:`probe` of the same server found, instead of asking again."""
        with self._lock:
            self._probed = dict(probed)
            self._field = next((f for f, says in self._probed.items() if says == "enforced"), None)

    @property
    def field(self) -> str | None:
        """The field that really holds replies to a grammar; None if none does."""
        self.probe()
        return self._field

    # ------------------------------------------------------------------ the two calls

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """A text, held to the grammar where the server can, and told about it anyway; see :class:`Backend`."""
        field = None if grammar is None else self.field
        return self._complete(messages if grammar is None else _told(messages, grammar, field), grammar, draw, field)

    def _complete(
        self,
        messages: Sequence[Message],
        grammar: Grammar | None,
        draw: int,
        field: str | None,
    ) -> Reply:
        parameters = self._with_seed(draw)
        path, body = self.texts.request(self.model, messages, parameters, field, grammar)
        response = self._refused(self.client.post(path, body))
        text, outcome, usage = self.texts.read(response.content)
        text = without_secrets(text, [self._key])  # should a server repeat it
        return Reply(text, outcome, usage, response.seconds, redacted(body))

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """Probabilities of the options of every question, see :class:`Backend`."""
        dialect = self.choices
        if dialect is None or any(len(q.options) > self._most_options for q in questions):
            return self._chosen_as_texts(state, questions)
        step = dialect.most_questions
        parts = [questions[i : i + step] for i in range(0, len(questions), step)]
        before, after = self._frame() if dialect.name == "completion" else ("", "")

        def ask(part: Sequence[Question]) -> list[Answer]:
            path, body = dialect.request(self.model, before + state, part, self._choice_parameters())
            if after:
                body["prompt"] = body["prompt"].rstrip("\n") + after
            found: list[Answer] = dialect.read(self._refused(self.client.post(path, body)).content, part)
            return found

        return [answer for answers in self._map(ask, parts) for answer in answers]

    def _chosen_as_texts(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """The option that the model writes gets the whole probability."""

        def ask(question: Question) -> Answer:
            grammar = label_grammar(question.labels)
            reply = self.complete([{"role": "user", "content": f"{state}\n{question.prompt}"}], grammar)
            labels = grammar.read(reply.text) if reply.outcome in ("ok", "truncated") else None
            if labels is None:
                return Answer(None, "invalid" if reply.outcome == "ok" else reply.outcome, reply.usage)
            p = np.zeros(len(question.options))
            p[labels[0]] = 1.0
            return Answer(p, "ok", reply.usage, sampled=True)

        self.probe()  # before there are threads
        return self._map(ask, questions)

    def _map(self, ask: Any, parts: Sequence[Any]) -> list[Any]:
        if len(parts) == 1 or self.concurrency == 1:
            return [ask(part) for part in parts]
        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(ask, parts))

    def _choice_parameters(self) -> dict[str, Any]:
        """Parameters that mean something where nothing is sampled: none of those that shape sampling."""
        sampling = (
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "seed",
            "max_tokens",
            "max_completion_tokens",
            "n_predict",
        )
        return {name: value for name, value in self.parameters.items() if name not in sampling}

    def _with_seed(self, draw: int) -> dict[str, Any]:
        seed = self.parameters.get("seed")
        return self.parameters | ({"seed": seed + draw} if isinstance(seed, int) else {})

    def _frame(self) -> tuple[str, str]:
        """What the model's chat template writes before and after a user's message; nothing where it has none."""
        with self._lock:
            if self._template is None:
                marker = "STATE-AND-QUESTION"
                body = {"messages": [{"role": "user", "content": marker}]}
                prompt = self.client.post("/apply-template", body).content.get("prompt")
                before, found, after = prompt.partition(marker) if isinstance(prompt, str) else ("", "", "")
                self._template = (before, after) if found else ("", "")
        return self._template

    # ------------------------------------------------------------------ refusals of the server

    def _refused(self, response: Response, model: str | None = None) -> Response:
        """The response, unless its status says no."""
        if response.status < 300:
            return response
        said, where = without_secrets(response.message, [self._key]), self.client.url
        model = self.model if model is None else model
        if response.status in (401, 403):
            raise ServerError(f"{where} refuses the key of {self._variable} (status {response.status}): {said}.")
        if "context" in said.lower() and response.status in (400, 413):
            raise ConfigError(
                f"The prompt is too long for model {model!r} of {where}: {said}. Show less of the history."
            )
        if response.status == 404:
            raise ServerError(f"{where} has no model {model!r} or no such path (status 404): {said}.")
        raise ServerError(f"{where} refuses the request (status {response.status}): {said}.")


def _dialect(kind: str, known: Mapping[str, Any], name: str) -> Any:
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return known[name]


def _headers(dialect: str, key: str) -> dict[str, str]:
    if dialect == "messages":
        return {"anthropic-version": _ANTHROPIC_VERSION, **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}


def _told(messages: Sequence[Message], grammar: Grammar, field: str | None) -> list[Message]:
    """The conversation with the form of the reply, which servers that enforce it do not show to the model."""
    if field in (None, "grammar", "structured_outputs", "regex"):
        places = [sorted({s for row in layer for s in symbols[row >= 0]}) for layer, symbols in zip(
            grammar.automaton.layers, grammar.symbols, strict=True)]  # fmt: skip
        form = f"Reply with exactly {len(grammar)} symbols, one of each: " + " ".join(f"[{''.join(p)}]" for p in places)
    else:
        schema = json.dumps(grammar.json_schema)
        form = f"Reply with JSON that fits {schema if len(schema) <= _TOLD else schema[:_TOLD] + '…'}"
    last = messages[-1]
    return [*messages[:-1], {**last, "content": f"{last['content']}\n{form}"}]
