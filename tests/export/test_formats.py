"""Files are read back and compute the same, on batches of other sizes than the traced one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ExportError, UnknownNameError
from gennas.export import FORMATS, TOLERANCE, export_module
from gennas.export.formats import _WRITERS
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, TaskSpec
from gennas.training import load_module, read_note

SPEC = TaskSpec("image", (1, 8, 8), 3)
SPACES = [NASBench201(num_cells=1, width=4), NASBench101(num_cells=1, width=8), MacroChain(max_depth=2, widths=(8,))]


def images(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, 1, 8, 8, generator=torch.Generator().manual_seed(batch)),)


def trained_like(space, seed: int) -> nn.Module:
    module = space.build(space.sample(1, np.random.default_rng(seed))[0], SPEC)
    module.train()
    with torch.no_grad():
        for batch in (16, 17):  # running statistics that are not those of initialisation
            module(*images(batch))
    return module


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_formats_of_every_image_space(space, to: str, tmp_path: Path) -> None:
    module, path = trained_like(space, 1), tmp_path / "sub" / f"net.{to}"
    difference = export_module(module, images(2), path, to, checks=[images(1), images(7)], note={"arch": "a"})
    assert difference <= TOLERANCE and module.training
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    # and again by hand, on a fourth size
    with torch.no_grad():
        expected = module.eval()(*images(4))
    assert torch.allclose(_WRITERS[to][1](path, module)(images(4)), expected, atol=1e-5)


def test_onnx_runs_by_its_names_without_gennas(tmp_path: Path) -> None:
    import onnxruntime

    module = trained_like(SPACES[2], 0)
    export_module(module, images(2), tmp_path / "net.onnx", "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"images": images(9)[0].numpy()})[0]
    assert np.allclose(logits, module.eval()(*images(9)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors"])
def test_graphs_of_other_sizes(to: str, tmp_path: Path) -> None:
    space, generator = NASBenchGraph(), torch.Generator().manual_seed(0)
    module = space.build(space.from_text("0012:gat,gcn,fc,skip"), TaskSpec("node", (6,), 3))

    def graph(nodes: int, edges: int) -> tuple[Tensor, Tensor]:
        return torch.randn(nodes, 6, generator=generator), torch.randint(nodes, (2, edges), generator=generator)

    checks = [graph(9, 31)]
    assert export_module(module, graph(20, 50), tmp_path / "g", to, checks=checks) <= TOLERANCE  # type: ignore[arg-type]


def test_notes_are_kept_beside_the_weights(tmp_path: Path) -> None:
    module, path = trained_like(SPACES[0], 2), tmp_path / "w.safetensors"
    export_module(module, images(2), path, "safetensors", note={"arch": "some text"})
    assert read_note(path) == {"arch": "some text"}
    load_module(SPACES[0].build(SPACES[0].sample(1, np.random.default_rng(2))[0], SPEC), path)


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
        export_module(trained_like(SPACES[2], 0), images(2), tmp_path / "file" / "net.py", "source")
    with pytest.raises(UnknownNameError, match="onnx"):
        export_module(trained_like(SPACES[2], 0), images(2), tmp_path / "x", "onx")  # type: ignore[arg-type]
