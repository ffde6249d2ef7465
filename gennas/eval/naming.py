"""Names of metrics in texts such as ``latency (ms)<=5``: any name that a column can have.

A name that exists always wins; else a text is split at its last operator. Double quotes say where a name begins and
ends, as in ``"acc+ema" - 0.1 * "latency (ms)"``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

__all__ = ["quoted", "split_last", "split_names", "unquoted"]

_PLAIN = re.compile(r"[A-Za-z_][\w.]*")


def unquoted(text: str, known: Collection[str] = ()) -> str:
    """A name without the blanks and the double quotes around it; a ``known`` name is left as it is.

    Example:
        >>> unquoted(' "latency (ms)" '), unquoted("Top-1 (%)")
        ('latency (ms)', 'Top-1 (%)')
    """
    name = text.strip()
    is_quoted = len(name) > 2 and name[0] == name[-1] == '"' and '"' not in name[1:-1]
    return name[1:-1] if is_quoted and name not in known else name


def quoted(name: str) -> str:
    """A name as it stands in a sum: in double quotes unless it is a plain one.

    Example:
        >>> quoted("latency_ms"), quoted("val/acc")
        ('latency_ms', '"val/acc"')
    """
    return name if _PLAIN.fullmatch(name) else f'"{name}"'


def split_last(text: str, operators: str, known: Collection[str] = ()) -> tuple[str, str, str]:
    """Name, operator and what follows the last operator; a known name, or one in quotes, is not split.

    Args:
        text: such as ``acc:ema:max``.
        operators: a regular expression.
        known: names that exist.

    Example:
        >>> split_last("acc:ema:max", ":"), split_last("acc:ema", ":", {"acc:ema"}), split_last('"a:b"', ":")
        (('acc:ema', ':', 'max'), ('acc:ema', '', ''), ('a:b', '', ''))
    """
    whole = unquoted(text, known)
    if whole in known or whole != text.strip():
        return whole, "", ""
    found = list(re.compile(operators).finditer(text, text.rfind('"') + 1))
    if not found:
        return whole, "", ""
    return unquoted(text[: found[-1].start()], known), found[-1][0], text[found[-1].end() :].strip()


def split_names(text: str, known: Collection[str] = ()) -> list[str]:
    """The parts of a list with commas; commas in quotes and in known names do not split.

    Example:
        >>> split_names('top 1, "a,b":max,x,y', {"x,y"})
        ['top 1', '"a,b":max', 'x,y']
    """
    parts = re.findall(_one_of(_listed(known), r'(?:"[^"]*+"|[^,"]++|")++'), text)
    return [part.strip() for part in parts if part.strip()]


def _listed(known: Collection[str]) -> Iterator[str]:
    """Patterns of known names with a comma, the longest first."""
    for name in sorted((name for name in known if "," in name), key=len, reverse=True):
        yield rf"(?<![^\s,]){re.escape(name)}(?:\s*:\s*(?:max|min))?(?=\s*(?:,|$))"


def _one_of(patterns: Iterator[str], last: str) -> str:
    return "|".join([*patterns, last])
