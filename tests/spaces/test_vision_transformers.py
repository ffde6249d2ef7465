"""What exists serves the vision transformers: exports, proxies, drawings, the published networks by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.eval.base import Fidelity
from gennas.eval.complexity import count_flops
from gennas.eval.proxies import ProxyEvaluator
from gennas.export import export_module
from gennas.spaces import SPACES, AutoFormerTiny, DASViT, PiT, Space, TaskSpec

DIGITS = TaskSpec("image", (1, 8, 8), 10)
SMALL = [
    AutoFormerTiny(embeds=(16, 32), depths=(2, 3), heads=(1, 2), head_dim=8, patch=2),
    AutoFormerTiny(embeds=(16, 32), depths=(2, 3), heads=(1, 2), head_dim=8, patch=2, relative=False, pooling="token"),
    PiT(bases=(4, 8), depths=((1, 2), (1, 2), (1, 2))),
    DASViT(width=8, blocks=3),
]


@pytest.mark.parametrize("space", SMALL, ids=lambda s: s.name)
def test_plain_source_computes_the_same(space: Space, tmp_path: Path) -> None:
    """Read back and compared; weights have the network's names."""
    for arch in space.sample(3, np.random.default_rng(0)):
        net = space.build(arch, DIGITS).eval()
        assert export_module(net, (torch.randn(2, 1, 8, 8),), tmp_path / "net.py", "source") == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("space", SMALL, ids=lambda s: s.name)
def test_onnx_computes_the_same(space: Space, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    net = space.build(space.sample(1, np.random.default_rng(0))[0], DIGITS).eval()
    assert export_module(net, (torch.randn(2, 1, 8, 8),), tmp_path / "net.onnx", "onnx") < 1e-5


@pytest.mark.parametrize("space", SMALL, ids=lambda s: s.name)
def test_proxies_score_them(space: Space) -> None:
    """Sizes are those of the counters; what needs a ReLU says so."""
    evaluator = ProxyEvaluator(space, ["params", "flops", "synflow", "dss", "snip", "nwot_gelu"])
    wanted = ("glu", "mlp", "attention") if isinstance(space, DASViT) else ()  # dss is of attention, nwot of GELUs
    sample = space.sample(200, np.random.default_rng(1))
    arch = next(a for a in sample if all(word in space.to_text(a) for word in wanted))
    net = evaluator.build(arch)
    scores = evaluator.evaluate(arch, Fidelity(), 0)
    work = count_flops(net, evaluator.batch.inputs)
    assert not work.unknown and scores["params"] == work.params == sum(p.numel() for p in net.parameters())
    assert all(np.isfinite(value) for value in scores.values()) and scores["nwot_gelu"] > 0


@pytest.mark.parametrize("name", sorted(SPACES))
def test_published_architectures_are_in_their_space(name: str) -> None:
    """Those of every space parse, and their text is the one that is stated."""
    space = SPACES.get(name)()
    for text in space.reference.values():
        arch = space.from_text(text)
        assert space.to_text(arch) == text or name == "nasbench-bert"  # which writes the official JSON
        assert space.from_text(space.to_text(arch)) == arch
