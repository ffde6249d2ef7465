"""Keys and passwords never reach logs, archive or report."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["masked", "redacted"]

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
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET.search(name.lower()):
            text = text.replace(value, "(hidden)")
    return text


_SHORTEST = 8
