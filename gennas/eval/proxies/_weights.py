"""Which parameters are weights, and which modules are normalisation."""

from __future__ import annotations

from torch import Tensor, nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_NAMES = (
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm",
    "RMSNorm",
    "GraphNorm",
    "PairNorm",
    "LocalResponseNorm",
)


def is_normalisation(module: nn.Module) -> bool:
    """Whether a module normalises, by the name of its class or of a class it derives from."""
    return any(cls.__name__.startswith(_NAMES) for cls in type(module).__mro__[:3])


def normalisation_parameters(net: nn.Module) -> set[int]:
    """Identities of scales and shifts."""
    return {id(p) for m in net.modules() if is_normalisation(m) for p in m.parameters(recurse=False)}


def weights_of(net: nn.Module) -> list[Tensor]:
    """Trainable kernels and matrices: parameters named ``…weight`` with two or more dimensions.

    Biases, normalisation layers, class tokens and position embeddings are not among them.
    """
    return [parameter for _, parameter in named_weights(net)]


def named_weights(net: nn.Module) -> list[tuple[str, Tensor]]:
    """:func:`weights_of` with their names."""
    normal = normalisation_parameters(net)
    return [
        (name, p)
        for name, p in net.named_parameters()
        if p.requires_grad and p.ndim >= 2 and name.endswith("weight") and id(p) not in normal
    ]


def weighted_layers(net: nn.Module) -> list[nn.Module]:
    """Modules that own a weight: convolutions, linear layers, projections."""
    weights = {id(w) for w in weights_of(net)}
    return [m for m in net.modules() if any(id(p) in weights for p in m.parameters(recurse=False))]
