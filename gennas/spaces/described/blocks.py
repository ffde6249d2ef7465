"""The blocks that a YAML space may use, and what they can be told; the modules are in ``networks``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gennas.errors import ConfigError

__all__ = ["ACTIVATIONS", "BLOCKS", "NETWORKS", "Argument", "Template", "known_name"]

ACTIVATIONS = ("relu", "gelu", "hardswish", "silu")


@dataclass(frozen=True)
class Argument:
    """What a block or a network can be told: a default (None: as it comes in), the least number, or the words."""

    default: float | str | None
    least: float = 1
    words: tuple[str, ...] = ()
    whole: bool = True

    def check(self, where: str, value: Any) -> None:
        """Refuse a value that it cannot have.

        Raises:
            ConfigError: it cannot.
        """
        if self.words:
            ok, expected = value in self.words, f"one of {', '.join(self.words)}"
        else:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            ok = number and value >= self.least and (not self.whole or float(value).is_integer())
            expected = f"a {'whole ' if self.whole else ''}number of at least {self.least:g}"
        if not ok:
            raise ConfigError(f"{where}: expected {expected}, got {value!r:.60}.")


@dataclass(frozen=True)
class Template:
    """A block or a network by name: where it belongs, and its arguments."""

    on: str
    arguments: Mapping[str, Argument]


_ACTIVATION = {"activation": Argument("relu", words=ACTIVATIONS)}
_CONV = {"kernel": Argument(3), "width": Argument(None), "stride": Argument(1), **_ACTIVATION}
BLOCKS: Mapping[str, Template] = {
    "conv": Template("images", _CONV),
    "separable": Template("images", _CONV),
    "inverted": Template("images", {**_CONV, "expansion": Argument(4, 0.1, whole=False)}),
    "max_pool": Template("images", {"kernel": Argument(3), "stride": Argument(1)}),
    "avg_pool": Template("images", {"kernel": Argument(3), "stride": Argument(1)}),
    "attention": Template("tokens", {"heads": Argument(4), "head_width": Argument(None)}),
    "mlp": Template(
        "tokens", {"ratio": Argument(4, 0.01, whole=False), "activation": Argument("gelu", words=ACTIVATIONS)}
    ),
    "token_conv": Template("tokens", {"kernel": Argument(3)}),
    "identity": Template("", {}),
}
"""Blocks by name. On ``images``: ``conv`` (then norm and activation), ``separable`` (depthwise, then pointwise),
``inverted`` (expand, depthwise, project; residual where shapes agree), ``max_pool``, ``avg_pool``. On ``tokens``, each
with a layer norm before it and added to its input: ``attention`` (``head_width`` is by default the width divided by the
heads), ``mlp``, ``token_conv`` (depthwise over neighbouring tokens). ``identity`` belongs everywhere."""

NETWORKS: Mapping[str, Template] = {
    "images": Template("images", {"width": Argument(16)}),
    "patches": Template("tokens", {"width": Argument(64), "patch": Argument(2)}),
    "tokens": Template("tokens", {"width": Argument(64)}),
}
"""What stands around the layers. ``images``: a 3x3 convolution before, the mean and a linear classifier behind them.
``patches``: images cut into patches with learned positions, the mean and a classifier. ``tokens``: embedded tokens with
learned positions (layers look back only where the next token is predicted), an output for each or for their mean."""


def known_name(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known, with a near one.

    Raises:
        ConfigError: it is not.
    """
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ConfigError(f"unknown {what} {name!r:.60}. {hint}Known: {', '.join(names) or 'none'}.")
