"""Which language model: from a name or a few settings to a backend, which is reached when it is first asked."""

from __future__ import annotations

import difflib
import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.models.llm.backend import Answer, Backend, Message, Question, Reply
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.servers import SERVERS
from gennas.models.llm.prices import Price, read_prices
from gennas.registry import configured, import_object, location_of
from gennas.runtime.secrets import redacted

__all__ = ["Connection", "Model", "model_of", "model_settings"]

_KINDS = ("server", "local", "replay", "class")
_WHERE = (
    "url", "key_variable", "key_file", "timeout", "retries", "wait", "longest_wait", "max_bytes", "concurrency",
    "failures", "cooldown", "device", "local_files_only",
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A language model as settings name it.

    Args:
        kind: ``server``, ``local``, ``replay``, ``class``, or ``object``, one that is there already.
        source: kind of server; folder or name on the hub; file or run directory; import path; name.
        options: of the backend.
        prices: file of what tokens cost, see :func:`gennas.models.llm.prices.read_prices`.
    """

    kind: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    prices: str | None = None

    @property
    def name(self) -> str:
        """Which model, with all that changes what it says; not where it is, nor how it is reached."""
        if self.kind == "object":
            return self.source
        said = {k: v for k, v in self.options.items() if k not in _WHERE and k != "model"}
        what = self.options.get("model") or Path(self.source).name
        settings = json.dumps(redacted(said), sort_keys=True, default=str)
        return f"{what} ({self.source if self.kind == 'server' else self.kind}, {settings})"

    @property
    def price(self) -> Price | None:
        """What its tokens cost; None where no prices are given.

        Raises:
            ConfigError: the file cannot be read.
            UnknownNameError: the model is not in it.
        """
        if self.prices is None:
            return None
        return read_prices(self.prices, str(self.options.get("model") or Path(self.source).name))

    @property
    def code(self) -> str:
        """The import path that it leads to; empty where it leads to none."""
        return self.source if self.kind == "class" else ""

    @property
    def gives_probabilities(self) -> bool:
        """Whether options can be asked for with their probabilities."""
        if self.kind != "server":
            return True
        choices = self.options.get("choices") or SERVERS[self.source].choices
        return choices not in (None, "none")

    def backend(self) -> Backend:
        """The backend itself; a server is reached, a local model loaded.

        Raises:
            GennasError: that does not work.
        """
        what = f"model {self.source!r}"
        if self.kind == "server":
            from gennas.models.llm.http import HttpBackend

            _check_client(self.options)
            made: Any = configured(what, HttpBackend, self.options, self.source)
        elif self.kind == "local":
            from gennas.models.llm.local import LocalBackend

            made = configured(what, LocalBackend.from_pretrained, self.options, self.source)
        elif self.kind == "object":
            made = self.options["object"]
        elif self.kind == "class":
            made = configured(what, import_object(self.source), self.options)
        else:
            raise ConfigError(f"The records of {self.source!r} are no model: they are read by whoever keeps records.")
        if not isinstance(made, Backend):
            raise ConfigError(
                f"Expected {shown(self.source)} to be a model with name, concurrency, choose and complete, got "
                f"{type(made).__name__}."
            )
        return made


def model_of(given: Any) -> Model:
    """The model that settings name: a text, or a mapping with ``server``, ``local``, ``replay`` or ``class``.

    As a text: a kind of server, ``SERVER:MODEL``, ``local:FOLDER``, ``replay:FILE``, or ``file.py:Class``. As a
    mapping: one of these with the options of its backend, such as
    ``{server: vllm, model: NAME, url: …, parameters: {temperature: 0.7}}``, and ``prices``, a file of what tokens
    cost. Keys are named, never given. In Python a :class:`Backend` itself will do.

    Raises:
        ConfigError: neither, several kinds at once, or a key.
        UnknownNameError: there is no such kind of server.

    Example:
        >>> model_of("vllm").kind, model_of("openai:some-model").name
        ('server', 'some-model (openai, {})')
        >>> model_of({"local": "models/tiny", "chat": False}).source
        'models/tiny'
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, Backend):
        return Model("object", given.name, {"object": given})
    if isinstance(given, str):
        return model_of(model_settings(given))
    if not isinstance(given, Mapping):
        raise ConfigError(
            "Expected a model as server, SERVER:MODEL, local:FOLDER, replay:FILE or file.py:Class, or a mapping, got "
            f"{shown(given)}."
        )
    _refuse_keys(given)
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        raise ConfigError(f"Expected one of {', '.join(_KINDS)} in the model's settings, got {shown(list(given))}.")
    kind, source = kinds[0], given[kinds[0]]
    if kind == "class" and isinstance(source, str) and not location_of(source):
        name = source.partition(":")[0]
        if difflib.get_close_matches(name, SERVERS, cutoff=0.7):
            raise UnknownNameError("server of language models", name, SERVERS)
    if not isinstance(source, str) or not source:
        raise ConfigError(f"Expected a text as {kind} of the model, got {shown(source)}.")
    if kind == "server" and source not in SERVERS:
        raise UnknownNameError("server of language models", source, SERVERS)
    options = {name: value for name, value in given.items() if name not in (kind, "prices")}
    prices = given.get("prices")
    return Model(kind, source, options, None if prices is None else str(prices))


def model_settings(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The mapping that :func:`model_of` takes, from a model's short name and the options of its backend.

    Example:
        >>> model_settings("vllm:NAME", {"url": "http://127.0.0.1:9000"})
        {'server': 'vllm', 'model': 'NAME', 'url': 'http://127.0.0.1:9000'}
    """
    kind, colon, rest = name.partition(":")
    if not colon or kind in SERVERS:
        found = {"server": kind, **({"model": rest} if rest else {})}
    else:
        found = {kind: rest} if kind in ("local", "replay") else {"class": name}
    return found | dict(options or {})


def _refuse_keys(given: Mapping[str, Any]) -> None:
    """Settings are kept with a run: a key among them would be, too."""
    parameters = given.get("parameters")
    parts = {**given, **(parameters if isinstance(parameters, Mapping) else {})}
    secret = [name for name, value in redacted(parts).items() if value == "(hidden)" and parts[name] != "(hidden)"]
    if "key" in given or secret:
        raise ConfigError(
            f"Keys are no settings, which are kept with the run (got {', '.join(map(str, secret)) or 'key'}): name the "
            "environment variable that holds it, key_variable=NAME, or its file, key_file=FILE."
        )


def _check_client(options: Mapping[str, Any]) -> None:
    """Refuse options that neither the backend nor its client has."""
    from gennas.models.llm.http import HttpBackend
    from gennas.models.llm.http.client import Client

    known = {*inspect.signature(HttpBackend).parameters, *inspect.signature(Client).parameters} - {
        "server", "client", "headers", "secrets", "sleep",
    }  # fmt: skip
    for name in options:
        if name not in known:
            raise UnknownNameError("option of a server's model", name, known)


class Connection:
    """A backend that is made when it is first asked: a search that needs no new answer needs no model either.

    Args:
        model: which.
        make: makes it; None: as the model says.
    """

    def __init__(self, model: Model, make: Callable[[], Backend] | None = None) -> None:
        self.model, self.name = model, model.name
        self.concurrency = int(model.options.get("concurrency", 4)) if model.kind == "server" else 1
        self._make = make or model.backend
        self._backend: Backend | None = None
        self._lock = threading.Lock()

    @property
    def backend(self) -> Backend:
        """The backend.

        Raises:
            GennasError: it cannot be made.
        """
        with self._lock:  # several requests may come first
            if self._backend is None:
                self._backend = self._make()
            return self._backend

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """As the backend, see :class:`Backend`."""
        return self.backend.choose(state, questions)

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """As the backend, see :class:`Backend`."""
        return self.backend.complete(messages, grammar, draw)
