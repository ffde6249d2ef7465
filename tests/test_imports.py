"""Import rules: quick, light, downwards only, and never through the links at the root."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch_geometric", "diffusers", "transformers", "wandb", "ray")

# Floors of the house: a room imports from its own floor's entry or below.
FLOORS = {
    "errors": 1, "registry": 1, "graph": 1, "spaces": 2, "models": 3, "eval": 3, "training": 4,
    "search": 5, "execution": 5, "tracking": 5, "config": 6, "report": 6, "problem": 6, "workbench": 6, "compare": 6,
    "generators": 6, "cli_generator": 6, "scoring": 6, "cli_proxies": 6, "export": 5, "cli_export": 6,
    "transfer": 6, "cli_transfer": 6, "cli_train": 6, "cli_correlate": 6, "cli_latency": 6, "threads": 1,
    "cli": 6, "testing": 7, "__main__": 7, "__init__": 7,
}  # fmt: skip
NEIGHBOURS = {("search", "execution"), ("execution", "search"), ("tracking", "search")}


def modules_after(code: str) -> set[str]:
    output = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name.split(".")[0] for name in output.split()}


def test_import_is_quick() -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    assert min(seconds("import gennas") for _ in range(3)) - min(seconds("pass") for _ in range(3)) < 1.0


@pytest.mark.parametrize("code", ["import gennas", "import gennas.spaces, gennas.search, gennas.graph, gennas.cli"])
def test_nothing_heavy_until_used(code: str) -> None:
    assert not modules_after(code) & {*HEAVY, "torch", "sklearn", "plotly"}


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "gennas"}
    return found


def python_files() -> list[Path]:
    return [*(ROOT / "gennas").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]


def test_nobody_imports_through_the_root_links() -> None:
    for link in ("models", "spaces", "training", "eval"):
        assert (ROOT / link).is_symlink() and (ROOT / link).resolve() == ROOT / "gennas" / link
    for file in python_files():
        tops = {name.split(".")[0] for name in imports_of(file)}
        assert not tops & {"models", "spaces", "training", "eval"}, file


def test_imports_point_down() -> None:
    for file in (ROOT / "gennas").rglob("*.py"):
        parts = file.relative_to(ROOT / "gennas").parts
        room = parts[0].removesuffix(".py")
        for name in imports_of(file):
            if not name.startswith("gennas.") or name == "gennas.__version__":
                continue
            other = name.split(".")[1]
            if other == room or other not in FLOORS:
                continue
            below = FLOORS[other] < FLOORS[room]
            same_entry = FLOORS[other] == FLOORS[room] in (1, 6) or (room, other) in NEIGHBOURS
            assert below or same_entry, f"{file.relative_to(ROOT)} imports {name}"


def test_no_space_is_asked_for_by_name_outside_its_file() -> None:
    from gennas.spaces import SPACES

    for file in (ROOT / "gennas").rglob("*.py"):
        if file.parent.name == "spaces" or file.name in ("config.py", "cli.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                for side in (node.left, *node.comparators):
                    assert not (isinstance(side, ast.Constant) and side.value in set(SPACES)), file
