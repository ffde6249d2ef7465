"""Random edits of bytes, texts, values and JSON: what scripts/fuzz damages its inputs with."""

from __future__ import annotations

import json
import random
from typing import Any

TOKENS = (
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\ufeff",
    "\ud7ff",
    "é",
    "中",
    "\u202e",
    "٣",
    "²",
    "'",
    '"',
    "`",
    "\\",
    "/",
    "|",
    "~",
    "+",
    "-",
    "*",
    ":",
    ";",
    ",",
    "=",
    "==",
    "<=",
    ">=",
    "<",
    ">",
    "%",
    "#",
    "@",
    "&a ",
    "*a",
    "!!python/object/apply:os.system ['true']",
    "!!binary x",
    "? ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "()",
    "(4,0,3,1,4,3)",
    "{a: ",
    "[[",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1e-400",
    "9" * 30,
    "9" * 5000,
    "0x" + "f" * 3000,
    "1:1:1",
    "2020-01-01",
    "null",
    "true",
    "no",
    "None",
    "NaN",
    "acc:max",
    "q",
    "~0|",
    "__class__",
    "../..",
    "file.py:Name",
    "os:system",
    "%s",
    "{0}",
    "${HOME}",
    "a" * 300,
)
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**400,
    -(10**30),
    0.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "é\0",
    "nan",
    "1e999",
    "a" * 5000,
    [],
    {},
    [[]],
    {"": None},
    [None],
    ["x"],
    [1, 2],
    [1.5, "a"],
    {"a": {"b": [1]}},
    [[1, 2], [3]],
    [0] * 1000,
    {"x": 1},
)


def edited_bytes(content: bytes, rng: random.Random) -> bytes:
    """A few edits of bytes: flips, cuts, repetitions, insertions."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        i, j = sorted((rng.randrange(len(found) + 1), rng.randrange(len(found) + 1)))
        j = min(j, i + rng.choice((1, 4, 16, 64, 10**6)))
        match rng.randrange(7):
            case 0 if found:
                found[min(i, len(found) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del found[i:j]
            case 2:
                found[i:j] = rng.randbytes(rng.choice((1, 2, 4, 8, 40)))
            case 3:
                found[i:i] = found[i:j] * rng.choice((1, 2, 20))
            case 4:
                del found[i:]
            case 5:
                found[i:j] = rng.choice((b"\0", b"\xff", b"\x7f")) * (j - i)
            case _:
                found[i:i] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")
        del found[400_000:]
    return bytes(found)


def edited_text(text: str, others: tuple[str, ...], rng: random.Random) -> str:
    """A few edits of a text: tokens, cuts, repetitions, halves of other texts; now and then a very long one."""
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        i, j = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        j = min(j, i + rng.choice((1, 3, 12, 10**6)))
        match rng.randrange(6):
            case 0:
                text = text[:i] + text[j:]
            case 1 | 2:
                text = text[:i] + rng.choice(TOKENS) + text[rng.choice((i, j)) :]
            case 3:
                text = text[:i] + text[i:j] * rng.choice((2, 3, 30)) + text[j:]
            case 4:
                other = rng.choice(others)
                text = text[:i] + other[rng.randrange(len(other) + 1) :]
            case _:
                text = text[:i] + chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) + text[j:]
    if rng.random() < 0.004 and text:
        piece = text[: rng.choice((1, 2, 7, 60))]
        text = text[rng.choice((0, 1)) :] + piece * (20_000 // len(piece))
    return text[:40_000]


def edited_value(value: Any, rng: random.Random) -> Any:
    """Plain values with something else in one or several places."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _edit_once(value, rng)
    return value


def _edit_once(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        match rng.randrange(12):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {(rng.choice(TOKENS) if k == key else k): v for k, v in value.items()}
            case _:
                return {k: (_edit_once(v, rng) if k == key else v) for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.85:
        i = rng.randrange(len(value))
        match rng.randrange(12):
            case 0:
                return value[:i] + value[i + 1 :]
            case 1:
                return value[:i] + value[i : i + 1] * 3 + value[i + 1 :]
            case _:
                return [*value[:i], _edit_once(value[i], rng), *value[i + 1 :]]
    if isinstance(value, (int, float)) and abs(value) < 1e300 and not isinstance(value, bool) and rng.random() < 0.4:
        return rng.choice((-value, value + 1, value * 1e9, str(value), [value], 1e308, float("nan")))
    return rng.choice(ODD)


def edited_json(content: bytes, rng: random.Random) -> bytes:
    """A JSON text with other values, or with edits of its bytes."""
    if rng.random() < 0.25:
        return edited_bytes(content, rng)
    return json.dumps(edited_value(json.loads(content), rng)).encode("utf-8", "surrogatepass")
