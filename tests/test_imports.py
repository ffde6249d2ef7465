"""Import rules: quick, light, downwards only, and never through the links at the root."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch_geometric", "diffusers", "transformers", "wandb", "ray")

# Floors of the house: a room imports from its own floor's entry or below.
FLOORS = {
    "version": 0, "errors": 0, "registry": 1, "runtime": 1, "graph": 2, "spaces": 3, "models": 3, "eval": 4,
    "training": 5, "generators": 5, "export": 6, "search": 7, "execution": 8, "tracking": 8, "report": 8,
    "workbench": 9, "testing": 9, "cli": 10, "__init__": 11, "__main__": 11,
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    output = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name.split(".")[0] for name in output.split()}


def test_import_is_quick() -> None:
    def seconds(code: str) -> float:  # of the processor, whatever else the machine does
        code = f"import time\n{code}\nprint(time.process_time())"
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    assert min(seconds("import gennas") for _ in range(3)) - min(seconds("pass") for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    "code", ["import gennas", "import gennas.spaces, gennas.search, gennas.graph, gennas.cli.main"]
)
def test_nothing_heavy_until_used(code: str) -> None:
    assert not modules_after(code) & {*HEAVY, "torch", "sklearn", "plotly"}


def imports_of(file: Path) -> set[str]:
    """Modules that a file imports, wherever in it; ``from gennas.x import y`` also counts as ``gennas.x.y``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def python_files() -> list[Path]:
    return [*(ROOT / "gennas").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]


def room_of(file: Path) -> str:
    return file.relative_to(ROOT / "gennas").parts[0].removesuffix(".py")


def imports_between_rooms() -> list[tuple[Path, str, list[str]]]:
    """File, its room, and the parts of what it imports from other rooms."""
    found = []
    for file in (ROOT / "gennas").rglob("*.py"):
        for name in imports_of(file):
            parts = name.split(".")
            if parts[0] == "gennas" and len(parts) > 1 and parts[1] != room_of(file):
                found.append((file, room_of(file), parts[1:]))
    return found


def test_nobody_imports_through_the_root_links() -> None:
    for link in ("models", "spaces", "training", "eval"):
        assert (ROOT / link).is_symlink() and (ROOT / link).resolve() == ROOT / "gennas" / link
    for file in python_files():
        tops = {name.split(".")[0] for name in imports_of(file)}
        assert not tops & {"models", "spaces", "training", "eval"}, file


def test_every_room_has_one_floor() -> None:
    rooms = {p.stem for p in (ROOT / "gennas").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms == set(FLOORS)


def test_imports_point_down() -> None:
    up = [(file, parts) for file, room, parts in imports_between_rooms() if FLOORS[parts[0]] >= FLOORS[room]]
    assert not up


def test_no_private_module_is_imported_from_another_room() -> None:
    assert not [
        (f, parts)
        for f, _, parts in imports_between_rooms()
        if any(p.startswith("_") and p != "__version__" for p in parts)
    ]


def test_no_imports_in_circles() -> None:
    """Modules that import each other at import time, inside a room as well as between rooms."""
    files = {module_of(file): file for file in (ROOT / "gennas").rglob("*.py")}
    graph = {name: {n for n in eager_imports(file) if n in files and n != name} for name, file in files.items()}
    while graph:
        free = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert free, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in free}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def eager_imports(file: Path) -> set[str]:
    """What is imported when the file is: not inside functions, not for type checkers only."""
    found: set[str] = set()
    tree = ast.parse(file.read_text())
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            # A package that is imported from for one of its modules is no dependency on its __init__.
            modules = {
                n
                for n in inner
                if (ROOT / (n.replace(".", "/") + ".py")).exists() or (ROOT / n.replace(".", "/")).is_dir()
            }
            found |= modules or {node.module}
    return found


def test_no_space_is_asked_for_by_name_outside_its_file() -> None:
    from gennas.spaces import SPACES

    for file in (ROOT / "gennas").rglob("*.py"):
        if room_of(file) == "spaces":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                for side in (node.left, *node.comparators):
                    assert not (isinstance(side, ast.Constant) and side.value in set(SPACES)), file
