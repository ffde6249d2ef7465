"""Plain source: same outputs, same names of weights, nothing but torch imported, refusals with a reason."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.errors import ExportError
from gennas.export import module_source
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, TaskSpec

SPEC = TaskSpec("image", (3, 12, 12), 4)
SPACES = [NASBench201(num_cells=3, width=4), NASBench101(num_cells=2, width=8), MacroChain(max_depth=4, widths=(4, 8))]


def network(source: str) -> nn.Module:
    scope: dict[str, object] = {}
    exec(compile(source, "source", "exec"), scope)
    return [v for v in scope.values() if isinstance(v, type) and issubclass(v, nn.Module)][-1]()


def assert_same(module: nn.Module, *inputs: Tensor, **settings: str) -> str:
    source = module_source(module, **settings)
    again = network(source)
    again.load_state_dict(module.state_dict())
    modes = [m.training for m in module.modules()]
    with torch.no_grad():
        assert torch.equal(again.eval()(*inputs), module.eval()(*inputs))
    for m, mode in zip(module.modules(), modes, strict=True):
        m.training = mode
    return source


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_every_network_of_the_spaces_computes_the_same(space, rng: np.random.Generator) -> None:
    for arch in space.sample(6, rng):
        module = space.build(arch, SPEC)
        for buffer in module.buffers():  # statistics as after a training
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        assert_same(module, torch.randn(3, 3, 12, 12))


def test_only_torch_is_imported_and_gennas_is_not_needed(tmp_path: Path) -> None:
    space = SPACES[0]
    module = space.build(space.sample(1, np.random.default_rng(1))[0], SPEC)
    source = module_source(module)
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported == {"torch"}
    (tmp_path / "net.py").write_text(source)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    code = (
        "import sys; sys.modules['gennas'] = None\nimport torch, net\n"
        f"n = net.{type(module).__name__}(); n.load_state_dict(torch.load('weights.pt')); n.eval()\n"
        "print(float(n(torch.ones(2, 3, 12, 12)).sum()))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    with torch.no_grad():
        assert float(run.stdout) == pytest.approx(float(module.eval()(torch.ones(2, 3, 12, 12)).sum()), abs=1e-5)


def test_it_is_readable() -> None:
    space = NASBench201()
    arch = space.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
    source = module_source(space.build(arch, TaskSpec("image", (3, 32, 32), 10)), "A cell.")
    assert source.startswith('"""A cell.\n') and source.count("class ") == 3  # cell, reduction, network
    assert "nn.Sequential(*[Cell(32) for _ in range(5)])" in source and "Reduction(16, 32)" in source
    assert "def __init__(self, channels: int):" in source
    assert len(source.splitlines()) < 100 and max(map(len, source.splitlines())) <= 120


class Block(nn.Module):
    """Numbers that forward needs, too."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self.keep = keep
        self.scale = nn.Parameter(torch.rand(keep))
        self.register_buffer("shift", torch.arange(keep))
        self.register_buffer("middle", torch.tensor([0.5]), persistent=False)
        self.frozen = nn.Parameter(torch.rand(1), requires_grad=False)

    def forward(self, x: Tensor, factor: float = 2.0) -> Tensor:
        y = x[:, : self.keep] * self.scale + self.shift
        z = y * y - (y - self.middle) * factor / (y.abs() + 1)
        z += -self.frozen
        a, b = z.chunk(2, dim=1)
        return torch.cat([functional.gelu(a, approximate="tanh"), b.clamp(min=0)], dim=-1).flatten(1)


class Odd(nn.Module):
    """What the built-in spaces do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(4), Block(6)])
        self.add_module("1st", nn.Linear(6, 6))
        named = nn.Sequential()
        named.add_module("norm", nn.LayerNorm(6, eps=1e-3))
        named.add_module("drop", nn.Dropout(0.25))
        self.named = named
        self.unused = nn.Conv2d(2, 4, (1, 3), padding="same", groups=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.named(self.get_submodule("1st")(self.blocks[1](x)))
        drop = functional.dropout(x, 0.5, self.training)
        x.mul_(2)  # in place, after drop was taken: the order matters
        first = self.blocks[0](drop, factor=0.5)
        return first + (x[:, :4] - first) + x.shape[0] + x.size(1)


def test_names_orders_slices_and_in_place_operations_survive() -> None:
    torch.manual_seed(0)
    source = assert_same(Odd(), torch.randn(5, 7), title='Odd "one" \\')
    assert source.count("class Block") == 1 and "Block(4), Block(6)" in source
    assert "self.keep" not in source and "persistent=False" in source and "requires_grad=False" in source
    names = {name for name, _ in network(source).named_parameters()}
    assert names == {name for name, _ in Odd().named_parameters()}


def test_a_bare_sequence_becomes_a_class() -> None:
    assert_same(nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Softmax(dim=1)), torch.randn(2, 3, 4))
    with pytest.raises(ExportError, match="layer of PyTorch"):
        module_source(nn.Linear(2, 2))


class _ByValue(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class _Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tensor([1.0])


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


@pytest.mark.parametrize(
    ("module", "reason"),
    [(_ByValue(), "symbolic tracing"), (_Constant(), "register it as a buffer"), (_Tied(), "shares weights")],
)
def test_what_cannot_be_written_is_refused(module: nn.Module, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        module_source(module)


def test_layers_of_other_packages_are_one_clear_error() -> None:
    space = NASBenchGraph()
    module = space.build(space.from_text("0012:gat,gcn,fc,skip"), TaskSpec("node", (5,), 3))
    with pytest.raises(ExportError, match="torch_geometric"):
        module_source(module)


class _Holder(nn.Module):
    """Calls one layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class _Attention(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x[..., : self.attention.kdim], x[..., : self.attention.vdim], need_weights=False)[0]


class _Recurrent(_Holder):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


class _Decoder(_Holder):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x)


def _layer(**options: object) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(8, 2, 16, **options)


@pytest.mark.parametrize(
    ("module", "written"),
    [
        (_Holder(_layer(batch_first=True, norm_first=True)), "nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, "),
        (_Holder(_layer(activation="gelu", dropout=0.0, bias=False)), 'dropout=0.0, activation="gelu", bias=False)'),
        (_Holder(_layer(activation=nn.GELU(), layer_norm_eps=1e-3)), "layer_norm_eps=0.001)"),
        (_Holder(nn.TransformerEncoder(_layer(), 3, nn.LayerNorm(8))), "16), 3, norm=nn.LayerNorm(8))"),
        (_Decoder(nn.TransformerDecoderLayer(8, 4, 16)), "nn.TransformerDecoderLayer(8, 4, dim_feedforward=16)"),
        (_Decoder(nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 4, 16), 2)), "dim_feedforward=16), 2)"),
        (_Attention(), "nn.MultiheadAttention(8, 2)"),
        (_Attention(bias=False, batch_first=True), "nn.MultiheadAttention(8, 2, bias=False, batch_first=True)"),
        (_Attention(add_bias_kv=True, add_zero_attn=True), "add_bias_kv=True, add_zero_attn=True)"),
        (_Attention(kdim=5, vdim=3), "kdim=5, vdim=3)"),
        (_Recurrent(nn.GRU(8, 4, 2, bidirectional=True)), "nn.GRU(8, 4, num_layers=2, bidirectional=True)"),
        (_Recurrent(nn.LSTM(8, 6, proj_size=3, bias=False)), "nn.LSTM(8, 6, bias=False, proj_size=3)"),
        (_Recurrent(nn.RNN(8, 4, nonlinearity="relu")), 'nn.RNN(8, 4, nonlinearity="relu")'),
    ],
)
def test_layers_that_do_not_keep_their_settings(module: nn.Module, written: str) -> None:
    assert written in assert_same(module, torch.randn(5, 3, 8))


def test_two_blocks_of_attention_share_a_class() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = _Holder(_layer()), _Holder(nn.TransformerEncoderLayer(8, 4, 32))

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    source = assert_same(Both(), torch.randn(5, 3, 8))
    assert source.count("class ") == 2 and "nhead" in source


def _unequal() -> nn.Module:
    stack = nn.TransformerEncoder(_layer(), 2)
    stack.layers[1] = _layer(norm_first=True)
    return _Holder(stack)


@pytest.mark.parametrize(
    "module", [_unequal(), _Holder(_layer(activation=torch.tanh)), _Decoder(nn.Transformer(8, 2, 1, 1, 16))]
)
def test_what_nobody_knows_how_it_was_made_points_to_pt2(module: nn.Module) -> None:
    with pytest.raises(ExportError, match="pt2") as caught:
        module_source(module)
    assert "\n" not in str(caught.value)
