"""A corpus: one long row of tokens for each part, handed out in windows, each token predicted from those before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.training.augment import Augmentation
from gennas.training.data.base import Batch, Moving, Part
from gennas.training.data.split import scaled_size

__all__ = ["TokenData"]


@dataclass(frozen=True, eq=False)
class TokenData(Moving):
    """Tokens ``(n,)`` of every part, in windows of ``length`` tokens and the token after each of them.

    Training windows are drawn anew at every pass, anywhere in the part. Evaluation windows are always the same:
    one after the other, or some of them.

    Args:
        tokens: of every part, integers of any width.
        length: tokens that the network sees, ``T``.
        windows: training windows of one pass; None for as many as fit side by side.
        eval_windows: evaluation windows, spread evenly over the part; None for all that fit side by side.

    Shapes: a batch has inputs ``(b, T)`` and labels ``(b, T)``, which are the inputs one token later.

    Example:
        >>> data = TokenData({"train": torch.arange(9), "validation": torch.arange(9), "test": torch.arange(5)}, 4)
        >>> batch = next(data.batches("test", 8))
        >>> batch.inputs[0].tolist(), batch.y.tolist()
        ([[0, 1, 2, 3]], [[1, 2, 3, 4]])
    """

    tokens: Mapping[Part, Tensor]
    length: int
    windows: int | None = None
    eval_windows: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(length,)``."""
        return (self.length,)

    def labels(self, part: Part) -> Tensor:
        """The token after each of the corpus, ``(n - 1,)``."""
        return self.tokens[part][1:]

    def num_batches(self, part: Part, batch_size: int) -> int:
        """Steps of one pass over a part."""
        return max(1, math.ceil(self._count(part) / batch_size))

    def choose(self, part: Part, index: Tensor) -> TokenData:
        """Refuse: a corpus has no single examples.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("A corpus is one row of tokens, from which no single examples can be chosen.")

    def take(self, index: Tensor) -> TokenData:
        """Refuse: a corpus has no single examples; :meth:`share` takes a piece of it.

        Raises:
            ConfigError: always.
        """
        return self.choose("train", index)

    def share(self, fraction: float, seed: int) -> TokenData:
        """Keep one piece of the training corpus, which begins at a random place, and draw fewer windows of it."""
        tokens = self.tokens["train"]
        start = int(torch.randint(len(tokens), (), generator=torch.Generator().manual_seed(seed)))
        kept = max(self.length + 1, round(fraction * len(tokens)))
        piece = tokens.roll(-start)[:kept]
        count = max(1, round(fraction * self._count("train")))
        return replace(self, tokens={**self.tokens, "train": piece}, windows=count)

    def shortened(self, scale: float) -> TokenData:
        """As many windows, ``scale`` times as long."""
        return replace(self, length=scaled_size(self.length, scale), windows=self._count("train"))

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """Windows of a part: drawn with a CPU ``generator``, or always the same without."""
        tokens, count = self.tokens[part], self._count(part)
        last = len(tokens) - self.length  # one more than the last place where a window may begin
        if generator is not None:
            starts = torch.randint(last, (count,), generator=generator)
        elif part != "train" and self.eval_windows is not None:
            starts = torch.linspace(0, last - 1, count, dtype=torch.float64).round().long()
        else:
            starts = self.length * torch.arange(count) % last
        places = torch.arange(self.length + 1, device=tokens.device)
        for chosen in torch.split(starts.to(tokens.device), batch_size):
            if generator is None or len(chosen) > 1 or min(batch_size, count) == 1:
                window = tokens[chosen[:, None] + places].long()  # (b, T + 1)
                yield Batch((window[:, :-1],), None, window[:, 1:])

    def _count(self, part: Part) -> int:
        fitting = max(1, (len(self.tokens[part]) - 1) // self.length)
        if part == "train":
            return self.windows or fitting
        return fitting if self.eval_windows is None else min(self.eval_windows, fitting)
