"""Files are read back and compute the same, on batches of other sizes than the traced one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ExportError, UnknownNameError
from gennas.export import FORMATS, TOLERANCE, export_module
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, TaskSpec
from gennas.training import load_module, read_note

SPEC = TaskSpec("image", (1, 8, 8), 3)
SPACES = [NASBench201(num_cells=1, width=4), NASBench101(num_stacks=2, num_cells=1, width=8), MacroChain()]
TEXTS = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|none~2|",
    "conv1x1-bn-relu~0|maxpool3x3~0|output~0,1,2",
    "conv3x3-w16-s1/inverted3x3-w16-s2",
]


def images(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, 1, 8, 8, generator=torch.Generator().manual_seed(batch)),)


def built(which: int) -> nn.Module:
    return SPACES[which].build(SPACES[which].from_text(TEXTS[which]), SPEC)


def trained_like(which: int) -> nn.Module:
    module = built(which).train()
    with torch.no_grad():
        for batch in (16, 17):  # running statistics that are not those of initialisation
            module(*images(batch))
    return module


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("which", range(3), ids=[s.name for s in SPACES])
def test_formats_of_every_image_space(which: int, to: str, tmp_path: Path) -> None:
    module, path = trained_like(which), tmp_path / "sub" / f"net.{to}"
    difference = export_module(module, images(2), path, to, checks=[images(1), images(7)], note={"arch": "a"})
    assert difference <= TOLERANCE and module.training
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    if to == "onnx":  # and again by hand, by name, on a fourth size
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        logits = session.run(["logits"], {"images": images(4)[0].numpy()})[0]
        assert np.allclose(logits, module.eval()(*images(4)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("to", ["pt2", "safetensors", pytest.param("onnx", marks=pytest.mark.slow)])
def test_graphs_of_other_sizes(to: str, tmp_path: Path) -> None:
    space, generator = NASBenchGraph(), torch.Generator().manual_seed(0)
    module = space.build(space.from_text("0012:gat,gcn,fc,skip"), TaskSpec("node", (6,), 3))

    def graph(nodes: int, edges: int) -> tuple[Tensor, Tensor]:
        return torch.randn(nodes, 6, generator=generator), torch.randint(nodes, (2, edges), generator=generator)

    checks = [graph(9, 31)]
    assert export_module(module, graph(20, 50), tmp_path / "g", to, checks=checks) <= TOLERANCE  # type: ignore[arg-type]


def test_notes_are_kept_beside_the_weights(tmp_path: Path) -> None:
    module, path = trained_like(0), tmp_path / "w.safetensors"
    export_module(module, images(2), path, "safetensors", note={"arch": "some text"})
    assert read_note(path) == {"arch": "some text"}
    load_module(built(0), path)


class _Counting(nn.Module):
    """Computes something else after every copy, as no exported file does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) + torch.rand(())


def test_a_file_that_computes_something_else_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"earlier")
    with pytest.raises(ExportError, match="something else"):
        export_module(_Counting(), images(2), path, "safetensors")
    assert path.read_bytes() == b"earlier" and len(list(tmp_path.iterdir())) == 1


class _ByValue(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


@pytest.mark.parametrize("to", ["onnx", "pt2", "source"])
def test_control_flow_that_depends_on_values_is_one_error(to: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as error:
        export_module(_ByValue(), images(2), tmp_path / "net", to)  # type: ignore[arg-type]
    assert len(str(error.value).splitlines()) == 1 and not list(tmp_path.iterdir())


def test_bad_places_and_formats(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="Cannot write"):
        export_module(trained_like(2), images(2), tmp_path / "file" / "net.py", "source")
    with pytest.raises(UnknownNameError, match="onnx"):
        export_module(trained_like(2), images(2), tmp_path / "x", "onx")  # type: ignore[arg-type]
