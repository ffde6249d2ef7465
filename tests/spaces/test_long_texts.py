"""Texts of 20,000 letters are read, or refused, in linear time, and messages quote a few of them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gennas.errors import InvalidArchitectureError
from gennas.spaces import SPACES, make_space

PIECES = [
    "a",
    "1",
    " ",
    "|",
    "~",
    "+",
    "/",
    "-",
    "a~0|",
    "a ",
    "x1",
    "none~0|+|",
    "conv3x3-w16-s1/",
    "(",
    "[1,",
    "9" * 50,
]


@pytest.mark.parametrize("name", sorted(SPACES))
@pytest.mark.parametrize("piece", PIECES)
def test_long_texts(name: str, piece: str) -> None:
    space = make_space(name)
    text = piece * (20_000 // len(piece))
    sound = space.to_text(space.sample(1, np.random.default_rng(0))[0])
    start = time.process_time()
    for given in (text, sound + text, text + sound):
        for read in (str, *space.formats.values()):
            try:
                space.from_text(read(given))
            except InvalidArchitectureError as error:
                assert len(str(error)) < 1200 and "\n" not in str(error)
            else:
                assert not text.strip()  # blanks at the ends mean nothing
    assert time.process_time() - start < 1.5


def test_digits_of_other_scripts_are_no_digits() -> None:
    for name, text in {
        "nasbench201": "|none~٠|+|none~0|none~1|+|none~0|none~1|none~2|",
        "nasbench101": "conv1x1-bn-relu~٠|output~1",
        "nasbench-graph": "00١2:gat,gcn,fc,skip",
    }.items():
        with pytest.raises(InvalidArchitectureError):
            make_space(name).from_text(text)
