"""Settings of those layers of ``torch.nn`` that do not keep them as attributes: attention, transformers, recurrence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn import functional

from gennas.errors import ExportError

__all__ = ["Settings", "settings_of"]


@dataclass(frozen=True)
class Settings:
    """Arguments of the constructor.

    Args:
        required: by name, in their order; a module stands for the call that makes it.
        optional: by name, the value and its default.
    """

    required: Mapping[str, Any]
    optional: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def settings_of(module: nn.Module) -> Settings | None:
    """How a layer was made, read from its parts; None for a layer that keeps its settings itself.

    Raises:
        ExportError: its parts cannot have come from the constructor, or nobody knows how they did.
    """
    reader = _READERS.get(type(module))
    if reader is not None:
        return reader(module)
    if any(True for _ in module.children()):
        raise ExportError(
            f"{type(module).__name__} does not keep how it was made, so it cannot be written as plain source. Export "
            "to pt2 instead."
        )
    return None


def _attention(m: Any) -> Settings:
    dim = m.embed_dim
    return Settings(
        {"embed_dim": dim, "num_heads": m.num_heads},
        {
            "dropout": (m.dropout, 0.0),
            "bias": (m.in_proj_bias is not None, True),
            "add_bias_kv": (m.bias_k is not None, False),
            "add_zero_attn": (m.add_zero_attn, False),
            "kdim": (None if m.kdim == dim else m.kdim, None),
            "vdim": (None if m.vdim == dim else m.vdim, None),
            "batch_first": (m.batch_first, False),
        },
    )


def _transformer_layer(m: Any) -> Settings:
    return Settings(
        {"d_model": m.self_attn.embed_dim, "nhead": m.self_attn.num_heads},
        {
            "dim_feedforward": (m.linear1.out_features, 2048),
            "dropout": (m.dropout.p, 0.1),
            "activation": (_activation(m), "relu"),
            "layer_norm_eps": (m.norm1.eps, 1e-5),
            "batch_first": (m.self_attn.batch_first, False),
            "norm_first": (m.norm_first, False),
            "bias": (m.linear1.bias is not None, True),
        },
    )


def _activation(m: Any) -> str:
    known = {"relu": (functional.relu, nn.ReLU), "gelu": (functional.gelu, nn.GELU)}
    for name, (function, kind) in known.items():
        is_plain = isinstance(m.activation, kind) and getattr(m.activation, "approximate", "none") == "none"
        if m.activation is function or is_plain:
            return name
    raise ExportError(
        f"Expected the activation of {type(m).__name__} to be relu or gelu, got {m.activation!r}: it cannot be written "
        "as plain source. Export to pt2 instead."
    )


def _transformer_stack(m: Any) -> Settings:
    first, *others = [settings_of(layer) for layer in m.layers]
    if any(other != first for other in others):
        raise ExportError(
            f"Expected the layers of {type(m).__name__} to be equal, got different ones: they cannot be written as "
            "plain source. Hold them in an nn.ModuleList, or export to pt2 instead."
        )
    layer = "encoder_layer" if isinstance(m, nn.TransformerEncoder) else "decoder_layer"
    optional = {name: (getattr(m, name), True) for name in ("enable_nested_tensor", "mask_check") if hasattr(m, name)}
    return Settings({layer: m.layers[0], "num_layers": len(m.layers)}, {"norm": (m.norm, None), **optional})


def _recurrent(m: Any) -> Settings:
    optional = {
        "num_layers": (m.num_layers, 1),
        "nonlinearity": (getattr(m, "nonlinearity", "tanh"), "tanh"),
        "bias": (m.bias, True),
        "batch_first": (m.batch_first, False),
        "dropout": (m.dropout, 0.0),
        "bidirectional": (m.bidirectional, False),
        "proj_size": (m.proj_size, 0),
    }
    return Settings({"input_size": m.input_size, "hidden_size": m.hidden_size}, optional)


_READERS: dict[type[nn.Module], Callable[[nn.Module], Settings]] = {
    nn.MultiheadAttention: _attention,
    nn.TransformerEncoderLayer: _transformer_layer,
    nn.TransformerDecoderLayer: _transformer_layer,
    nn.TransformerEncoder: _transformer_stack,
    nn.TransformerDecoder: _transformer_stack,
    nn.RNN: _recurrent,
    nn.GRU: _recurrent,
    nn.LSTM: _recurrent,
}
