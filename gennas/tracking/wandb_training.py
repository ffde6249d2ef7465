"""Weights & Biases: one run per training, a point per epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gennas.eval.base import Metric
from gennas.tracking.base import Guard
from gennas.tracking.wandb_run import WandbOptions, open_run, place_of

__all__ = ["WandbTraining"]


class WandbTraining:
    """Follows one training as a W&B run of job type ``train``.

    Curves (``train/loss``, ``val/loss``, ``val/accuracy`` or what else the task is scored by) are drawn over ``epoch``;
    what was measured at the end (accuracies, parameters, latency, …) is the run's summary, with the units in its
    configuration. A failure of W&B warns once and does not stop the training.

    Args:
        options: where the run goes; a text is the project.
        run_dir: W&B writes to its folder ``wandb``.
        mode: ``online``, ``offline`` or ``disabled``.
        settings: further fields of ``wandb.Settings``.
    """

    def __init__(
        self,
        options: WandbOptions | str,
        run_dir: str | Path,
        mode: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.options, self.run_dir, self.mode, self.settings = options, Path(run_dir), mode, settings
        self.place = ""
        self._run: Any = None
        self._guard = Guard("The training goes on.")

    def start(self, config: Mapping[str, Any], name: str = "", metrics: Mapping[str, Metric] | None = None) -> None:
        """Begin the run.

        Args:
            config: nested plain values.
            name: how a person tells the run.
            metrics: what will be measured at the end.
        """
        units = {m.name: m.unit for m in (metrics or {}).values() if m.unit}
        goals: dict[str, str] = {"train_loss": "min", "val_loss": "min", "val_accuracy": "max"}
        goals |= {m.name: m.direction for m in (metrics or {}).values() if m.name.startswith("val_")}
        self._guard(lambda: self._open({**config, "units": units}, name, goals))

    def _open(self, config: Mapping[str, Any], name: str, goals: Mapping[str, str]) -> None:
        self._run = open_run(
            self.options, self.run_dir, job_type="train", config=config, name=name, mode=self.mode,
            settings=self.settings,
        )  # fmt: skip
        self.place = place_of(self._run, self.mode)
        self._run.define_metric("epoch", hidden=True)
        self._run.define_metric("*", step_metric="epoch")  # figures of the training's step among them
        for metric, goal in goals.items():
            self._run.define_metric(_curve(metric), step_metric="epoch", summary=goal)

    def on_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log an epoch, counted from 1."""
        record = {_curve(name): value for name, value in values.items()}
        self._guard(lambda: self._run.log({"epoch": epoch, **record}))

    def finish(self, values: Mapping[str, float], failed: bool = False) -> None:
        """Keep what was measured, and end the run, as a failed one if the training failed."""

        def end() -> None:
            self._run.summary.update(dict(values))
            self._run.finish(exit_code=int(failed))

        self._guard(end)


def _curve(name: str) -> str:
    """``val/loss`` of ``val_loss``."""
    return name.replace("_", "/", 1) if name.startswith(("train_", "val_")) else name
