"""How other tools write the cells of NAS-Bench-201.

NASLib (Ruchte et al. 2020) counts its operations in an order of its own, and lists the edges as 0-1, 0-2, 0-3, 1-2,
1-3, 2-3 (it numbers nodes from 1). NNI's benchmark tables name an operation for each pair of nodes.

Sources: ``OP_NAMES``, ``EDGE_LIST`` and ``OPS_TO_NB201`` in ``naslib/search_spaces/nasbench201/conversions.py`` of
automl/NASLib; ``Nb201TrialConfig.arch`` in ``nni/nas/benchmark/nasbench201/schema.py`` of microsoft/nni (version 3; in
version 2 ``nni/nas/benchmarks/nasbench201``), whose ``db_gen.py`` says which official operation each name stands for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gennas.errors import InvalidArchitectureError, shown

__all__ = ["from_naslib", "from_nni"]

_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_NASLIB = {
    "Identity": "skip_connect",
    "Zero": "none",
    "ReLUConvBN3x3": "nor_conv_3x3",
    "ReLUConvBN1x1": "nor_conv_1x1",
    "AvgPool1x1": "avg_pool_3x3",
}
_LONGEST = 1000  # no cell is written in more letters
_NNI = {"conv_1x1": "nor_conv_1x1", "conv_3x3": "nor_conv_3x3"}


def from_naslib(text: str) -> str:
    """The official text of NASLib's six indices or names, or of an official text with NASLib's names.

    Raises:
        InvalidArchitectureError: it is none of these.

    Example:
        >>> from_naslib("(4, 0, 3, 1, 4, 3)")
        '|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|'
    """
    if "~" in text:
        return _renamed(text, _NASLIB)
    found, names = _literal(text), list(_NASLIB)
    if not isinstance(found, Sequence) or len(found) != len(_EDGES):
        raise _refused("six of NASLib's indices or operations, such as (4, 0, 3, 1, 4, 3)", text)
    labels = [names[op] if type(op) is int and 0 <= op < len(names) else op for op in found]
    if any(label not in _NASLIB for label in labels):
        raise _refused(f"indices from 0 to 4, or names among {', '.join(names)}", text)
    return _official([_NASLIB[label] for label in labels])


def from_nni(text: str) -> str:
    """The official text of NNI's operations by edge, or of an official text with NNI's names.

    Raises:
        InvalidArchitectureError: it is none of these.

    Example:
        >>> edges = {"0_1": "conv_3x3", "0_2": "none", "1_2": "none", "1_3": "none", "2_3": "none"}
        >>> from_nni(str(edges | {"0_3": "skip_connect"}))
        '|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|'
    """
    if "~" in text:
        return _renamed(text, _NNI)
    found, keys = _literal(text), [f"{u}_{v}" for u, v in _EDGES]
    if not isinstance(found, Mapping) or set(found) != set(keys):
        raise _refused(f"an operation for each of {', '.join(keys)}", text)
    return _official([_NNI.get(str(found[key]), str(found[key])) for key in keys])


def _literal(text: str) -> Any:
    if len(text) > _LONGEST:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _renamed(text: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\w+", lambda match: names.get(match[0], match[0]), text)


def _official(labels: Sequence[str]) -> str:
    at = dict(zip(_EDGES, labels, strict=True))
    return "+".join("".join(f"|{at[u, v]}~{u}" for u in range(v)) + "|" for v in (1, 2, 3))


def _refused(expected: str, text: str) -> InvalidArchitectureError:
    return InvalidArchitectureError(f"nasbench201: expected {expected}, got {shown(text)}.")
