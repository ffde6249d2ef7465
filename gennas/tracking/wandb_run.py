"""Opening a W&B run: where it goes, what W&B may say, and where it is found afterwards."""

from __future__ import annotations

import netrc
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gennas.runtime.secrets import redacted

_HOSTS = {"api.wandb.ai", "api.forge.coreweave.com"}  # W&B's own, until and since version 0.31

__all__ = ["WandbOptions", "default_mode", "open_run", "place_of"]


@dataclass(frozen=True)
class WandbOptions:
    """Where W&B files a run. What is empty is taken from W&B's own environment variables.

    Args:
        project: else ``WANDB_PROJECT``, else ``gennas``.
        entity: a user or a team; else ``WANDB_ENTITY``, else the account's own.
        group: else ``WANDB_RUN_GROUP``, else what belongs together.
        tags: else ``WANDB_TAGS``, separated by commas.
        notes: else ``WANDB_NOTES``.

    Example:
        >>> WandbOptions("mine", tags=("a", "b")).resolved({"WANDB_PROJECT": "theirs", "WANDB_ENTITY": "team"})
        WandbOptions(project='mine', entity='team', group='', tags=('a', 'b'), notes='')
    """

    project: str = ""
    entity: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""

    def resolved(self, environment: Mapping[str, str] | None = None) -> WandbOptions:
        """With the environment's values where there is none."""
        found = os.environ if environment is None else environment
        tags = tuple(tag.strip() for tag in found.get("WANDB_TAGS", "").split(",") if tag.strip())
        return WandbOptions(
            self.project or found.get("WANDB_PROJECT") or "gennas",
            self.entity or found.get("WANDB_ENTITY", ""),
            self.group or found.get("WANDB_RUN_GROUP", ""),
            self.tags or tags,
            self.notes or found.get("WANDB_NOTES", ""),
        )


def open_run(
    options: WandbOptions | str,
    run_dir: Path,
    *,
    job_type: str,
    config: Mapping[str, Any],
    name: str = "",
    group: str = "",
    run_id: str | None = None,
    mode: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Begin a W&B run, or continue the one of that id; nothing is printed.

    Args:
        options: where it goes; a text is the project.
        run_dir: W&B writes to its folder ``wandb``.
        job_type: ``search``, ``train`` or ``compare``.
        config: nested plain values; secrets are blacked out.
        name: how a person tells the run.
        group: for runs that belong together, where neither the options nor the environment name one.
        run_id: by default W&B makes one up.
        mode: ``online``, ``offline`` or ``disabled``; by default see :func:`default_mode`.
        settings: further fields of ``wandb.Settings``.
    """
    import wandb

    where = (WandbOptions(options) if isinstance(options, str) else options).resolved()
    mode = mode or default_mode()
    run_dir.mkdir(parents=True, exist_ok=True)
    wandb.setup(wandb.Settings(silent=True))  # before it logs in, which it would talk about
    return wandb.init(
        project=where.project,
        entity=where.entity or None,
        id=run_id,
        name=name or None,
        group=where.group or group or None,
        tags=list(where.tags) or None,
        notes=where.notes or None,
        job_type=job_type,
        config=redacted(config),
        dir=str(run_dir),
        mode=mode,  # type: ignore[arg-type,unused-ignore]
        resume="allow" if mode == "online" and run_id else None,
        settings=wandb.Settings(silent=True, console="off", init_timeout=30, **dict(settings or {})),
    )


def place_of(run: Any, mode: str | None = None) -> str:
    """Where a person finds a run: its address, or its folder and the command that uploads it."""
    mode = mode or default_mode()
    if mode == "disabled":
        return ""
    if mode == "online" and run.url:
        return f"W&B: {run.url}"
    folder = Path(run.dir).parent
    return f"W&B, offline: {folder}\nUpload: wandb sync {shlex.quote(str(folder))}"


def default_mode() -> str:
    """``WANDB_MODE`` if it is set, else ``online`` if there are credentials, else ``offline``."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    named = any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    return "online" if named or _in_netrc() else "offline"


def _in_netrc() -> bool:
    """Whether the user has logged in: ``wandb login`` leaves an entry in the netrc file."""
    own = os.environ.get("WANDB_BASE_URL")
    wanted = {urlsplit(own).hostname} if own else _HOSTS
    try:
        return bool(wanted & set(netrc.netrc(os.environ.get("NETRC")).hosts))
    except (OSError, netrc.NetrcParseError):
        return False
