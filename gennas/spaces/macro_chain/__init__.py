"""A chain of convolution layers with variable depth, operation, kernel, width and stride."""

from gennas.spaces.macro_chain.space import Layer, MacroChain

__all__ = ["Layer", "MacroChain"]
