"""Cells of NAS-Bench-201 as other tools write them."""

from __future__ import annotations

import json

import pytest

from gennas.errors import InvalidArchitectureError
from gennas.spaces.nasbench201.formats import from_naslib, from_nni

TEXT = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"
# edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3
NASLIB = ("ReLUConvBN3x3", "Zero", "Identity", "ReLUConvBN1x1", "AvgPool1x1", "Zero")
NNI = {"0_1": "conv_3x3", "0_2": "none", "0_3": "skip_connect", "1_2": "conv_1x1", "1_3": "avg_pool_3x3", "2_3": "none"}


@pytest.mark.parametrize(
    "text", ["(2, 1, 0, 3, 4, 1)", "[2,1,0,3,4,1]", str(NASLIB), TEXT, TEXT.replace("nor_conv_3x3", "ReLUConvBN3x3")]
)
def test_naslib(text: str) -> None:
    assert from_naslib(text) == TEXT


@pytest.mark.parametrize("text", [str(NNI), json.dumps(NNI), TEXT, TEXT.replace("nor_conv", "conv")])
def test_nni(text: str) -> None:
    assert from_nni(text) == TEXT


@pytest.mark.parametrize("text", ["(2, 1, 0, 3, 4)", "(2, 1, 0, 3, 4, 5)", "(True,)*6", "x", "", "(2, 1, 0, 3, 4, -1)"])
def test_what_is_neither(text: str) -> None:
    for read in (from_naslib, from_nni):
        with pytest.raises(InvalidArchitectureError, match="expected"):
            read(text)
