"""Tests of the operations of mixed encoders against independent implementations."""

from __future__ import annotations

import pytest
import torch
from scipy.fft import dctn
from torch import nn
from torch.nn import functional

from gennas.export import module_source
from gennas.spaces import TaskSpec
from gennas.spaces.flexibert.networks import (
    EncoderLayer,
    EncoderNetwork,
    LinearTransform,
    MixedConvolution,
    SelfAttention,
)

OPERATIONS = ("sa-sdp", "sa-wma", "lt-dft", "lt-dct", "dsc-5", "dsc-9")


@pytest.mark.parametrize("transform", ["dft", "dct"])
@pytest.mark.parametrize("length", [1, 5, 8])
def test_transforms_equal_those_of_fft_and_scipy(transform: str, length: int) -> None:
    module = LinearTransform(8, 2, transform).double()
    x = torch.randn(3, length, 8, dtype=torch.float64)
    y = module.linear(x).detach().view(3, length, 2, 4).transpose(1, 2)
    if transform == "dft":
        expected = torch.fft.fft2(y, norm="ortho").real
    else:
        expected = torch.from_numpy(dctn(y.numpy(), axes=(-2, -1), norm="ortho"))
    torch.testing.assert_close(module(x).detach(), expected.transpose(1, 2).flatten(2))


def test_weighted_attention_with_the_identity_is_the_plain_one() -> None:
    torch.manual_seed(0)
    weighted, plain = SelfAttention(8, 2, is_weighted=True), SelfAttention(8, 2)
    plain.load_state_dict(weighted.state_dict(), strict=False)
    x = torch.randn(2, 5, 8)
    assert not torch.allclose(weighted(x), plain(x))
    nn.init.eye_(weighted.weight.weight)
    torch.testing.assert_close(weighted(x), plain(x))


def test_attention_by_hand() -> None:
    torch.manual_seed(0)
    module, x = SelfAttention(4, 2), torch.randn(1, 3, 4)
    rows = module.qkv(x)[0].view(3, 2, 3, 2)  # (t, head, 3, d)
    heads = [functional.softmax(q @ k.T / 2**0.5, -1) @ v for q, k, v in (rows[:, h].unbind(1) for h in range(2))]
    torch.testing.assert_close(module(x)[0], module.proj(torch.cat(heads, -1)))


@pytest.mark.parametrize(("heads", "kernel"), [(2, 5), (4, 9)])
def test_mixed_convolution_equals_convbert(heads: int, kernel: int) -> None:
    """Weights of transformers' ConvBERT, whose attention has half of the heads, in our module."""
    from transformers import ConvBertConfig
    from transformers.models.convbert.modeling_convbert import ConvBertSelfAttention

    torch.manual_seed(0)
    config = ConvBertConfig(hidden_size=16, num_attention_heads=heads, head_ratio=2, conv_kernel_size=kernel)
    theirs, ours = ConvBertSelfAttention(config).eval(), MixedConvolution(16, heads, kernel)
    nn.init.normal_(theirs.key_conv_attn_layer.bias)
    nn.init.eye_(ours.proj.weight), nn.init.zeros_(ours.proj.bias)
    parts = [theirs.query, theirs.key, theirs.value]

    def by_head(name: str) -> torch.Tensor:
        rows = torch.stack([getattr(part, name) for part in parts])
        return rows.unflatten(1, (heads // 2, -1)).transpose(0, 1).flatten(0, 2)

    convolution = theirs.key_conv_attn_layer
    weights = {
        "qkv.weight": by_head("weight"),
        "qkv.bias": by_head("bias"),
        "depthwise.weight": convolution.depthwise.weight,
        "pointwise.weight": convolution.pointwise.weight[..., 0],
        "pointwise.bias": convolution.bias[:, 0],
        **{f"kernels.{k}": v for k, v in theirs.conv_kernel_layer.state_dict().items()},
        **{f"values.{k}": v for k, v in theirs.conv_out_layer.state_dict().items()},
        **{f"proj.{k}": v for k, v in ours.proj.state_dict().items()},
    }
    ours.load_state_dict(weights)
    x = torch.randn(2, 11, 16)
    torch.testing.assert_close(ours(x), theirs(x)[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_plain_source_gives_the_same_network(operation: str) -> None:
    spec = TaskSpec("tagging", (7,), 3, vocabulary=11)
    layers = [EncoderLayer(8, operation, 2, (4, 6, 4)), EncoderLayer(4, operation, 2, (8,))]
    net = EncoderNetwork(layers, spec).eval()
    names: dict[str, type[nn.Module]] = {}
    exec(module_source(net), names)
    again = names["EncoderNetwork"]()
    again.load_state_dict(net.state_dict())
    tokens = spec.random_inputs(2)[0]
    for part in (tokens, tokens[:, :5]):
        assert torch.equal(again.eval()(part), net(part))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_mixes_tokens(operation: str) -> None:
    spec = TaskSpec("tagging", (7,), 3, vocabulary=11)
    torch.manual_seed(0)
    net = EncoderNetwork([EncoderLayer(8, operation, 2, (4,))], spec).eval()
    tokens = spec.random_inputs(1)[0]
    other = torch.cat([tokens[:, :6], (tokens[:, 6:] + 1) % 11], 1)
    assert not torch.allclose(net(tokens)[:, 5], net(other)[:, 5])
