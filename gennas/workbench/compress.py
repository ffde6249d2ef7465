"""Making a trained network smaller, block by block."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import gennas
from gennas.errors import ConfigError
from gennas.runtime.files import exists, write_atomically
from gennas.runtime.seeds import seeded
from gennas.workbench.chosen import ArchitectureSettings, Chosen, choose, own_task
from gennas.workbench.config import SearchConfig
from gennas.workbench.directory import read_config
from gennas.workbench.evaluators import make_recipe
from gennas.workbench.settings import (
    NO_OPTIONS,
    OptionMap,
    Positive,
    Seed,
    SizeSettings,
    SpaceSettings,
    Steps,
    TaskSettings,
    Texts,
)

if TYPE_CHECKING:
    from gennas.training.blocks import BlockLibrary, Bound, Comparison

__all__ = ["BLOCKS_FILE", "WEIGHTS_FILE", "CompressSettings", "Compressed", "compress"]

WEIGHTS_FILE, BLOCKS_FILE = "network.safetensors", "blocks.json"
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class CompressSettings(SizeSettings, TaskSettings, SpaceSettings, ArchitectureSettings):
    """Replace layers of a trained network by smaller ones that learnt their outputs, the best choice under bounds."""

    weights: Path | None = None
    """The trained network's weights, from `gennas train --save`; by default those that --from holds."""
    constraint: Texts = ()
    """Bounds on params, flops or latency_ms, such as "params<=0.6x" (of the trained network's) or "params<=120000"."""
    out: Path = Path("runs/compressed")
    """Directory for the smaller network, its weights and the table of blocks."""
    steps: Steps = 50
    """Training steps of every candidate block; 0 takes what it inherits."""
    lr: Positive = 1e-3
    """Their learning rate."""
    metric: str = "loss"
    """What a choice makes worse by least: the validation loss, another score of the task, or error (of outputs)."""
    random: Steps = 8
    """Random feasible choices to compare with."""
    finetune: Steps = 0
    """Epochs of training of the chosen network, and of those that it is compared with, afterwards."""
    train_option: OptionMap = NO_OPTIONS
    """Settings of the training recipe, as KEY=VALUE (for example lr=1e-3, batch_size=128, device=cuda)."""
    seed: Seed = 0
    """Seed of fresh weights, of batches and of random choices."""

    def check(self) -> None:
        """Refuse to compress to nothing in particular.

        Raises:
            ConfigError: there is no bound.
        """
        if not self.constraint:
            raise ConfigError("Say how small it has to be with --constraint, for example --constraint 'params<=0.6x'.")


@dataclass(frozen=True, eq=False)
class Compressed:
    """A smaller network on disk, and how it came about."""

    directory: Path
    parent: Chosen
    library: BlockLibrary
    bounds: tuple[Bound, ...]
    metric: str
    comparison: Comparison
    seconds: Mapping[str, float]
    """Of distillation, scoring, latency, comparison and fine-tuning; the parent's training is not among them."""

    def summary(self) -> dict[str, Any]:
        """Plain values of everything but the table of blocks."""
        compared, space = self.comparison, self.library.stack.space
        tested = {f"test_{name}": value for name, value in compared.chosen.reported.items()}
        reported = compared.chosen.tuned_validation or compared.chosen.validation
        validated = {f"val_{name}": value for name, value in reported.items()}
        best = {"text": compared.chosen.text, "metrics": {**validated, **tested, **compared.chosen.costs}}
        return {
            "best": best,
            "parent": {"text": space.to_text(self.library.stack.arch), "from": self.parent.described},
            "metric": self.metric,
            "bounds": [str(bound) for bound in self.bounds],
            "networks": [network.record() for network in compared.networks],
            "uniform_measured": compared.num_uniform,
            "additivity": vars(compared.additivity),
            "only_last_layers": [self.library.stack.only_last(g) for g in range(self.library.stack.num_groups)],
            "seconds": dict(self.seconds),
        }

    def table(self) -> list[dict[str, Any]]:
        """One row per layer and candidate block."""
        names = ("params", "flops", "latency_ms", "error", "steps", "seconds", "is_own")
        return [
            {"layer": layer + 1, "block": block.text, "chosen": k == self.comparison.chosen.choice[layer]}
            | {name: getattr(block, name) for name in names}
            | {f"val_{name}": value for name, value in block.scores.items()}
            for layer, blocks in enumerate(self.library.layers)
            for k, block in enumerate(blocks)
        ]


def compress(settings: CompressSettings, on_step: OnStep | None = None) -> Compressed:
    """Build the library of a trained network's blocks, choose under bounds, compare, and keep the smaller network.

    Args:
        settings: the settings.
        on_step: called with a line about what begins.

    Raises:
        GennasError: settings that contradict each other, no weights, no layers, or bounds that nothing keeps.
    """
    from gennas.training.blocks import (
        BlockLibrary,
        Bound,
        compare_choices,
        measure_latencies_of,
        require_metric,
        require_reachable,
        score_blocks,
        train_blocks,
    )
    from gennas.training.checkpoint import load_trained
    from gennas.training.fidelity import scale_spec

    tell = on_step or (lambda line: None)
    bounds = tuple(Bound.parse(text) for text in settings.constraint)
    _require_free(settings)
    _refuse_states(settings)
    parent = choose(settings)
    require_metric(parent.task, settings.metric)
    config = _run_config(settings, parent)
    weights = _weights(settings)
    with seeded(0):
        network = parent.space.build(parent.arch, scale_spec(parent.task.spec, parent.fidelity))
    load_trained(network, weights, parent.space.to_text(parent.arch))
    recipe = make_recipe(parent.task.config, {**parent.train_option, **settings.train_option})
    library = BlockLibrary(parent.space, parent.task, parent.arch, network, parent.fidelity, recipe, settings.seed)
    require_reachable(library, bounds)
    seconds = {}
    count = sum(map(len, library.layers))
    tell(f"training {count} blocks of {len(library.layers)} layers, {settings.steps} steps each")
    seconds["distillation"] = train_blocks(library, settings.steps, settings.lr, settings.seed)
    if any(bound.metric == "latency_ms" for bound in bounds):
        tell("measuring latencies")
        seconds["latency"] = measure_latencies_of(library)
    tell(f"scoring {count} blocks")
    seconds["scoring"] = score_blocks(library, lambda done, total: tell(f"scoring block {done} of {total}"))
    compared = compare_choices(
        library, bounds, settings.metric, settings.random, settings.finetune, settings.seed,
        lambda name: tell(f"measuring {name}"),
    )  # fmt: skip
    seconds |= {"comparison": compared.seconds, "finetuning": compared.tuning_seconds}
    done = Compressed(settings.out, parent, library, bounds, settings.metric, compared, seconds)
    _write(done, config)
    return done


def _require_free(settings: CompressSettings) -> None:
    """Refuse to write over a search's run or over the parent.

    Raises:
        ConfigError: it would be.
    """
    if exists(settings.out / "archive.sqlite") or (
        settings.source is not None and settings.out.resolve() == settings.source.resolve()
    ):
        raise ConfigError(f"{settings.out} holds a run that would be overwritten: give another --out.")
    if settings.out.exists() and not settings.out.is_dir():
        raise ConfigError(f"Expected a directory for --out, got the file {settings.out}.")


def _refuse_states(settings: CompressSettings) -> None:
    """States of trainings are no weights: they do not say which architecture they are of.

    Raises:
        ConfigError: ``--from`` or ``--weights`` is a folder of states, or one of them.
    """
    from gennas.training.state import STATE_FILE

    for flag, path in (("--from", settings.source), ("--weights", settings.weights)):
        if path is None or any(exists(path / name) for name in ("config.yaml", "supernet.json")):
            continue
        if path.name == STATE_FILE or exists(path / STATE_FILE) or any(path.glob(f"*/*/{STATE_FILE}")):
            raise ConfigError(
                f"{flag} {path} holds states of trainings (gennas train --resume), which do not say which architecture "
                "they are of: repeat that `gennas train` with --save net.safetensors, which goes on from the state and "
                "trains nothing twice, then give --arch, --space and --task with --weights net.safetensors."
            )


def _weights(settings: CompressSettings) -> Path:
    """Where the parent's weights are.

    Raises:
        ConfigError: they are nowhere.
    """
    if settings.weights is not None:
        return settings.weights
    if settings.source is not None and exists(settings.source / WEIGHTS_FILE):
        return settings.source / WEIGHTS_FILE
    origin = "ARCH" if settings.source is None else f"--from {settings.source}"
    raise ConfigError(
        f"There are no trained weights to begin with ({origin} holds none): train the network with "
        f"`gennas train {origin} --save net.safetensors`, then give --weights net.safetensors."
    )


def _run_config(settings: CompressSettings, parent: Chosen) -> dict[str, Any]:
    """Space, task and fidelity of the smaller network, as a run's configuration keeps them.

    Raises:
        ConfigError: networks of more than full width or depth, which no run has.
    """
    given = settings.to_dict()
    values = {name: given[name] for name in ("space", "space_option", "task", "task_option")}
    if settings.source is not None:
        run = read_config(settings.source, settings.trust)
        kept = run.to_dict()
        values |= {name: kept[name] for name in ("space", "space_option")}
        if settings.task is None and own_task(run) is not None:
            values |= {"task": kept["task"], "task_option": {**kept["task_option"], **settings.task_option}}
    values |= {"task": values["task"] or "digits", "evaluator": "train", **parent.effort}
    values["train_option"] = {**parent.train_option, **settings.train_option}
    SearchConfig.from_dict(values)
    return values


def _write(done: Compressed, config: Mapping[str, Any]) -> None:
    """Weights and table first, the summary that says what they are last."""
    from gennas.training import save_module

    folder, chosen = done.directory, done.comparison.chosen
    folder.mkdir(parents=True, exist_ok=True)
    save_module(chosen.network.cpu(), folder / WEIGHTS_FILE, {"arch": chosen.text})
    write_atomically(folder / "config.yaml", yaml.safe_dump({**config, "version": gennas.__version__}, sort_keys=False))
    write_atomically(folder / BLOCKS_FILE, _json({"blocks": done.table()}))
    write_atomically(folder / "summary.json", _json(done.summary()))


def _json(values: Any) -> str:
    return json.dumps(_finite(values), indent=2) + "\n"


def _finite(values: Any) -> Any:
    """The same with null for what is no number, which JSON has no word for."""
    if isinstance(values, Mapping):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
