"""What is known of the servers that people use: where they are and which dialects they speak."""

from __future__ import annotations

from dataclasses import dataclass

from gennas.errors import UnknownNameError

__all__ = ["SERVERS", "Server", "server_named"]


@dataclass(frozen=True)
class Server:
    """A kind of server.

    Args:
        url: where it usually is.
        texts: the dialect in which texts are asked for.
        choices: the dialect in which probabilities are asked for; None: it has none, and an option is asked for as a
            text of one symbol.
        fields: fields that may hold a grammar, tried in this order.
        key: the environment variable of the key.
        needs_key: whether it answers nobody without.
        models: the path that lists its models, where a name that is not on the list is none.
        most_options: options of one question that it takes, where these are fewer than its dialect allows.
    """

    url: str
    texts: str = "chat"
    choices: str | None = None
    fields: tuple[str, ...] = ("response_format",)
    key: str = "GENNAS_LLM_KEY"
    needs_key: bool = False
    models: str | None = "/v1/models"
    most_options: int | None = None


SERVERS = {
    "llama.cpp": Server("http://127.0.0.1:8080", choices="completion", fields=("grammar", "response_format")),
    "vllm": Server(
        "http://127.0.0.1:8000", choices="systemone", fields=("structured_outputs", "response_format")
    ),
    "sglang": Server("http://127.0.0.1:30000", choices="decisions", fields=("regex", "response_format")),
    "transformers": Server("http://127.0.0.1:8000", choices="systemone", fields=(), models=None, most_options=26),
    "lmstudio": Server("http://127.0.0.1:1234", choices="systemone"),
    "ollama": Server("http://127.0.0.1:11434", texts="ollama", fields=("format",), models="/api/tags"),
    "openai": Server("https://api.openai.com", key="OPENAI_API_KEY", needs_key=True, models=None),
    "openai-responses": Server(
        "https://api.openai.com", texts="responses", fields=("text",), key="OPENAI_API_KEY", needs_key=True, models=None
    ),
    "anthropic": Server(
        "https://api.anthropic.com", texts="messages", fields=("output_config",), key="ANTHROPIC_API_KEY",
        needs_key=True, models=None,
    ),
    "compatible": Server(
        "http://127.0.0.1:8000", fields=("grammar", "structured_outputs", "regex", "response_format"), models=None
    ),
}  # fmt: skip
"""Servers by name; ``compatible`` is any other that speaks chat completions."""


def server_named(name: str) -> Server:
    """The server of a name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in SERVERS:
        raise UnknownNameError("server of language models", name, SERVERS)
    return SERVERS[name]
