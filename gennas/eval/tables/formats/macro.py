"""NAS-Bench-Macro: 6,561 chains of eight layers trained on CIFAR-10, from ``nas-bench-macro_cifar10.json``.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021, arXiv 2103.11922.
The structure is ``{"22212220": {"test_acc": [three numbers], "mean_acc", "std", "params", "flops"}}``; each digit is a
layer: 0 identity, 1 MobileNetV2 block of kernel 3 and expansion 3, 2 of kernel 5 and expansion 6.
"""

from __future__ import annotations

import re
from typing import Any

from gennas.errors import TableError, shown
from gennas.eval.tables.formats.base import Rows, Source, number

__all__ = ["is_macro", "read_macro"]

_TEXT = re.compile(r"[012]{8}")


def is_macro(content: Any) -> bool:
    """Whether a JSON object has the structure."""
    first = next(iter(content.items())) if isinstance(content, dict) and content else ("", None)
    return bool(_TEXT.fullmatch(first[0])) and isinstance(first[1], dict)


def read_macro(source: Source, content: dict[str, Any]) -> Rows:
    """One row for each of the strings; several mean the same network and then have the same values.

    Raises:
        TableError: another structure.
    """
    rows = []
    for text, entry in content.items():
        try:
            if not _TEXT.fullmatch(text):
                raise ValueError("expected eight digits 0, 1 or 2")
            row = {
                "test_accuracy": number(entry["mean_acc"]),
                "test_accuracy_std": number(entry["std"]),
                "params": number(entry["params"]),
                "flops": number(entry["flops"]),
            }
            if source.seeds:
                row |= {f"test_accuracy_seed{i}": number(value) for i, value in enumerate(entry["test_acc"])}
            rows.append({"arch": text, **row})
        except (KeyError, TypeError, ValueError) as error:
            raise TableError(
                f"{source.name}: architecture {shown(text[:40])}: expected test_acc, mean_acc, std, params and flops "
                f"({type(error).__name__}: {error})."
            ) from error
    names = dict.fromkeys(name for row in rows for name in row)
    return Rows({name: [row.get(name) for row in rows] for name in names}, "nasbench-macro")
