"""What a class was called with, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["arguments_of"]


def arguments_of(cls: type, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were given, by their names; those of ``**`` stand among the others.

    Nothing where they are wrong, which the constructor refuses, and for a copy, which brings its own.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> arguments_of(NASBench201, (3,), {"width": 4})
        {'num_cells': 3, 'width': 4}
    """
    try:
        signature = inspect.signature(cls)
        given = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        return {}
    any_name = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
    return given | given.pop(any_name, {}) if any_name else given
