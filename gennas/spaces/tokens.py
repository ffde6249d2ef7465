"""Networks on tokens: what they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec

__all__ = ["TokenNetwork", "places"]


class TokenNetwork(nn.Module):
    """A network on tokens ``(b, t)``, numbers from 0 to the vocabulary's size: it says what is wrong with its input.

    Inputs may be shorter than the context. The check stands outside of ``forward``, which exports can therefore follow.

    Args:
        spec: the task.
        context: longest input; by default that of the task.

    Raises:
        ConfigError: the task's inputs are longer than the context.
    """

    def __init__(self, spec: TaskSpec, context: int | None = None) -> None:
        super().__init__()
        length = spec.input_shape[0]
        self.context, self.vocabulary = context or length, spec.vocabulary
        if length > self.context:
            raise ConfigError(f"Expected texts of at most {self.context} tokens (context), got {length}: shorten them.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the network.

        Raises:
            ConfigError: the input is longer than the context, or holds a token that is not in the vocabulary.
        """
        tokens = args[0]
        if tokens.shape[1] > self.context:
            raise ConfigError(f"Expected at most {self.context} tokens (context), got {tokens.shape[1]}.")
        try:
            return super().__call__(*args, **kwargs)
        except IndexError as error:
            least, most = int(tokens.min()), int(tokens.max())
            if 0 <= least <= most < self.vocabulary:
                raise
            raise ConfigError(
                f"Expected tokens from 0 to {self.vocabulary - 1} (vocabulary), got {least} to {most}."
            ) from error


def places(tokens: Tensor) -> Tensor:
    """Place of every token in its text, ``0, 1, …, t - 1`` ``(t,)``; written so that symbolic tracing follows it."""
    return torch.ones_like(tokens[0]).cumsum(0) - 1
