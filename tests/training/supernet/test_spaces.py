"""The contract of shared weights, for every space that has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import (
    DARTS,
    GNN,
    GPT,
    OFA,
    SPACES,
    AutoFormerTiny,
    DASViT,
    DensePrediction,
    FBNet,
    FlexiBERT,
    Fusion,
    GPTSmall,
    GraphGym,
    MacroChain,
    NASBench101,
    NASBench201,
    NASBenchBERT,
    NASBenchMacro,
    PiT,
    ProxylessNAS,
    RNNCell,
    Space,
    TaskSpec,
    TransNASMacro,
    TransNASMicro,
)
from gennas.spaces.autoformer.space import AutoFormer
from gennas.spaces.parts import ElasticKernelConv2d
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


class TestFusion(SupernetContract):
    spec = TaskSpec("pair", (3,), 4, second_shape=(1, 6, 6))

    def make_space(self) -> Space:
        return Fusion(3, 4)


class TestDensePrediction(SupernetContract):
    spec = TaskSpec("segmentation", (3, 8, 8), 4)

    def make_space(self) -> Space:
        return DensePrediction(width=4)


class TestRNNCell(SupernetContract):
    spec = TaskSpec("language", (5,), 11, vocabulary=11)

    def make_space(self) -> Space:
        return RNNCell(4, hidden=6)


class TestTiedRNNCell(TestRNNCell):
    def make_space(self) -> Space:
        return RNNCell(4, "darts", hidden=6, tied=True)


class TestDASViT(SupernetContract):
    def make_space(self) -> Space:
        return DASViT(4, 8, 2)


class TestOFA(SupernetContract):
    mixes = False
    num_architectures = 8

    def make_space(self) -> Space:
        return OFA(width_mult=0.1)

    def _make_supernet(self) -> Supernet:
        """With matrices that change the kernels."""
        supernet = super()._make_supernet()
        with torch.no_grad():
            for name, parameter in supernet.named_parameters():
                if ".matrices." in name:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
        return supernet

    def test_a_small_kernel_is_the_centre_of_a_larger_one_times_the_matrices(self) -> None:
        """By matrix products of NumPy, for an extracted network."""
        supernet = self._fresh().eval()
        arch = supernet.space.from_text(supernet.space.reference["OFA-smallest"])
        layer = next(m for m in supernet.modules() if isinstance(m, ElasticKernelConv2d))
        found = supernet.network(arch).blocks[1].body[3].weight.detach().numpy()
        seven = layer.weight.detach().numpy()[: len(found), 0]
        five = seven[:, 1:6, 1:6].reshape(-1, 25) @ layer.matrices["5"].detach().numpy().T
        three = five.reshape(-1, 5, 5)[:, 1:4, 1:4].reshape(-1, 9) @ layer.matrices["3"].detach().numpy().T
        np.testing.assert_allclose(found.reshape(-1, 9), three, atol=1e-6)

    def test_matrices_learn(self) -> None:
        """From a path of small kernels; from one of the largest they have no gradient."""
        supernet, inputs = self._fresh().train(), self.make_inputs()
        for name, learns in (("OFA-largest", False), ("OFA-smallest", True)):
            arch = supernet.space.from_text(supernet.space.reference[name])
            self._backward(supernet, inputs, supernet.route_of(arch))
            assert any(p.grad is not None for n, p in supernet.named_parameters() if ".matrices." in n) == learns


def test_resolutions_are_not_shared() -> None:
    with pytest.raises(ConfigError, match="leave resolutions empty"):
        Supernet(OFA((128, 160)), TaskSpec("image", (3, 32, 32), 4))


class TestGNN(SupernetContract):
    spec = TaskSpec("graph", (5,), 3)
    mixes = False

    def make_space(self) -> Space:
        return GNN().scaled(0.25)


class TestGraphGym(SupernetContract):
    spec = TaskSpec("node", (5,), 3)
    mixes = False

    def make_space(self) -> Space:
        return GraphGym(training=False, hidden=6)


def test_training_settings_are_not_shared() -> None:
    with pytest.raises(ConfigError, match="training=false"):
        Supernet(GraphGym(), TaskSpec("node", (5,), 3))


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
            assert space.unshared != Space.unshared
            with pytest.raises(ConfigError, match=f"no weight-sharing network: {space.unshared[:20]}"):
                Supernet(space, TaskSpec("image", (3, 32, 32), 4))
