"""The step of a method by name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.registry import configured
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.diagnostics.collapse import CollapseMonitor
from gennas.training.supernet.methods.alternating import AlternatingStep
from gennas.training.supernet.methods.base import METHODS
from gennas.training.supernet.methods.fake_quantisation import quantise_candidates
from gennas.training.supernet.methods.fbnet import FBNet
from gennas.training.supernet.methods.latency import read_table
from gennas.training.supernet.methods.ofa import OnceForAll, SandwichStep
from gennas.training.supernet.methods.pc_darts import PARTIAL, PCDARTS
from gennas.training.supernet.methods.relaxation import Relaxation
from gennas.training.supernet.methods.sampled import SampledStep
from gennas.training.supernet.methods.sampler import PathSampler

__all__ = ["make_step", "make_supernet", "method_text", "read_options"]


def read_options(options: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Options of a method as it takes them: a ``table`` that is a file's name as its numbers.

    Raises:
        ConfigError: the file is missing, or no table of this space.
    """
    found = dict(options)
    table = found.get("table")
    if isinstance(table, str | Path):
        table = read_table(table, space.schema)
    if isinstance(table, np.ndarray | list):  # lists are of a method's own text
        found["table"] = torch.as_tensor(np.asarray(table, dtype=np.float64))
    return found


def method_text(name: str, options: Mapping[str, Any]) -> str:
    """A method with its options as records name it, which :func:`make_supernet` reads."""
    return f"{name}({json.dumps(dict(options), sort_keys=True, default=_plain)})"


def make_supernet(text: str, space: Space, spec: TaskSpec, checkpointing: bool = False) -> Supernet:
    """The shared network that a method trains: with partial channels for PC-DARTS, fake-quantised for FBNet in bits.

    Args:
        text: of the method, as :func:`method_text` writes it.
        space: that it is of.
        spec: of the task.
        checkpointing: whether to trade time for memory.

    Raises:
        ConfigError: the space has no such network.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space, spec = NASBench201(num_cells=1, width=8), TaskSpec("image", (3, 8, 8), 10)
        >>> make_supernet("pc-darts({})", space, spec).partial
        4
    """
    name, _, rest = text.partition("(")
    options: dict[str, Any] = json.loads(rest.removesuffix(")") or "{}")
    factory = METHODS.get(name)
    partial = int(options.get("channels", PARTIAL)) if factory is PCDARTS else 1
    supernet = Supernet(space, spec, checkpointing, partial)
    if factory is FBNet and options.get("bits") is not None:
        quantise_candidates(supernet, int(options["bits"]))
    return supernet


def make_step(
    name: str, space: Space, spec: TaskSpec | None = None, seed: int = 0, **options: Any
) -> AlternatingStep | SampledStep:
    """Make a method and the step that trains with it.

    Args:
        name: of a method (``gennas.training.supernet.methods.METHODS``).
        space: that the supernet is of.
        spec: of the task.
        seed: of the first parameters and of the order of validation batches.
        options: of the method, and of its step: those of :class:`AlternatingStep` for relaxations, ``distillation`` for
            ``ofa``. A ``table`` may be the name of a file (:func:`read_table`), a ``monitor`` true, or a mapping of
            the settings of a :class:`CollapseMonitor`.

    Raises:
        UnknownNameError: no such method.
        ConfigError: an option is unknown or out of range.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> step = make_step("gdas", NASBench201(), tau_end=0.2, lr=1e-3)
        >>> step.relaxation.tau, step.optimizer.param_groups[0]["lr"]
        ((10.0, 0.2), 0.001)
    """
    factory = METHODS.get(name)
    is_relaxation = inspect.isclass(factory) and issubclass(factory, Relaxation)
    step: Any = AlternatingStep if is_relaxation else SandwichStep if factory is OnceForAll else SampledStep
    of_step = inspect.signature(step).parameters
    options = read_options(options, space)
    own = {key: value for key, value in options.items() if key in of_step}
    rest = {key: value for key, value in options.items() if key not in of_step}
    if "monitor" in own:
        own["monitor"] = _monitor(own["monitor"])
    with seeded(seed):
        method = configured(f"supernet method {shown(name)}", factory, rest, space=space, spec=spec)
    if not isinstance(method, Relaxation if is_relaxation else PathSampler):
        raise ConfigError(f"Expected {shown(name)} to be a path sampler or a relaxation, got {type(method).__name__}.")
    made: AlternatingStep | SampledStep = step(method, **own, **({"seed": seed} if is_relaxation else {}))
    return made


def _monitor(given: Any) -> CollapseMonitor | None:
    """The monitor that options describe."""
    if given is None or isinstance(given, CollapseMonitor):
        return given
    if isinstance(given, bool):
        return CollapseMonitor() if given else None
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"Expected monitor=true, or the settings of a collapse monitor as {{skip_limit: 0.6}}, got {shown(given)}."
        )
    made: CollapseMonitor = configured("collapse monitor", CollapseMonitor, given)
    return made


def _plain(value: Any) -> Any:
    """Tables as lists, so that other numbers are another method; what else JSON has no form for, in words."""
    return value.tolist() if isinstance(value, Tensor | np.ndarray) else repr(value)
