"""Which number stands for which token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError

__all__ = ["Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens from 1 on; 0 stands for padding and for whatever is not among them.

    Args:
        tokens: characters or words, all different.

    Example:
        >>> known = Vocabulary.of("banana!", size=3)
        >>> known.tokens, known.encode("nab").tolist(), len(known)
        (('a', 'n'), [2, 1, 0], 3)
    """

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, tokens: str | Iterable[str], size: int | None = None, least: int = 1) -> Vocabulary:
        """The most frequent tokens of a text (its characters) or of words, ties in alphabetical order.

        Args:
            tokens: a text or its words.
            size: largest number of different tokens, the one for all others included; None for no limit.
            least: how often a token occurs at least.

        Raises:
            ConfigError: there are no tokens, or ``size`` leaves room for none.
        """
        counts = Counter(tokens)
        if not counts:
            raise ConfigError("Expected a text to take a vocabulary from, got an empty one.")
        if size is not None and size < 2:
            raise ConfigError(f"Expected a vocabulary of at least 2 tokens, one for all unknown ones, got {size}.")
        ranked = sorted((token for token, n in counts.items() if n >= least), key=lambda t: (-counts[t], t))
        return cls(tuple(ranked[: None if size is None else size - 1]))

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def encode(self, tokens: str | Sequence[str]) -> Tensor:
        """Numbers of the characters of a text, or of words, ``(n,)``."""
        if isinstance(tokens, str) and self._table is not None:
            codes = np.frombuffer(tokens.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            known = np.minimum(codes, len(self._table) - 1)
            return torch.from_numpy(self._table[known])
        return torch.tensor([self._numbers.get(token, 0) for token in tokens], dtype=torch.long)

    def decode(self, numbers: Iterable[int], unknown: str = "�") -> list[str]:
        """The tokens that numbers stand for."""
        return [unknown if n == 0 else self.tokens[n - 1] for n in map(int, numbers)]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens, 1)}

    @cached_property
    def _table(self) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
        """Numbers by code point, its last entry for all others; None where tokens are not single characters."""
        if not all(len(token) == 1 for token in self.tokens):
            return None
        codes = {ord(token): i for token, i in self._numbers.items()}
        table = np.zeros(max(codes, default=0) + 2, dtype=np.int64)
        table[list(codes)] = list(codes.values())
        return table
