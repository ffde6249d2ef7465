"""Short texts, tables and drawings of architectures in a notebook."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from gennas.graph import Architecture, GraphSchema, Population
from gennas.graph.notebook import table_html
from gennas.spaces import MacroChain, NASBench201

SPACE = NASBench201()


def hostile() -> Architecture:
    """A node that may be called like a script."""
    schema = GraphSchema("<b>", ("<script>", "&"), ("none",), np.ones((1, 2), bool), np.ones((1, 1, 1), bool))
    return Population.from_decisions(schema, np.array([[0]]))[0]


def test_texts_are_short() -> None:
    population = SPACE.sample(1000, np.random.default_rng(0))
    assert repr(population) == "Population(1,000 architectures of nasbench201, 6 decisions each)"
    assert repr(population[:1]) == "Population(1 architecture of nasbench201, 6 decisions each)"
    long = MacroChain().sample(1, np.random.default_rng(0))[0]
    assert len(repr(long)) < 160 and long.key in repr(long) and "18 more" in repr(long)


def test_an_architecture_is_drawn() -> None:
    arch = SPACE.architecture([3, 0, 1, 2, 0, 4])
    svg = ET.fromstring(arch._repr_svg_())
    assert svg.tag.endswith("svg") and arch.key in (svg[0].text or "")


def test_a_population_is_counted_listed_and_drawn() -> None:
    population = SPACE.sample(40, np.random.default_rng(0)).unique()
    html = population._repr_html_()
    assert population.summary in html and f"{len(population) - 10} more" in html
    assert [key in html for key in population.keys[:12]] == [True] * 10 + [False] * 2
    assert html.count("<svg") == 3 and "0 architectures" in population[:0]._repr_html_()


def test_everything_is_escaped() -> None:
    population = Population.of(hostile().schema, [hostile()])
    for html in (population._repr_html_(), hostile()._repr_svg_(), table_html(["<script>"], [["<script>", 1]])):
        assert "<script>" not in html and "&lt;script&gt;" in html and "<b>" not in html
