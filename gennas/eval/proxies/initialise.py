"""Initialisations that protocols name."""

from __future__ import annotations

from torch import nn

from gennas.eval.proxies._weights import normalisation_parameters
from gennas.eval.proxies.protocol import Initialisation

__all__ = ["initialise"]


def initialise(net: nn.Module, how: Initialisation) -> None:
    """Draw the weights of a network anew, in place; ``default`` leaves them.

    ``kaiming``: normal with standard deviation sqrt(2 / fan-in); ``normal``: standard normal. Both set biases
    to zero and normalisation layers to one and zero.
    """
    if how == "default":
        return
    normal = normalisation_parameters(net)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif id(parameter) in normal:
            nn.init.ones_(parameter)
        elif parameter.ndim < 2 or how == "normal":
            nn.init.normal_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, mode="fan_in", nonlinearity="relu")
