"""The contract of shared weights, for every space that has them."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.spaces import (
    DARTS,
    GPT,
    SPACES,
    AutoFormerTiny,
    FBNet,
    FlexiBERT,
    GPTSmall,
    MacroChain,
    NASBench101,
    NASBench201,
    NASBenchBERT,
    NASBenchMacro,
    PiT,
    ProxylessNAS,
    Space,
    TaskSpec,
    TransNASMacro,
    TransNASMicro,
)
from gennas.spaces.autoformer.space import AutoFormer
from gennas.testing import SupernetContract
from gennas.training.supernet import Supernet


class TestNASBench201(SupernetContract):
    def make_space(self) -> Space:
        return NASBench201(num_cells=2, width=4)


class TestAutoFormer(SupernetContract):
    def make_space(self) -> Space:
        sizes = {"embeds": (8, 12, 16), "depths": (1, 2, 3), "ratios": (1, 2.5), "heads": (1, 2, 4)}
        return AutoFormerTiny(**sizes, head_dim=4, patch=2)  # type: ignore[arg-type]


class TestTransNASMicro(SupernetContract):
    def make_space(self) -> Space:
        return TransNASMicro(width=4, blocks=1)


class TestFBNet(SupernetContract):
    def make_space(self) -> Space:
        return FBNet(head=16, width_mult=0.1)


class TestProxylessNAS(SupernetContract):
    def make_space(self) -> Space:
        return ProxylessNAS(width_mult=0.1)


class TestNASBenchMacro(SupernetContract):
    def make_space(self) -> Space:
        return NASBenchMacro(width=4, head=16)


class TestDARTS(SupernetContract):
    def make_space(self) -> Space:
        return DARTS(num_cells=3, width=4)


class TestGPT(SupernetContract):
    spec = TaskSpec("language", (8,), 11, vocabulary=11)
    mixes = False

    def make_space(self) -> Space:
        return GPT(embeds=(8, 12, 16), depths=(1, 2, 3), heads=(1, 2), mlp=(1, 2.5))


class TestTiedGPT(TestGPT):
    def make_space(self) -> Space:
        return GPT((8, 16), (1, 3), (2,), (2,), ("attention",), "learned", 0.5, "sequential", False, True, 9)


class TestPlainTransformers(SupernetContract):
    def make_space(self) -> Space:
        return AutoFormer((8, 16), (1, 3), (2,), (1, 3), head_dim=4, patch=4, relative=False, pooling="token")


class TestMacroChain(SupernetContract):
    mixes = False

    def make_space(self) -> Space:
        return MacroChain(4, 2, kernels=(3, 5), widths=(4, 6, 8))


class TestMacroChainOfOneStride(TestMacroChain):
    """Widths are not mixed, either."""

    def make_space(self) -> Space:
        return MacroChain(3, 3, operations=("conv", "inverted"), kernels=(3,), widths=(4, 8), strides=(1,))


class TestTransNASMacro(SupernetContract):
    mixes = False

    def make_space(self) -> Space:
        return TransNASMacro(width=4, blocks=2)


class TestPiT(SupernetContract):
    mixes = False

    def make_space(self) -> Space:
        return PiT((2, 3), (1, 2.5), (1, 2, 3), ((1, 2), (1, 3)))


class TestFlexiBERT(SupernetContract):
    spec = TaskSpec("text", (8,), 4, vocabulary=11)
    mixes = False

    def make_space(self) -> Space:
        return FlexiBERT().scaled(0.0625)


class TestNASBenchBERT(TestFlexiBERT):
    def make_space(self) -> Space:
        return NASBenchBERT().scaled(0.0625)


class TestGPTSmall(TestGPT):
    num_architectures = 8

    def make_space(self) -> Space:
        return GPTSmall().scaled(0.03)


def test_spaces_without_shared_weights_say_so() -> None:
    with pytest.raises(ConfigError, match=r"nasbench101.*no weight-sharing network"):
        Supernet(NASBench101(), TaskSpec("image", (3, 8, 8), 4))


def test_layers_at_another_depth_are_not_shared() -> None:
    space = AutoFormerTiny().scaled(depth=0.5)
    with pytest.raises(ConfigError, match="depth"):
        Supernet(space, TaskSpec("image", (3, 224, 224), 4))


def test_every_other_space_refuses() -> None:
    """None fails in another way."""
    for name in SPACES:
        space = SPACES.get(name)()
        if type(space).network is Space.network:
            with pytest.raises(ConfigError, match="no weight-sharing network"):
                Supernet(space, TaskSpec("image", (3, 32, 32), 4))
