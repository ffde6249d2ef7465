"""Tests of what networks on tokens share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces import TaskSpec
from gennas.spaces.tokens import TokenNetwork, places


class Lookup(TokenNetwork):
    """An embedding."""

    def __init__(self, spec: TaskSpec, context: int | None = None) -> None:
        super().__init__(spec, context)
        self.table = nn.Embedding(spec.vocabulary, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.table(tokens)
        return found


SPEC = TaskSpec("tagging", (4,), 2, vocabulary=3)


def test_shorter_inputs_are_taken_and_places_counted() -> None:
    assert Lookup(SPEC)(torch.tensor([[0, 2]])).shape == (1, 2, 2)
    assert places(torch.tensor([[5, 5, 5], [1, 2, 3]])).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(1, 5, dtype=torch.long), r"^Expected at most 4 tokens \(context\), got 5\.$"),
        (torch.tensor([[0, 3]]), r"^Expected tokens from 0 to 2 \(vocabulary\), got 0 to 3\.$"),
        (torch.tensor([[-1, 1]]), r"^Expected tokens from 0 to 2 \(vocabulary\), got -1 to 1\.$"),
    ],
)
def test_wrong_inputs_are_one_clear_line(tokens: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Lookup(SPEC)(tokens)


def test_a_task_beyond_the_context_is_refused() -> None:
    assert Lookup(SPEC, 9).context == 9
    with pytest.raises(ConfigError, match=r"at most 3 tokens \(context\), got 4"):
        Lookup(SPEC, 3)


def test_an_index_error_of_the_network_itself_is_not_hidden() -> None:
    class Broken(Lookup):
        def forward(self, tokens: Tensor) -> Tensor:
            return [tokens][1]

    with pytest.raises(IndexError, match="list index"):
        Broken(SPEC)(torch.tensor([[0, 1]]))
