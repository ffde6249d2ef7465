"""Tests of causal transformers: against GPT-2 and GPT-NeoX of transformers, causality, positions, convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.eval.complexity import count_flops
from gennas.export import module_source
from gennas.spaces import TaskSpec
from gennas.spaces.gpt.networks import CausalConvolution, Design, GPTNetwork, Layer, rotated

SPEC = TaskSpec("language", (9,), 13, vocabulary=13)


def network(design: Design, spec: TaskSpec = SPEC) -> GPTNetwork:
    torch.manual_seed(0)
    return GPTNetwork(design, spec).eval()


def randomised(module: nn.Module) -> nn.Module:
    """Biases and normalisation, too, so that a weight in the wrong place shows."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.eval()


def by_head(rows: Tensor, heads: int) -> Tensor:
    """Rows ordered (3, head, channel) as rows ordered (head, 3, channel)."""
    return rows.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2)


@pytest.mark.parametrize("layer", [Layer("attention", 2, 4, 24), Layer("conv", 1, 8, 24), Layer("none", 1, 8, 24)])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("is_parallel", [True, False])
def test_no_token_sees_what_follows(layer: Layer, positions: str, is_parallel: bool) -> None:
    net = network(Design(8, [layer, layer], positions=positions, is_parallel=is_parallel))
    tokens = SPEC.random_inputs(2)[0]
    other = torch.cat([tokens[:, :5], (tokens[:, 5:] + 1) % 13], 1)
    first, second = net(tokens), net(other)
    assert torch.equal(first[:, :5], second[:, :5]) and not torch.allclose(first[:, 5:], second[:, 5:])
    torch.testing.assert_close(net(tokens[:, :4]), first[:, :4])


@pytest.mark.parametrize(("mixer", "sees"), [("attention", True), ("conv", True), ("none", False)])
def test_what_mixes_tokens_sees_earlier_ones(mixer: str, sees: bool) -> None:
    net = network(Design(8, [Layer(mixer, 2, 4, 8)]))
    tokens = SPEC.random_inputs(1)[0]
    other = torch.cat([(tokens[:, :1] + 1) % 13, tokens[:, 1:]], 1)
    assert torch.allclose(net(tokens)[:, 4], net(other)[:, 4]) is not sees


def test_a_convolution_sees_five_tokens() -> None:
    conv = CausalConvolution(2)
    x = torch.randn(1, 9, 2)
    for place, seen in ((4, True), (3, False)):
        y = x.clone()
        y[0, place] += 1
        assert torch.allclose(conv(x)[0, 8], conv(y)[0, 8]) is not seen


def test_rotated_products_depend_on_distances_only() -> None:
    q, k = torch.randn(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    frequencies = torch.tensor([1.0, 0.01], dtype=torch.float64)

    def product(i: int, j: int) -> Tensor:
        return rotated(q, i * frequencies, 4) @ rotated(k, j * frequencies, 4)

    torch.testing.assert_close(product(7, 3), product(4, 0))
    assert not torch.isclose(product(7, 3), product(7, 2))


def test_gpt2_gives_the_same_logits() -> None:
    """Weights of transformers' GPT-2 (with exact GELU) in our blocks."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=13,
        n_positions=9,
        n_embd=8,
        n_layer=2,
        n_head=2,
        activation_function="gelu",
        attn_implementation="eager",
    )
    theirs = randomised(GPT2LMHeadModel(config))
    layer = Layer("attention", 2, 4, 32)
    ours = network(Design(8, [layer] * 2, positions="learned", is_parallel=False, is_tied=True))
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    body = theirs.transformer
    weights = {"embedding.weight": body.wte.weight, "positions.weight": body.wpe.weight, "head.weight": body.wte.weight}
    weights |= {f"norm.{k}": v for k, v in body.ln_f.state_dict().items()}
    for i, block in enumerate(body.h):
        qkv = block.attn.c_attn
        weights[f"blocks.{i}.mixer.qkv.weight"] = by_head(qkv.weight.T, 2)
        weights[f"blocks.{i}.mixer.qkv.bias"] = by_head(qkv.bias, 2)
        pairs = {"mixer.proj": block.attn.c_proj, "mlp.0": block.mlp.c_fc, "mlp.2": block.mlp.c_proj}
        for name, conv in pairs.items():  # transformers keeps these transposed
            weights[f"blocks.{i}.{name}.weight"], weights[f"blocks.{i}.{name}.bias"] = conv.weight.T, conv.bias
        for name, norm in (("norm1", block.ln_1), ("norm2", block.ln_2)):
            weights |= {f"blocks.{i}.{name}.{k}": v for k, v in norm.state_dict().items()}
    ours.load_state_dict(weights)
    tokens = SPEC.random_inputs(2)[0]
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=2e-5, rtol=1e-4)


def test_gpt_neox_gives_the_same_logits() -> None:
    """Weights of transformers' GPT-NeoX: parallel residual, rotary positions on half of each head."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=13,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=9,
        rotary_pct=0.5,
        use_parallel_residual=True,
        hidden_act="gelu",
        attn_implementation="eager",
    )
    theirs = randomised(GPTNeoXForCausalLM(config))
    ours = network(Design(16, [Layer("attention", 2, 8, 48)] * 2))
    names = {
        "embed_in": "embedding",
        "embed_out": "head",
        "lm_head": "head",  # its name since transformers 5
        "final_layer_norm": "norm",
        "layers": "blocks",
        "input_layernorm": "norm1",
        "post_attention_layernorm": "norm2",
        "attention.query_key_value": "mixer.qkv",
        "attention.dense": "mixer.proj",
        "dense_h_to_4h": "0",
        "dense_4h_to_h": "2",
    }
    weights = {}
    for name, value in theirs.named_parameters():
        name = name.removeprefix("gpt_neox.")
        for old, new in names.items():
            name = name.replace(old, new)
        weights[name] = value
    ours.load_state_dict(weights)
    tokens = SPEC.random_inputs(2)[0]
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=2e-5, rtol=1e-4)


def test_plain_source_gives_the_same_network() -> None:
    layers = [Layer("attention", 2, 4, 8), Layer("conv", 1, 8, 16), Layer("none", 1, 8, 8)]
    for spec in (SPEC, TaskSpec("text", (9,), 3, vocabulary=13)):
        for positions in ("rotary", "learned"):
            net = network(Design(8, layers, positions=positions), spec)
            names: dict[str, type[nn.Module]] = {}
            exec(module_source(net), names)
            again = names["GPTNetwork"]()
            again.load_state_dict(net.state_dict())
            tokens = spec.random_inputs(2)[0]
            assert torch.equal(again.eval()(tokens), net(tokens))


def test_multiply_accumulates_by_hand() -> None:
    """Projections, scores and mixing of attention; five taps and a product of a convolution; MLPs and the head."""
    layers = [Layer("attention", 2, 4, 24), Layer("conv", 1, 8, 16), Layer("none", 1, 8, 8)]
    t, c = 9, 8
    attention, conv = 4 * t * c * c + 2 * t * t * c, 5 * (t + 4) * c + t * c * c  # it pads by four tokens
    expected = attention + conv + 2 * t * c * (24 + 16 + 8) + t * c * 13
    found = count_flops(network(Design(8, layers)), SPEC.random_inputs(1))
    assert (found.flops, found.unknown) == (expected, ())


def test_a_tied_head_is_the_embedding_where_both_are_tokens() -> None:
    design = Design(8, [Layer("none", 1, 8, 8)], is_tied=True)
    net = network(design)
    assert net.head.weight is net.embedding.weight
    other = network(design, TaskSpec("language", (9,), 5, vocabulary=13))
    assert other.head.weight.shape == (5, 8)
