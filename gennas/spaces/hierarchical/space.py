"""Hierarchical NAS-Bench-201: blocks, stages and the whole are searched with the cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from gennas.errors import ConfigError, shown
from gennas.spaces.base import SPACES
from gennas.spaces.grammar import Grammar, GrammarSpace
from gennas.spaces.hierarchical.grammars import full_grammar, one_cell_grammar, shared_grammar, unshared_grammar

__all__ = ["Hierarchical"]

GrammarName = Literal["shared", "one-cell", "unshared", "full"]
_GRAMMARS: Mapping[str, Callable[[], Grammar]] = {
    "shared": shared_grammar,
    "one-cell": one_cell_grammar,
    "unshared": unshared_grammar,
    "full": full_grammar,
}


@SPACES.register("hierarchical")
class Hierarchical(GrammarSpace):
    r"""Cells of NAS-Bench-201 in blocks, blocks in stages, stages in networks, each level a choice of three.

    After Schrodi et al., "Construction of Hierarchical Neural Architecture Search Spaces based on Context-free
    Grammars", NeurIPS 2023, arXiv 2211.01842 (hNAS-NB201). A network D2 is a row of stages D1, which halve the image,
    and D0; stages are rows of blocks C, with or without a path beside them; blocks are made of cells, and cells of six
    operations. The grammars:

    - ``shared`` (default): every non-terminal is derived once and used wherever it stands, and the cells of C, DOWN and
      D0 differ: :math:`3^5 (5^6)^3 = 926{,}971{,}435{,}546{,}875` networks in 23 decisions.
    - ``one-cell``: one cell for all: :math:`3^5\, 5^6 = 3{,}796{,}875` networks in 11 decisions.
    - ``unshared``: everything is derived on its own: :math:`10^{179.75}` networks in 271 decisions.
    - ``full``: the published grammar, with activation, convolution and norm of each block (listed twice, as there):
      :math:`10^{446.09}` derivations in 1,027 decisions. Random search and local moves work; generative models are
      meant for the smaller ones.

    Args:
        grammar: ``shared``, ``one-cell``, ``unshared`` or ``full``.
        width: channels after the first convolution, doubled at each of two halvings.

    Example:
        >>> space = Hierarchical()
        >>> space.size, space.schema.num_decisions
        (926971435546875, 23)
        >>> one = Hierarchical("one-cell")
        >>> arch = one.from_text(
        ...     "D2:0 D1:0 D0:0 DOWN:0 C:2 CELL(OP:id OP:zero OP:id OP:zero OP:zero OP:nor_conv_3x3)"
        ... )
        >>> len(one.neighbours(arch))
        34
    """

    name = "hierarchical"

    def __init__(self, grammar: GrammarName = "shared", width: int = 16) -> None:
        if grammar not in _GRAMMARS:
            raise ConfigError(f"hierarchical: expected a grammar out of {', '.join(_GRAMMARS)}, got {shown(grammar)}.")
        self.grammar_name: GrammarName = grammar
        super().__init__("hierarchical", _GRAMMARS[grammar](), width)

    def _with_width(self, width: int) -> Hierarchical:
        return Hierarchical(self.grammar_name, width)
