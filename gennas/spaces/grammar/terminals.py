"""The names that rules of a grammar may use: what they take, without what they build."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["TERMINALS"]

_COMPOSED = {
    **{f"linear{n}": n for n in range(2, 9)},
    **{f"residual{n}": n + 1 for n in range(1, 9)},
    **{f"sum{n}": n for n in range(2, 5)},
    "cell": 6,
}
_LEAVES = (
    "zero", "id", "nor_conv_1x1", "nor_conv_3x3", "sep_conv_3x3", "avg_pool", "max_pool", "down",
    "conv1x1", "conv3x3", "dconv3x3", "relu", "hardswish", "mish", "gelu", "batch", "instance", "layer",
)  # fmt: skip
TERMINALS: Mapping[str, int] = {**_COMPOSED, **dict.fromkeys(_LEAVES, 0)}
"""How many parts each takes (the modules are in :mod:`gennas.spaces.grammar.networks`).

``linearN``: N parts in a row. ``residualN``: N parts in a row, and one more beside them, added. ``sumN``: N parts
beside each other, added. ``cell``: the six edges of a NAS-Bench-201 cell, 0→1, 0→2, 1→2, 0→3, 1→3, 2→3. ``down``
doubles the channels and halves the image; all others keep both. ``nor_conv_…`` and ``sep_conv_…`` bring activation and
norm with them; ``conv…`` and ``dconv3x3`` (depthwise, then pointwise) are bare.
"""
