"""What a network says of batches, and the scores of it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import Batch
from gennas.training.kinds import classes_last, loss_function, score_class
from gennas.training.scores import Loss, Score
from gennas.training.task import Task

__all__ = ["logits_of", "score_batches"]


def logits_of(module: nn.Module, batch: Batch, task: Task, spec: TaskSpec, amp: bool = False) -> Tensor:
    """Outputs of the labelled rows of a batch, in single precision, the classes in the last dimension.

    Args:
        module: the network.
        batch: its inputs.
        task: for messages.
        spec: shape of the inputs and outputs.
        amp: bfloat16 autocast on CUDA.

    Raises:
        EvaluationError: the network returns something of another shape.
    """
    device = batch.y.device.type
    with torch.autocast(device, torch.bfloat16, enabled=amp and device == "cuda"):
        output = module(*batch.inputs)
    expected = spec.output_shape(batch.examples)
    if not isinstance(output, Tensor) or tuple(output.shape) != expected:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise EvaluationError(f"Task {shown(task.name)}: expected the network to return logits {expected}, got {got}.")
    logits = classes_last(spec.kind, output.float())
    return logits if batch.rows is None else logits[batch.rows]


def score_batches(
    module: nn.Module, batches: Iterable[Batch], task: Task, spec: TaskSpec, amp: bool = False
) -> dict[str, float]:
    """Mean loss and scores of batches by name; the network stays in the mode it is in.

    Raises:
        EvaluationError: as :func:`logits_of`.
    """
    others = [make for make in task.scores if score_class(make) is not Loss]
    scores: list[Score] = [Loss(loss_function(task.targets)), *(make() for make in others)]
    with torch.no_grad():
        for batch in batches:
            logits = logits_of(module, batch, task, spec, amp)
            for score in scores:
                score.update(logits, batch.y)
    return {score.name: score.value() for score in scores}
