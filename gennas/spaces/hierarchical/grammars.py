"""The grammar of hierarchical NAS-Bench-201, in full and with shared parts."""

from __future__ import annotations

from collections.abc import Sequence

from gennas.spaces.grammar import Grammar

__all__ = ["full_grammar", "one_cell_grammar", "shared_grammar", "unshared_grammar"]

_OPERATIONS = ("zero", "id", "nor_conv_3x3", "nor_conv_1x1", "avg_pool")


def _levels(of_c: str, of_down: str, of_d0: str) -> dict[str, list[str]]:
    """Two halvings of the image, and which cell each level is made of."""
    c, down, d0 = of_c, of_down, of_d0
    return {
        "D2": ["linear3(D1, D1, D0)", "linear3(D0, D1, D1)", "linear4(D1, D1, D0, D0)"],
        "D1": ["linear3(C, C, DOWN)", "linear4(C, C, C, DOWN)", "residual3(C, C, DOWN, DOWN)"],
        "D0": [f"linear3(C, C, {d0})", f"linear4(C, C, C, {d0})", f"residual3(C, C, {d0}, {d0})"],
        "DOWN": [f"linear2({down}, down)", f"linear3({down}, {down}, down)", f"residual2({down}, down, down)"],
        "C": [f"linear2({c}, {c})", f"linear3({c}, {c}, {c})", f"residual2({c}, {c}, {c})"],
    }


def _cells(names: Sequence[str]) -> dict[str, list[str]]:
    return {name: ["cell(OP, OP, OP, OP, OP, OP)"] for name in names}


def shared_grammar() -> Grammar:
    """Every non-terminal is derived once; the cells of C, of DOWN and of D0 differ: 3^5 (5^6)^3 derivations."""
    cells = ("CELL_C", "CELL_DOWN", "CELL_D0")
    rules = {**_levels(*cells), **_cells(cells), "OP": list(_OPERATIONS)}
    return Grammar("D2", rules, ("D1", "D0", "DOWN", "C", *cells))


def one_cell_grammar() -> Grammar:
    """Every non-terminal is derived once, and there is one cell: 3^5 5^6 derivations."""
    rules = {**_levels("CELL", "CELL", "CELL"), **_cells(["CELL"]), "OP": list(_OPERATIONS)}
    return Grammar("D2", rules, ("D1", "D0", "DOWN", "C", "CELL"))


def unshared_grammar() -> Grammar:
    """Every cell and every level is derived on its own, with five operations: 10^179.75 derivations."""
    return Grammar("D2", {**_levels("CELL", "CELL", "CELL"), **_cells(["CELL"]), "OP": list(_OPERATIONS)})


def full_grammar() -> Grammar:
    """With activation, convolution and norm of every block; the block is listed twice, as published: 10^446.09."""
    rules = {
        **_levels("CELL", "CELL", "CELL"),
        **_cells(["CELL"]),
        "OP": ["zero", "id", "BLOCK", "BLOCK", "avg_pool"],
        "BLOCK": ["linear3(ACT, CONV, NORM)"],
        "ACT": ["relu", "hardswish", "mish"],
        "CONV": ["conv1x1", "conv3x3", "dconv3x3"],
        "NORM": ["batch", "instance", "layer"],
    }
    return Grammar("D2", rules)
