"""What a notebook shows of a space."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import GraphSchema
from gennas.spaces import SPACES, MacroChain, NASBench201, Space, make_space
from gennas.spaces.notebook import space_html


@pytest.mark.parametrize("name", SPACES)
def test_name_size_and_decisions(name: str) -> None:
    space = make_space(name)
    assert name in repr(space) and space.size_text in repr(space) and "\n" not in repr(space)
    html = space._repr_html_()
    assert f"{space.size_text}, {space.schema.num_decisions} decisions" in html and name in html


def test_options_have_values_and_meanings() -> None:
    space = NASBench201(num_cells=1)
    assert repr(space) == "<NASBench201(num_cells=1): nasbench201, 15,625 architectures, 6 decisions>"
    html = space_html(space)
    assert "<td" in html and ">num_cells<" in html and ">1<" in html and ">16<" in html and "nor_conv_3x3" in html
    assert "… and 13 more decisions" in space_html(MacroChain())


def test_texts_are_escaped_and_sizes_may_be_unknown() -> None:
    class Odd(Space):
        """A <script>."""

        name = "<b>"

        def __init__(self, word: str) -> None:
            self.schema = GraphSchema("odd", ("<i>", "b"), ("none",), np.ones((1, 2), bool), np.ones((1, 1, 1), bool))

        def build(self, arch, spec):
            raise NotImplementedError

        def completions(self, D, t):
            return None

    html = Odd("<u>")._repr_html_()
    assert not any(tag in html for tag in ("<script>", "<b><", "<i>", "<u>")) and "not counted" in html
    assert "size not counted" in repr(Odd("x"))
