"""Names at the edge."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.registry import (
    Option,
    Registry,
    configured,
    import_object,
    name_of,
    options_of,
    reconfigured,
    summary_of,
    user_files,
)


def test_register_get_list() -> None:
    registry: Registry = Registry("thing")
    registry.register("b")(int)
    registry.register("a")(str)
    assert list(registry) == ["a", "b"] and "a" in registry and len(registry) == 2
    assert registry.get("b") is int
    with pytest.raises(ConfigError, match="taken"):
        registry.register("a")(float)


def test_unknown_names_come_with_near_ones() -> None:
    registry: Registry = Registry("strategy")
    registry.register("local-search")(int)
    with pytest.raises(UnknownNameError, match=r"Unknown strategy 'local-serch'. Did you mean local-search\?"):
        registry.get("local-serch")


def test_import_paths(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine: ...\n")
    assert import_object("collections:OrderedDict").__name__ == "OrderedDict"
    assert import_object(f"{file}:Mine") is import_object(f"{file}:Mine")
    for bad in ("collections:Nothing", "no_such_module_at_all:X", f"{tmp_path}/none.py:X"):
        with pytest.raises(ConfigError, match="Expected"):
            import_object(bad)


# ---------------------------------------------------------------------- options


def box(
    width: int = 1, height: float = 2.0, kind: Literal["open", "closed"] = "open", names: tuple[str, ...] = ()
) -> Any:
    """A box.

    Args:
        width: of the box,
            in metres.
        height: of the box.
        kind: with a lid: ``closed``.

    Raises:
        ConfigError: never.
    """
    return width, height, kind, names


def test_options_have_defaults_types_and_meanings() -> None:
    found = {option.name: option for option in options_of(box)}
    assert found["width"] == Option("width", 1, "int", "of the box, in metres.")
    assert found["names"].meaning == "" and found["kind"].meaning == "with a lid: ``closed``."
    assert [option.name for option in options_of(box, ("width",))] == ["height", "kind", "names"]


def test_options_of_classes_partials_and_dataclasses() -> None:
    class Base:
        """Base.

        Args:
            a: first.
            b: second.
        """

    class Derived(Base):
        """Derived.

        Args:
            b: other second.
        """

        def __init__(self, a: int, b: int = 2) -> None: ...

    assert [(o.name, o.meaning) for o in options_of(Derived)] == [("a", "first."), ("b", "other second.")]
    assert [o.name for o in options_of(partial(box, 5))] == ["height", "kind", "names"]
    assert summary_of(partial(box, 5)) == "A box."


def test_options_become_what_the_signature_says() -> None:
    assert configured("box", box, {"height": 3, "names": ["a", "b"]}) == (1, 3.0, "open", ("a", "b"))
    assert configured("box", box, {}, 7, height=5.0, color="red") == (7, 5.0, "open", ())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"hight": 1},
            r"Unknown option 'hight' of box\. Did you mean height\? Options: width=1, height=2\.0, kind='open'",
        ),
        ({"zzz": 1}, r"Unknown option 'zzz' of box\. Options: "),
        ({"width": "wide"}, r"Option 'width' of box: input should be a valid integer.*got 'wide'"),
        ({"width": 1.5}, r"Option 'width' of box: .*got 1\.5"),
        ({"kind": "clsed"}, r"Option 'kind' of box: input should be 'open' or 'closed', got 'clsed'"),
        ({"names": "a"}, r"Option 'names' of box"),
    ],
)
def test_there_is_one_way_to_refuse_an_option(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        configured("box", box, options)


def test_what_the_caller_provides_cannot_be_set() -> None:
    with pytest.raises(ConfigError, match="Unknown option 'width'"):
        configured("box", box, {"width": 3}, 5)
    with pytest.raises(ConfigError, match="Missing option 'a'"):
        configured("thing", lambda a: a, {})


def test_a_type_error_from_inside_passes_through() -> None:
    def broken(width: int = 1) -> int:
        return len(width)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="has no len"):
        configured("box", broken, {"width": 2})


def test_types_that_only_checkers_import_are_not_checked() -> None:
    def odd(a: NoSuchName = 1, b: int = 2) -> Any:  # type: ignore[name-defined]  # noqa: F821
        return a, b

    assert configured("odd", odd, {"a": "x"}) == ("x", 2)
    with pytest.raises(ConfigError, match="'b'"):
        configured("odd", odd, {"b": "x"})


@dataclass(frozen=True)
class Recipe:
    """How."""

    lr: float = 0.1
    name: str = ""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError("lr out of range")


def test_a_dataclass_with_some_fields_replaced() -> None:
    assert reconfigured("recipe", Recipe(0.5, "a"), {"lr": 1}) == Recipe(1.0, "a")
    with pytest.raises(ConfigError, match="Did you mean lr"):
        reconfigured("recipe", Recipe(), {"lrr": 1})
    with pytest.raises(ConfigError, match="out of range"):
        reconfigured("recipe", Recipe(), {"lr": -1})


# ---------------------------------------------------------------------- names of things


def test_names_lead_back(tmp_path: Path) -> None:
    file = tmp_path / "own_things.py"
    file.write_text("class Mine: ...\n")
    mine = import_object(f"{file}:Mine")
    assert name_of(mine) == f"{file}:Mine" and import_object(name_of(mine)) is mine
    assert import_object(name_of(Registry)) is Registry
    assert name_of(lambda: 0) is None and name_of(5) is None
    assert str(file) in user_files()


def test_a_file_that_fails_can_be_mended(tmp_path: Path) -> None:
    file = tmp_path / "half_done.py"
    for text in ("class Mine: ...\nraise ImportError('no')\n", "class Mine: \n  (\n"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="Cannot import"):
            import_object(f"{file}:Mine")
    file.write_text("class Mine: ...\n")
    assert import_object(f"{file}:Mine").__name__ == "Mine"


def install(folder: Path, groups: str) -> None:
    """A package with entry points, as an installer would leave it."""
    (folder / "plugin_of_mine.py").write_text(
        '"""A strategy of its own."""\n'
        "from gennas.search.strategies import RandomSearch\n\n\n"
        'class Mine(RandomSearch):\n    """From another package."""\n'
    )
    info = folder / "plugin_of_mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-mine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(groups)


def test_installed_packages_add_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "[gennas.things]\nmine = plugin_of_mine:Mine\nbroken = plugin_of_mine:Nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry = Registry("thing", "gennas.things")
    registry.register("b")(int)
    assert list(registry) == ["b", "broken", "mine"] and "mine" in registry and len(registry) == 3
    assert registry.get("mine").__doc__ == "From another package."
    with pytest.raises(
        ConfigError, match="'broken' of an installed package cannot be imported from plugin_of_mine:Nothing"
    ):
        registry.get("broken")


def test_an_installed_strategy_is_listed_and_searches(tmp_path: Path) -> None:
    install(tmp_path, "[gennas.strategies]\nmine = plugin_of_mine:Mine\nbroken = plugin_of_mine:Nothing\n")
    command = [sys.executable, "-m", "gennas"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])}
    listed = subprocess.run(
        [*command, "list", "strategies"], capture_output=True, text=True, env=env, check=True
    ).stdout
    assert "From another package." in listed and "cannot be imported" in " ".join(listed.split())
    words = ["search", "--space", "nasbench-graph", "--task", "cora", "--strategy", "mine", "--budget", "3"]
    run = subprocess.run([*command, *words, "--out", str(tmp_path / "run")], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
