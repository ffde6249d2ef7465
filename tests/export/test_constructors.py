"""The text of constructor calls, which makes the same layer again."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from gennas.errors import ExportError
from gennas.export._constructors import constant, is_library, is_plain_sequence, library_call, slot, tensor_statements


def plain(text: object) -> str:
    """Text with its slots filled in."""
    return re.sub(r"⟦\w+=(-?\d+)⟧", r"\1", str(text))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Linear(3, 5), "nn.Linear(3, 5)"),
        (nn.Linear(3, 5, bias=False), "nn.Linear(3, 5, bias=False)"),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), "nn.Conv2d(3, 8, 3, padding=1, bias=False)"),
        (nn.Conv2d(3, 6, (3, 1), stride=2, groups=3), "nn.Conv2d(3, 6, (3, 1), stride=2, groups=3)"),
        (nn.MaxPool2d(3), "nn.MaxPool2d(3)"),
        (nn.MaxPool2d(3, stride=1, padding=1), "nn.MaxPool2d(3, stride=1, padding=1)"),
        (nn.BatchNorm2d(8, momentum=0.2), "nn.BatchNorm2d(8, momentum=0.2)"),
        (nn.Dropout(0.25), "nn.Dropout(p=0.25)"),
        (nn.ReLU(inplace=True), "nn.ReLU(inplace=True)"),
        (nn.GELU(), "nn.GELU()"),
        (nn.AdaptiveAvgPool2d(1), "nn.AdaptiveAvgPool2d(1)"),
        (nn.LayerNorm(16), "nn.LayerNorm(16)"),
        (nn.Flatten(2), "nn.Flatten(start_dim=2)"),
    ],
)
def test_defaults_are_left_out_and_the_layer_comes_back(layer: nn.Module, text: str) -> None:
    found = plain(library_call(layer))
    assert found == text and is_library(layer)
    assert repr(eval(found, {"nn": nn})) == repr(layer)


def test_whole_numbers_of_a_layer_are_slots() -> None:
    assert library_call(nn.Linear(3, 5)) == f"nn.Linear({slot('in_features', 3)}, {slot('out_features', 5)})"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (-3, "-3"),
        (0.1, "0.1"),
        (float("inf"), 'float("inf")'),
        (..., "..."),
        ("same", '"same"'),
        ('a "b"', "'a \"b\"'"),
        ((2,), "(2,)"),
        ([1, (2, 3.5)], "[1, (2, 3.5)]"),
        (torch.float16, "torch.float16"),
        (torch.channels_last, "torch.channels_last"),
        (torch.device("cpu"), 'torch.device("cpu")'),
    ],
)
def test_constants_evaluate_to_themselves(value: object, text: str) -> None:
    assert constant(value) == text
    assert eval(text, {"torch": torch}) == value


def test_what_is_no_constant_is_refused() -> None:
    with pytest.raises(ExportError, match="got object"):
        constant([object()])


def test_sequences_that_count_from_zero_are_plain() -> None:
    assert is_plain_sequence(nn.Sequential(nn.ReLU(), nn.ReLU()))
    named = nn.Sequential()
    named.add_module("first", nn.ReLU())
    assert not is_plain_sequence(named) and not is_plain_sequence(nn.ModuleList([nn.ReLU()]))
    assert not is_library(type("Mine", (nn.Linear,), {})(1, 1))


def test_own_tensors_are_registered_again() -> None:
    class Owner(nn.Module):
        def __init__(self, size: int = 2) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2, 3))
            self.fixed = nn.Parameter(torch.ones(()), requires_grad=False)
            self.register_buffer("count", torch.zeros(1, dtype=torch.int64))
            self.register_buffer("grid", torch.arange(size), persistent=False)

    found = [plain(f"{begin}{text}") for begin, text in tensor_statements(Owner())]
    assert found == [
        "self.scale = nn.Parameter(torch.zeros(2, 3))",
        "self.fixed = nn.Parameter(torch.zeros(()), requires_grad=False)",
        'self.register_buffer("count", torch.zeros(1, dtype=torch.int64))',
        'self.register_buffer("grid", torch.tensor([0, 1], dtype=torch.int64), persistent=False)',
    ]
    with pytest.raises(ExportError, match="'grid' is not saved with the weights"):
        tensor_statements(Owner(65))
