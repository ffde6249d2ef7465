"""Vision transformers whose layers choose their heads and MLP ratios (AutoFormer)."""

from gennas.spaces.autoformer.space import AutoFormer, AutoFormerBase, AutoFormerSmall, AutoFormerTiny

__all__ = ["AutoFormer", "AutoFormerBase", "AutoFormerSmall", "AutoFormerTiny"]
