"""The state of a training in one safetensors file, and a bounded folder of such files.

A state holds everything that the next epoch depends on: weights and buffers, the weights kept so far, the
optimiser, the place in the schedule, random generators and the curves. A training that is continued from it
gives what the undisturbed one gives.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gennas.errors import CheckpointError, ConfigError, listed, reason_of, shown
from gennas.eval.base import Fidelity
from gennas.runtime.files import draft, write_atomically
from gennas.training.scores import Accuracy, Score

__all__ = ["Progress", "StateStore", "TrainingState", "load_state", "save_state"]

STATE_FILE = "state.safetensors"
_RECORD = "gennas"  # key of the JSON text in the file's header
_LARGEST = 1e300  # integers of JSON can be larger than any float


@dataclass(frozen=True, eq=False)
class TrainingState:
    """A training between two epochs.

    Args:
        tensors: by dotted name: ``network.…``, ``kept.…``, ``optimizer.<parameter>.…``, ``rng.…``.
        record: plain values: ``identity`` of the training, curves, steps, seconds.
    """

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]

    @classmethod
    def of(cls, parts: Mapping[str, Mapping[str, Tensor]], record: Mapping[str, Any]) -> TrainingState:
        """The state of named parts, which :meth:`part` gives back."""
        return cls({f"{part}.{name}": t for part, tensors in parts.items() for name, t in tensors.items()}, record)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors under ``name.``, by the rest of their names."""
        return {key.removeprefix(f"{name}."): t for key, t in self.tensors.items() if key.startswith(f"{name}.")}

    def require(self, identity: Mapping[str, Any], where: Path) -> None:
        """Refuse to continue another training.

        Raises:
            CheckpointError: task, recipe, fidelity (but for epochs), seed or device differ.
        """
        there = self.record["identity"]
        names = [n for n in {**there, **identity} if there.get(n) != identity.get(n)]
        if names:
            changes = listed(
                [f"{n}: {shown(there.get(n), 60)} there, {shown(identity.get(n), 60)} now" for n in names], 4, 200
            )
            raise CheckpointError(
                f"{where} holds the state of another training ({changes}). "
                "Continue with the settings it was begun with, or start anew in another directory."
            )


@dataclass
class Progress:
    """How far a training has come.

    Args:
        scores: what the validation part is scored by, the primary first.
        curves: one value per epoch of ``train_loss``, ``val_loss`` and ``val_<score>`` for every score.
        selected_epoch: the epoch whose weights count, from 1 on.
        kept: these weights, where they are not just the last ones.
        resumed_epoch: epochs that were run by an earlier training.
        earlier_s: its wall time.
        watched: figures of the step (:class:`~gennas.training.step.WatchedStep`) after every epoch.
    """

    scores: tuple[type[Score], ...] = (Accuracy,)
    curves: dict[str, list[float]] = field(default_factory=dict)
    selected_epoch: int = 0
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    resumed_epoch: int = 0
    earlier_s: float = 0.0
    watched: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("train_loss", "val_loss", *(f"val_{score.name}" for score in self.scores)):
            self.curves.setdefault(name, [])
        self.watched = [*self.watched, *({} for _ in range(self.epochs - len(self.watched)))]  # older states have none

    @classmethod
    def of(cls, state: TrainingState, device: torch.device, scores: tuple[type[Score], ...] = (Accuracy,)) -> Progress:
        """That of a training which goes on from a state, its kept weights on ``device``."""
        record, kept = state.record, {name: t.to(device) for name, t in state.part("kept").items()}
        curves = {name: list(record[name]) for name in cls(scores).curves}
        epochs = len(curves["train_loss"])
        watched = [dict(figures) for figures in record.get("watched", [])][:epochs]
        return cls(scores, curves, record["selected_epoch"], kept, epochs, record["seconds"], watched)

    @property
    def epochs(self) -> int:
        """Epochs so far."""
        return len(self.curves["train_loss"])

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best so far: by the primary validation score, ties by validation loss."""
        primary, sign = self.scores[0], 1.0 if self.scores[0].direction == "max" else -1.0
        pairs = zip(self.curves[f"val_{primary.name}"], self.curves["val_loss"], strict=True)
        ranks = [(sign * value, -loss) for value, loss in pairs]
        return len(ranks) == 1 or ranks[-1] > max(ranks[:-1])

    def add(self, values: Mapping[str, float], watched: Mapping[str, float] | None = None) -> None:
        """Append the figures of an epoch to the curves, and those of the step that are finite."""
        for name, curve in self.curves.items():
            curve.append(values[name])
        self.watched.append({name: value for name, value in (watched or {}).items() if math.isfinite(value)})

    def figures(self, epoch: int) -> dict[str, float]:
        """Losses and scores of an epoch, counted from 1, and what the step noted."""
        return {name: curve[epoch - 1] for name, curve in self.curves.items()} | self.watched[epoch - 1]

    def record(self) -> dict[str, Any]:
        """The plain values."""
        watched = {"watched": self.watched} if any(self.watched) else {}
        return {"selected_epoch": self.selected_epoch, **self.curves, **watched}


def save_state(state: TrainingState, directory: str | Path) -> None:
    """Write a state into a directory; an earlier one there is replaced at once or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    path = Path(directory) / STATE_FILE
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in state.tensors.items()}
    try:
        with draft(path) as place:
            save_file(tensors, place, {_RECORD: json.dumps(dict(state.record))})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The training state could not be written to {path}: {reason_of(error)}.") from error


def load_state(directory: str | Path) -> TrainingState:
    """Read what :func:`save_state` wrote.

    Raises:
        CheckpointError: the file is missing or damaged, or no training state.
    """
    path = Path(directory) / STATE_FILE
    try:
        with safe_open(str(path), framework="pt") as file:
            record = json.loads((file.metadata() or {})[_RECORD])
            _check_record(record)
            return TrainingState({name: file.get_tensor(name) for name in file.keys()}, record)  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"Expected the state of a training in {path}, got {type(error).__name__}: {reason_of(error)}; start anew."
        ) from error


def _check_record(record: Any) -> None:
    """Refuse values of other types or sizes than :meth:`Progress.record` and the trainer write.

    Raises:
        KeyError, TypeError, ValueError: what is wrong.
    """
    if not isinstance(record, dict):
        raise TypeError(f"expected a mapping, got {type(record).__name__}")
    names = ["train_loss", "val_loss", *(n for n in record if n.startswith("val_") and n != "val_loss")]
    curves = [record[name] for name in names]
    if not isinstance(record["identity"], dict):
        raise TypeError("expected the training's identity as a mapping")
    numbers = all(
        isinstance(c, list) and all(type(v) in (int, float) and not abs(v) > _LARGEST for v in c) for c in curves
    )
    if not numbers or len({len(c) for c in curves}) != 1 or not curves[0]:
        raise ValueError(f"expected as many numbers in each of {listed(names)}, at least one")
    watched = record.get("watched", [])
    if not isinstance(watched, list) or not all(
        isinstance(figures, dict) and all(type(v) in (int, float) and not abs(v) > _LARGEST for v in figures.values())
        for figures in watched
    ):
        raise ValueError("expected the step's figures as a list of mappings of numbers")
    selected, steps, seconds = record["selected_epoch"], record["steps"], record["seconds"]
    if type(selected) is not int or not 1 <= selected <= len(curves[0]):
        raise ValueError(f"expected the selected epoch between 1 and {len(curves[0])}, got {shown(selected, 40)}")
    if type(steps) is not int or not 0 < steps < 10**12:
        raise ValueError(f"expected a positive number of steps, got {shown(steps, 40)}")
    if type(seconds) not in (int, float) or not 0 <= seconds < _LARGEST:
        raise ValueError(f"expected seconds that are not negative, got {shown(seconds, 40)}")


@contextmanager
def continuing(directory: Path) -> Iterator[None]:
    """Put a training into a state inside; whatever does not fit is one kind of error.

    Raises:
        CheckpointError: tensors are missing, or of other sizes or types.
    """
    try:
        yield
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError, OverflowError) as error:
        raise CheckpointError(
            f"The state in {directory} does not fit this training ({type(error).__name__}: {reason_of(error)}); it is "
            "damaged: start anew in another directory."
        ) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts by ``<number of the parameter>.<name>``."""
    state: dict[int, dict[str, Tensor | None]] = optimizer.state_dict()["state"]
    return {f"{i}.{name}": t for i, values in state.items() for name, t in values.items() if t is not None}


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser of the same parameters what :func:`optimizer_tensors` took from another."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    sizes = {i: p.shape for i, p in enumerate(p for group in optimizer.param_groups for p in group["params"])}
    for i, values in state.items():
        wrong = [name for name, t in values.items() if t.ndim and t.shape != sizes[i]]
        if wrong:
            raise ValueError(f"the optimiser's {wrong[0]} of parameter {i} has another shape")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def random_tensors(generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
    """The random states that a training draws from: its own ``generator``'s and PyTorch's."""
    states = {"cpu": torch.get_rng_state(), "batches": generator.get_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def fill_random(tensors: Mapping[str, Tensor], generator: torch.Generator, device: torch.device) -> None:
    """Put the generators into the states that :func:`random_tensors` took."""
    torch.set_rng_state(tensors["cpu"])
    generator.set_state(tensors["batches"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["cuda"], device)


class StateStore:
    """States by architecture, fidelity and seed; when there are too many, the oldest go.

    Args:
        directory: made if missing.
        protocol: what all trainings here have in common; a directory serves one protocol.
        former: how an earlier version would have written it.
        limit: most states that are kept.

    Raises:
        CheckpointError: the directory serves another protocol, or cannot be written.
        ConfigError: the limit is not positive.
    """

    def __init__(self, directory: str | Path, protocol: str, limit: int = 200, former: str = "") -> None:
        if limit < 1:
            raise ConfigError(f"Expected to keep at least one training state, got a limit of {limit}.")
        self.directory, self.limit = Path(directory), limit
        claim = self.directory / "protocol.txt"
        try:
            if not claim.exists():
                write_atomically(claim, protocol)
            found = claim.read_text()
        except OSError as error:
            raise CheckpointError(f"Cannot keep training states in {self.directory}: {reason_of(error)}.") from error
        if found not in (protocol, former or protocol):
            raise CheckpointError(
                f"{self.directory} holds states of other trainings, which cannot be continued with another task, space "
                f"or recipe: expected {shown(protocol)}, found {shown(found)}. Use another directory or the "
                "same settings."
            )

    def place(self, key: str, fidelity: Fidelity, epochs: int, seed: int) -> Path:
        """Where the state of a training of ``epochs`` epochs belongs."""
        return self._family(key, fidelity, seed) / str(epochs)

    def nearest(self, key: str, fidelity: Fidelity, epochs: int, seed: int) -> Path | None:
        """Where the longest earlier training of the same kind lies, of at most ``epochs`` epochs."""
        found = [p for p in self._family(key, fidelity, seed).glob(f"*/{STATE_FILE}") if int(p.parent.name) <= epochs]
        return max((p.parent for p in found), key=lambda p: int(p.name), default=None)

    def trim(self) -> None:
        """Remove the oldest states beyond the limit."""
        for path in sorted(self.directory.glob(f"*/*/{STATE_FILE}"), key=_age)[: -self.limit]:
            path.unlink(missing_ok=True)

    def _family(self, key: str, fidelity: Fidelity, seed: int) -> Path:
        spent = {name: value for name, value in fidelity.to_dict().items() if name != "epochs"}
        text = json.dumps([key, spent, seed], sort_keys=True)
        return self.directory / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _age(path: Path) -> int:
    """When a file was written; 0 if another process has just removed it."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
