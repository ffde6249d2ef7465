"""Training a supernet, by the trainer that trains every network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.base import Fidelity
from gennas.eval.hardware import resolve_device
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.training.fidelity import scale_space, scale_spec
from gennas.training.recipe import TrainConfig
from gennas.training.state import STATE_FILE
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.files import load_supernet, save_supernet
from gennas.training.supernet.methods import Routed, make_step, make_supernet, method_text, read_options
from gennas.training.supernet.records import SupernetRecord, read_record
from gennas.training.task import Task
from gennas.training.trainer import EpochListener, Trainer

__all__ = ["train_supernet"]


def train_supernet(
    space: Space,
    task: Task,
    directory: str | Path,
    method: str = "spos",
    options: Mapping[str, Any] | None = None,
    config: TrainConfig | None = None,
    fidelity: Fidelity | None = None,
    seed: int = 0,
    *,
    checkpointing: bool = False,
    settings: Mapping[str, Any] | None = None,
    on_epoch: EpochListener | None = None,
) -> tuple[Supernet, SupernetRecord]:
    """Train the shared weights of a space's networks, and keep them in a directory.

    A training that was interrupted goes on from its last epoch, and ends in the weights of one that was not (on a CPU
    with a fixed number of threads). A directory whose training is at its end is read.

    Args:
        space: whose networks share weights.
        task: what they are trained for.
        directory: for the supernet, and for the state of its training.
        method: a name of :data:`gennas.training.supernet.methods.METHODS`.
        options: of the method.
        config: the recipe; the last epoch's weights count.
        fidelity: share of the data, size of images, channels.
        seed: of weights, paths and the order of batches.
        checkpointing: see :class:`Supernet`.
        settings: how space and task are made again, to be kept with it.
        on_epoch: as of :meth:`Trainer.fit`, with the step's figures; validation is along the method's own route.

    Raises:
        ConfigError: the space has no supernet, the task does not fit, or weights of the ``best`` epoch are wanted.
        CheckpointError: the directory holds another training.
        EvaluationError: the training fails.
    """
    directory, options, fidelity = Path(directory), read_options(options or {}, space), fidelity or Fidelity()
    config = config or task.config
    if config.select != "last":
        raise ConfigError(
            "Expected select=last for a supernet, whose paths have no best epoch in common, got select=best."
        )
    scaled, spec = scale_space(space, fidelity.width, fidelity.depth), scale_spec(task.spec, fidelity)
    named = method_text(method, options)
    identity = {"space": space.identity, "method": named}
    if (directory / "supernet.json").exists():
        record = read_record(directory)
        _require(record, identity, task, config, fidelity, seed, directory)
        return load_supernet(directory, space, task.spec), record
    device = resolve_device(config.device)
    with seeded(seed, device):
        supernet = make_supernet(named, scaled, spec, checkpointing)
    step = make_step(method, scaled, spec, seed, **options)
    trainer = Trainer(task, config, step, identity)
    begun = directory if (directory / STATE_FILE).exists() else None
    epochs: list[Mapping[str, float]] = []

    def tell(epoch: int, values: Mapping[str, float]) -> None:
        epochs.append(values)
        if on_epoch is not None:
            on_epoch(epoch, values)

    result = trainer.fit(Routed(supernet, step), fidelity, seed, resume_from=begun, save_to=directory, on_epoch=tell)
    record = SupernetRecord(
        space.identity,
        f"{task.name}; {task.split}",
        named,
        config.to_dict(),
        fidelity.to_dict(),
        seed,
        result.epochs,
        result.seconds,
        "",
        {name: [values.get(name) for values in epochs] for name in dict.fromkeys(n for e in epochs for n in e)},
        dict(settings or {}),
    )
    save_supernet(supernet, record, directory)
    return supernet.eval(), read_record(directory)


def _require(
    record: SupernetRecord,
    identity: Mapping[str, str],
    task: Task,
    config: TrainConfig,
    fidelity: Fidelity,
    seed: int,
    directory: Path,
) -> None:
    """Refuse a directory whose supernet is another.

    Raises:
        CheckpointError: it is.
    """
    wanted = {
        **identity,
        "task": f"{task.name}; {task.split}",
        "recipe": config.to_dict(),
        "fidelity": fidelity.to_dict(),
        "seed": seed,
    }
    differing = [name for name, value in wanted.items() if getattr(record, name) != value]
    if differing:
        raise CheckpointError(
            f"{directory} holds another supernet ({', '.join(differing)} differ). Use a new --out or the same settings."
        )
