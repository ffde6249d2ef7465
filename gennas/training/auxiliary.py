"""What a network may tell and be told while it learns: outputs of a second head, and how far training is.

A network that returns its logits alone takes part by two optional members, as those of the DARTS space do:

- ``auxiliary_logits``: after a forward pass in training mode, outputs of a second head of the shape of the logits, or
  None; ``auxiliary_weight`` times their loss is added to the loss.
- ``set_progress(share)``: called before every epoch with the share of the training that is done, in [0, 1).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ["auxiliary_loss", "tell_progress"]


def auxiliary_loss(module: nn.Module, loss_of: Callable[[Tensor], Tensor]) -> Tensor | float:
    """The weighted loss of a network's auxiliary logits of its last forward pass; 0 where it has none.

    Args:
        module: the network.
        loss_of: the loss of logits.

    Example:
        >>> import torch
        >>> network = nn.Linear(2, 2)
        >>> auxiliary_loss(network, torch.sum)
        0.0
        >>> network.auxiliary_logits, network.auxiliary_weight = torch.ones(3, 2), 0.5
        >>> float(auxiliary_loss(network, torch.sum))
        3.0
    """
    logits = getattr(module, "auxiliary_logits", None)
    if not isinstance(logits, Tensor):
        return 0.0
    weight = float(getattr(module, "auxiliary_weight", 1.0))
    return weight * loss_of(logits.float())


def tell_progress(module: nn.Module, share: float) -> None:
    """Tell a network that wants to know it which share of its training is done."""
    listener = getattr(module, "set_progress", None)
    if callable(listener):
        listener(share)
