"""Weights & Biases: one run per search, offline without an account."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gennas.graph.draw import draw_png
from gennas.runtime.secrets import redacted
from gennas.search.trial import Trial
from gennas.tracking.base import RunInfo
from gennas.tracking.wandb_run import WandbOptions, default_mode, open_run, place_of

__all__ = ["WandbTracker"]

ARCHIVE_COLUMNS = ("n_evals", "arch", "key", "source", "round", "status", "error")


class WandbTracker:
    """Follows a search as one W&B run of job type ``search``.

    The run's id is a function of the configuration's hash and the seed: continuing a search
    continues its run. Every value is drawn over ``n_evals``, and of an objective the best is the run's
    result; ``cost/*`` (seconds and whatever else trials cost, summed) and ``incumbent/*`` are logged
    beside it, so that any of them can be the axis. At the end the archive goes up as a Table, every
    folder in ``generator`` of the run directory as a version of an Artifact of type ``checkpoint``, the
    best architecture as an Artifact of type ``architecture`` and its drawing as an Image.

    A continued search tells all of its trials again. Online, what the run has logged is not logged
    twice; offline, where W&B cannot continue a run, the newest ``offline-run`` folder is complete
    and the only one to sync.

    Args:
        options: where the run goes; a text is the project.
        run_dir: the search's directory; W&B writes to its folder ``wandb``.
        mode: ``online``, ``offline`` or ``disabled``; by default see :func:`default_mode`.
        settings: further fields of ``wandb.Settings``.
    """

    def __init__(
        self,
        options: WandbOptions | str,
        run_dir: str | Path,
        mode: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.options, self.run_dir = options, Path(run_dir)
        self.mode = mode or default_mode()
        self.settings = dict(settings or {})
        self.place = ""  # where the run is, for a person, once it has begun
        self._run: Any = None
        self._info: RunInfo
        self._rows: list[tuple[Trial, int]] = []
        self._cost: dict[str, float] = {}
        self._incumbent: Trial | None = None
        self._logged = self._logged_round = self._logged_epoch = 0

    def start(self, info: RunInfo) -> None:
        """Open the run."""
        self._info, self._rows, self._cost, self._incumbent = info, [], {}, None
        self._run = open_run(
            self.options,
            self.run_dir,
            job_type="search",
            config=info.config,
            name=info.name,
            group=info.group,
            run_id=run_id(info),
            mode=self.mode,
            settings=self.settings,
        )
        self.place = place_of(self._run, self.mode)
        self._define_metrics()
        if self._run.resumed:
            self._logged = int(self._run.summary.get("n_evals", 0))
            self._logged_round = int(self._run.summary.get("round/n_evals", 0))
            self._logged_epoch = int(self._run.summary.get("supernet/epoch", 0))

    def _define_metrics(self) -> None:
        """The axis of all values, what of each is kept as the run's result, and what needs no chart of its own."""
        self._run.define_metric("n_evals", hidden=True)
        self._run.define_metric("*", step_metric="n_evals")
        for objective in self._info.objectives.objectives:
            for part in ("trial", "incumbent"):
                self._run.define_metric(
                    f"{part}/{objective.metric}", step_metric="n_evals", summary=objective.direction
                )
        self._run.define_metric("supernet/*", step_metric="supernet/epoch")
        self._run.define_metric("trial/ok", step_metric="n_evals", summary="mean")
        for name in ("round/n_evals", "round/round"):
            self._run.define_metric(name, step_metric="n_evals", hidden=True)

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Log the trial's metrics, the incumbent's and the cost so far."""
        self._rows.append((trial, n_evals))
        self._incumbent = incumbent
        for name, spent in trial.cost.items():
            self._cost[name] = self._cost.get(name, 0.0) + spent
        if n_evals <= self._logged:
            return
        record: dict[str, Any] = {"n_evals": n_evals, "trial/ok": float(trial.ok)}
        record |= {f"trial/{name}": value for name, value in trial.metrics.items()}
        record |= {f"cost/{name}": value for name, value in self._cost.items()}
        record |= {f"incumbent/{name}": value for name, value in (incumbent.metrics if incumbent else {}).items()}
        self._run.log(record)

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Log a generator round."""
        if n_evals > self._logged_round:
            values = {f"round/{name}": value for name, value in record.items()}
            self._run.log({"n_evals": n_evals, **values, "round/n_evals": n_evals})

    def on_training(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log an epoch of a supernet's training, over ``supernet/epoch``."""
        if epoch > self._logged_epoch:
            self._logged_epoch = epoch
            record = {f"supernet/{name}": value for name, value in values.items()}
            self._run.log({**record, "supernet/epoch": epoch})

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Upload archive, generator and best architecture, and close the run."""
        import wandb

        metrics = sorted({name for trial, _ in self._rows for name in trial.metrics})
        rows = [self._row(trial, n_evals, metrics) for trial, n_evals in self._rows]
        last: dict[str, Any] = {"archive": wandb.Table(columns=[*ARCHIVE_COLUMNS, *metrics], data=rows)}
        if self._incumbent is not None:
            last["best/drawing"] = self._drawing(self._incumbent)
        last |= self._learning_curves()
        prompts = summary.get("llm_prompts", [])
        if prompts:
            columns = list(prompts[0])
            last["llm/prompts"] = wandb.Table(
                columns=columns, data=[[row[name] for name in columns] for row in prompts]
            )
        summary = {name: value for name, value in summary.items() if name != "llm_prompts"}
        self._run.log({"n_evals": len(rows), **last})
        self._log_artifacts()
        self._run.summary.update(redacted(summary))
        self._run.finish()

    def _learning_curves(self) -> dict[str, Any]:
        """A table of all epochs, and a chart of each curve over them; nothing where no trial has one."""
        import wandb

        names = list(dict.fromkeys(name for trial, _ in self._rows for name in trial.curves))
        if not names:
            return {}
        rows = [
            [n_evals, epoch, *(trial.curves[name][epoch - 1] if name in trial.curves else None for name in names)]
            for trial, n_evals in self._rows
            for epoch in range(1, 1 + min((len(curve) for curve in trial.curves.values()), default=0))
        ]
        table = wandb.Table(columns=["n_evals", "epoch", *names], data=rows)
        charts = {f"curves/{n}": wandb.plot.line(table, "epoch", n, stroke="n_evals", title=n) for n in names}
        return {"learning_curves": table, **charts}

    def _row(self, trial: Trial, n_evals: int, metrics: list[str]) -> list[Any]:
        origin, arch = trial.proposal.origin, trial.arch
        head = [n_evals, self._info.text(arch), arch.key, origin.source, origin.round, trial.status, trial.error]
        return [*head, *(trial.metrics.get(name) for name in metrics)]

    def _drawing(self, trial: Trial) -> Any:
        import wandb

        file = self.run_dir / "wandb" / "best.png"
        file.parent.mkdir(exist_ok=True)
        draw_png(trial.arch, file)
        return wandb.Image(str(file), caption=self._info.text(trial.arch))

    def _log_artifacts(self) -> None:
        import wandb

        rounds = sorted(path for path in (self.run_dir / "generator").glob("*") if path.is_dir())
        for folder in rounds:
            checkpoint = wandb.Artifact(f"generator-{self._run.id}", type="checkpoint")
            checkpoint.add_dir(str(folder))
            self._run.log_artifact(checkpoint, aliases=[folder.name, *(["latest"] if folder == rounds[-1] else [])])
        if self._incumbent is not None:
            best = wandb.Artifact(
                f"architecture-{self._run.id}",
                type="architecture",
                metadata={"text": self._info.text(self._incumbent.arch), **self._incumbent.metrics},
            )
            with best.new_file("architecture.json") as file:
                file.write(self._incumbent.arch.to_json())
            self._run.log_artifact(best, aliases=["best"])


def run_id(info: RunInfo) -> str:
    """The W&B id of a search: sixteen hexadecimal digits made of its configuration's hash and seed."""
    return hashlib.blake2b(f"{info.config_hash}:{info.seed}".encode(), digest_size=8).hexdigest()
