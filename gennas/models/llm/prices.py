"""What tokens cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.models.llm.backend import Usage
from gennas.runtime.reading import read_json_bounded

__all__ = ["Price", "read_prices"]

_MOST = 1e9  # dollars per million tokens


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens of input and of output.

    Example:
        >>> Price(input=0.5, output=2.0).of(Usage(1_000_000, 500_000))
        1.5
    """

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """US dollars of so many tokens."""
        return (self.input * usage.input_tokens + self.output * usage.output_tokens) / 1e6


def read_prices(file: str | Path, model: str) -> Price:
    """The price of a model in a JSON file ``{"model": {"input": 0.5, "output": 2.0}}``, in dollars per million tokens.

    Raises:
        ConfigError: the file cannot be read, or an entry is no price.
        UnknownNameError: the model is not in it.
    """
    content = read_json_bounded(Path(file), 1_000_000, ConfigError, "price table", "one entry per model is enough")
    if not isinstance(content, Mapping):
        raise ConfigError(
            f'Expected a price table {{"model": {{"input": …, "output": …}}}} in {file}, got {shown(content)}.'
        )
    if model not in content:
        raise UnknownNameError(f"model of the price table {file}", model, map(str, content))
    entry = content[model]
    numbers = [entry.get(kind) for kind in ("input", "output")] if isinstance(entry, Mapping) else []
    good = [n for n in numbers if isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < _MOST]
    if len(good) != 2:
        raise ConfigError(
            f"Expected dollars per million tokens of {model!r} in {file} as "
            f'{{"input": 0.5, "output": 2.0}}, got {shown(json.dumps(entry, default=str))}.'
        )
    return Price(float(good[0]), float(good[1]))
