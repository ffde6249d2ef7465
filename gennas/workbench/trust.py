"""Reading somebody's run directory must not run their code: which settings lead to code, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gennas.errors import ConfigError, UnknownNameError
from gennas.models.llm.connect import model_of
from gennas.registry import location_of
from gennas.runtime.seal import is_sealed, seal

__all__ = ["code_names", "refuse_foreign_code", "seal_settings"]

# Settings in which a colon does not lead to code.
_PLAIN = (
    "objective", "constraint", "cheap", "report", "limit", "out", "enqueue", "ingest", "version",
    "feature_table", "warm_from", "prior",
    "wandb_project", "wandb_entity", "wandb_group", "wandb_tags", "wandb_notes",
)  # fmt: skip

# Settings that may say that they were given as an object; nothing is imported for these.
_PARTS = ("space", "task", "evaluator", "strategy")


def code_names(settings: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the settings that may be imported as code, by the setting that holds them.

    Whatever has a colon counts, wherever it stands in a part's name or its options: only registered names have none.

    Example:
        >>> code_names({"task": "os:system", "space": "nasbench201", "objective": ["val_accuracy:max"]})
        {'os:system': 'task'}
    """
    return {
        text: name
        for name, value in _without_models(settings).items()
        if name not in _PLAIN and not (name in _PARTS and str(value).startswith("object:"))
        for text in _texts(value)
        if ":" in text
    }


def _without_models(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose language model stands there only where it is code: addresses and names of models are none."""
    found = dict(settings)
    for name in ("strategy_option", "option"):
        value = settings.get(name)
        if isinstance(value, Mapping) and isinstance(model := value.get("model"), (str, Mapping)):
            with suppress(ConfigError, UnknownNameError):
                found[name] = {**value, "model": model_of(model).code}
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (part.strip() for part in value.split(","))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(str(key))
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def seal_settings(written: str, settings: Mapping[str, Any]) -> str:
    """A digest by which this user's own settings, and the places of the code that they name, are recognised.

    Args:
        written: the settings as they are kept.
        settings: the same as plain values.
    """
    return seal(_sealed_text(written, settings))


def refuse_foreign_code(
    settings: Mapping[str, Any],
    where: Path,
    written: str = "",
    digest: str | None = None,
    own: Sequence[str] = (),
    advice: str = "give --trust",
) -> None:
    """Refuse settings that name code, unless this user wrote them and the code is where it was.

    Args:
        settings: plain values, as they were read.
        where: they stand, for the message.
        written: the settings as they are kept.
        digest: what :func:`seal_settings` said of them.
        own: settings that the user gives in place of these.
        advice: what somebody who knows the code can do.

    Raises:
        ConfigError: they do, and were written by somebody else, or have changed since.
    """
    names = code_names({name: value for name, value in settings.items() if name not in own})
    if not names or (digest and is_sealed(_sealed_text(written, settings), digest)):
        return
    listed = ", ".join(f"{setting}: {text}" for text, setting in names.items())
    raise ConfigError(
        f"{where} names code outside of gennas ({listed}), and was not written by you, here, with that code where it "
        f"is now. Nothing of it was run. If you know it, {advice}."
    )


def _sealed_text(written: str, settings: Mapping[str, Any]) -> str:
    places = {name: location_of(name) for name in sorted(code_names(settings))}
    return json.dumps([written, places], sort_keys=True)
