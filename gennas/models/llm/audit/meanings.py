"""What operations do, in words that do not name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gennas.errors import ConfigError
from gennas.models.llm.decisions import Decisions

__all__ = ["labels_of", "meaning_of", "meanings_of"]

_WORDS = {
    "conv": "a learned weighted sum over a window, then normalisation and a threshold at zero",
    "sep": "applied to each channel by itself first",
    "dil": "with gaps between the places that it looks at",
    "avg": "the mean over a window",
    "max": "the largest value over a window",
    "pool": "without weights",
    "maxpool": "the largest value over a window, without weights",
    "avgpool": "the mean over a window, without weights",
    "edge": "joined",
    "skip": "passes its input on unchanged",
    "identity": "passes its input on unchanged",
    "none": "passes nothing on",
    "zero": "passes nothing on",
    "gcn": "the degree-normalised mean over neighbours, then a learned linear map",
    "gat": "a mean over neighbours with learned weights that depend on both ends",
    "gin": "the sum over neighbours, then a learned map of two layers",
    "sage": "a learned map of a node beside one of its neighbours' mean",
    "cheb": "a learned polynomial of the normalised Laplacian",
    "arma": "a learned recursive filter over neighbours",
    "graph": "a learned map of a node plus one of its neighbours' sum",
    "fc": "a learned linear map of each node by itself",
    "relu": "a threshold at zero",
    "input": "what comes in",
    "output": "what goes out",
}
_SILENT = {"nor", "bn", "connect", "connection", "3d", "op"}  # words that add nothing to the others


def meaning_of(name: str) -> str | None:
    """A description of an operation from the parts of its name; None where a part is not known. Numbers stay.

    Example:
        >>> meaning_of("avg_pool_3x3"), meaning_of("skip_connect"), meaning_of("mystery")
        ('the mean over a window, without weights, 3 by 3', 'passes its input on unchanged', None)
    """
    found = []
    for part in re.findall(r"[a-z]+|\d+(?:\.\d+)?(?:x\d+)?", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()):
        if part[0].isdigit():
            found.append(part.replace("x", " by "))
        elif part in _WORDS:
            found.append(_WORDS[part])
        elif part not in _SILENT:
            return None
    return ", ".join(found) or None


def labels_of(decisions: Decisions) -> list[str]:
    """Names of all labels that a decision may take, each once."""
    return list(dict.fromkeys(decisions.schema.label(t, int(s)) for t, row in enumerate(decisions.labels) for s in row))


def meanings_of(labels: Iterable[str], given: Mapping[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    """A meaning of each label, ``given`` or from its name, and the labels that have none.

    Raises:
        ConfigError: two labels with the same meaning.
    """
    known = {label: (given or {}).get(label) or meaning_of(label) for label in labels}
    found = {label: meaning for label, meaning in known.items() if meaning}
    if len(set(found.values())) < len(found):
        twice = next(m for m in found.values() if list(found.values()).count(m) > 1)
        raise ConfigError(f"Expected different meanings of different labels, got several times: {twice}.")
    return found, [label for label in known if label not in found]
