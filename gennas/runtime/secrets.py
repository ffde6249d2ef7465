"""Keys and passwords never reach logs, archive or report."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["masked", "redacted", "without_secrets"]

_SHORTEST = 8  # letters of a value that is worth hiding
_SECRET = re.compile(
    r"(^|[_\-.])(api_?-?key|secret|password|credentials?)s?$|(^|[_\-.])(access|auth|hf)[_-]?token$|^token$"
)


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested configuration in which values under names of secrets are blacked out.

    Example:
        >>> redacted({"llm": {"api_key": "abc", "max_tokens": 5}})
        {'llm': {'api_key': '(hidden)', 'max_tokens': 5}}
    """
    return {
        name: redacted(value)
        if isinstance(value, Mapping)
        else "(hidden)"
        if value is not None and _SECRET.search(str(name).lower())
        else value
        for name, value in config.items()
    }


def masked(text: str) -> str:
    """A text without the values of those environment variables whose names say that they are secret.

    Example:
        >>> os.environ["MY_API_KEY"] = "sk-0123456789"
        >>> masked("refused: sk-0123456789")
        'refused: (hidden)'
        >>> del os.environ["MY_API_KEY"]
    """
    named = os.environ.items()
    return without_secrets(text, [v for name, v in named if len(v) >= _SHORTEST and _SECRET.search(name.lower())])


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text, such as an error's, in which every occurrence of a secret is blacked out.

    Example:
        >>> without_secrets("Incorrect API key: sk-123", ["sk-123"])
        'Incorrect API key: (hidden)'
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "(hidden)")
    return text
