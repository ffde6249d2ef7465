"""Tests of the table of layers."""

from __future__ import annotations

from torch import nn

from gennas.graph.layers import Cell, Row, layer_table
from gennas.spaces import AutoFormerTiny, MacroChain, NASBench201, PiT, TaskSpec
from gennas.spaces.layered import Decision, Group, LayeredSpace


class Units(LayeredSpace):
    """Two groups whose layers convolve, or attend and then have no kernel."""

    def __init__(self) -> None:
        layer = (Decision("op", ("conv", "attention")), Decision("k", (3, 5, 7), when={"op": ("conv",)}))
        groups = [Group(f"unit{i}", (1, 2), layer, (Decision("width", (8, 16)),)) for i in (1, 2)]
        super().__init__("units", [Decision("resolution", (32, 64))], groups)

    def build(self, arch: object, spec: TaskSpec) -> nn.Module:
        raise NotImplementedError


def test_rows_are_layers_and_columns_decisions() -> None:
    arch = AutoFormerTiny(depths=(2, 3), ratios=(3, 3.5, 4)).from_text("embed=216;depth=2;mlp=3.5,4;heads=3,4")
    table = layer_table(arch)
    assert table.whole == (("embed", Cell("216", "embed216", 0.5)), ("depth", Cell("2", "depth2", 0.0)))
    assert table.columns == ("mlp", "heads") and table.num_layers == 2
    first = Row("layer1", (Cell("3.5", "mlp3.5", 0.5), Cell("3", "heads3", 0.0)))
    assert table.rows == (first, Row("layer2", (Cell("4", "mlp4", 1.0), Cell("4", "heads4", 1.0))))


def test_groups_stand_before_their_layers_and_what_is_off_is_a_dash() -> None:
    space = Units()
    text = (
        "resolution=64;unit1.width=8;unit1.depth=1;unit1.op=attention;unit1.k=-;"
        "unit2.width=16;unit2.depth=2;unit2.op=conv,conv;unit2.k=7,5"
    )
    table = layer_table(space.from_text(text))
    assert [(row.name, [cell.text for cell in row.cells]) for row in table.rows] == [
        ("unit1", []),
        ("unit1.layer1", ["attention", "–"]),
        ("unit2", []),
        ("unit2.layer1", ["conv", "7"]),
        ("unit2.layer2", ["conv", "5"]),
    ]
    assert [(name, cell.text) for name, cell in table.rows[2].group] == [("width", "16"), ("depth", "2")]
    assert table.rows[1].cells[0] == Cell("attention", "attention") and table.num_layers == 3


def test_stages_without_layers_of_their_own_are_rows() -> None:
    table = layer_table(PiT().from_text(PiT.reference["PiT-Ti"]))
    assert table.columns == ("heads", "depth") and [row.name for row in table.rows] == ["stage1", "stage2", "stage3"]


def test_cells_have_no_table() -> None:
    assert layer_table(NASBench201().architecture([0] * 6)) is None
    assert layer_table(MacroChain().from_text("conv3x3-w16-s1/conv3x3-w16-s1")).num_layers == 2
