"""Scoring whole populations with zero-cost proxies: settings, batches of tasks, executors, cache."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gennas.config import ProblemConfig, parse_options
from gennas.errors import ConfigError
from gennas.eval.proxies import Protocol, ProxyBatch, ProxyEvaluator
from gennas.spaces import Space

if TYPE_CHECKING:
    from gennas.training import Task

__all__ = ["make_proxy_evaluator", "proxy_evaluator_for", "task_batch"]


def task_batch(task: Task, protocol: Protocol) -> ProxyBatch:
    """A batch of the task's training part, shuffled by the protocol's seed, and the one after it."""
    import torch

    generator = torch.Generator().manual_seed(protocol.seed)
    batches = task.data.batches("train", protocol.batch_size, generator)
    first, second = next(batches), next(batches, None)
    following = None if second is None else ProxyBatch(second.inputs, second.y, second.rows)
    return ProxyBatch(first.inputs, first.y, first.rows, following)


def make_proxy_evaluator(
    space: Space, proxies: list[str], task: Task | None = None, **options: object
) -> ProxyEvaluator:
    """An evaluator of proxies on a task's examples, or on noise.

    Args:
        space: builds the networks.
        proxies: names of proxies.
        task: gives input shape, number of classes and, unless ``batch="noise"``, the batch.
        **options: settings of :class:`Protocol`.

    Raises:
        ConfigError: a setting does not exist or does not fit.
        UnknownNameError: a proxy is not registered.
    """
    if task is not None:
        given = {"input_shape": task.spec.input_shape, "num_classes": task.spec.num_outputs, "batch": task.name}
        options = {**given, **options}
    try:
        protocol = Protocol(**options)  # type: ignore[arg-type]
    except TypeError as error:
        known = ", ".join(Protocol.__dataclass_fields__)
        raise ConfigError(f"Proxy protocol: {error}. Settings: {known}.") from error
    if protocol.batch != "noise" and (task is None or protocol.batch != task.name):
        raise ConfigError(f"Expected batch=noise or the name of the task, got {protocol.batch!r}; give it as --task.")
    batch = partial(task_batch, task, protocol) if task is not None and protocol.batch != "noise" else None
    return ProxyEvaluator(space, proxies, protocol, batch)


def proxy_evaluator_for(config: ProblemConfig, space: Space) -> ProxyEvaluator:
    """The evaluator that ``--proxy``, ``--proxy-option`` and ``--task`` describe.

    Raises:
        ConfigError: a table or another evaluator is asked for as well, or a setting does not fit.
    """
    if config.table is not None or config.evaluator != "auto":
        raise ConfigError("Expected --proxy alone, got --table or --evaluator with it; drop one.")
    task = None
    if config.task is not None:
        from gennas.training import make_task

        download = {"download": True} if config.download else {}
        task = make_task(config.task, **parse_options(config.task_option), **download)
    names = [name for name in (config.proxy or "").split(",") if name.strip()]
    return make_proxy_evaluator(space, names, task, **parse_options(config.proxy_option))
