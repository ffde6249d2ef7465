"""Spaces that a context-free grammar describes: an architecture is a derivation."""

from gennas.spaces.grammar.grammar import Grammar
from gennas.spaces.grammar.space import Derivation, GrammarSpace

__all__ = ["Derivation", "Grammar", "GrammarSpace"]
