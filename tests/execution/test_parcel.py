"""What travels to a worker: the evaluator and the user's modules, to machines that have none of their files."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.execution.parcel import packed, sources
from gennas.registry import import_object
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

OPEN = """
import pickle, sys
from gennas.execution.imports import warm_up
from pathlib import Path
parcel = pickle.loads(Path(sys.argv[1]).read_bytes())
evaluator = parcel.open()
warm_up(evaluator)
print(evaluator.says(), Path(type(evaluator).__module__).name, "colorsys" in sys.modules)
"""


def opened_elsewhere(parcel: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a fresh process in another folder makes of a parcel."""
    (folder / "parcel").write_bytes(pickle.dumps(parcel))
    (away := folder / "away").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", OPEN, str(folder / "parcel")], cwd=away, capture_output=True, text=True, check=False
    )


def test_files_and_what_they_import_travel_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helpers_of_mine").mkdir()
    (tmp_path / "helpers_of_mine" / "__init__.py").write_text("")
    (tmp_path / "helpers_of_mine" / "inner.py").write_text("WORD = 'inner'\n")
    (tmp_path / "unrelated_to_it.py").write_text("raise SystemExit('never imported there')\n")
    (tmp_path / "mine_by_path.py").write_text(
        "from helpers_of_mine.inner import WORD\nclass Mine:\n    def says(self):\n        return WORD\n"
        "    def later(self):\n        import colorsys\n"
    )
    (tmp_path / "mine.py").write_text("class Mine:\n    pass\n")
    import_object("mine.py:Mine")  # nobody needs it, though its name is a part of the other's
    mine = import_object("mine_by_path.py:Mine")
    parcel = packed(mine())
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    for name in ("_gennas_user_mine", "_gennas_user_mine_by_path", "helpers_of_mine", "helpers_of_mine.inner"):
        del sys.modules[name]
    assert [s.name for s in parcel.sources] == ["_gennas_user_mine_by_path", "helpers_of_mine", "helpers_of_mine.inner"]
    done = opened_elsewhere(parcel, tmp_path)
    assert done.stdout.split() == ["inner", "_gennas_user_mine_by_path", "True"], done.stderr


def test_installed_code_does_not_travel() -> None:
    assert packed(SyntheticEvaluator(NASBench201().schema)).sources == ()
    assert sources(b"numpy torch gennas.registry") == []


def test_a_class_of_a_function_travels_where_cloudpickle_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")

    class Local:
        def says(self) -> str:
            return "local"

    done = opened_elsewhere(packed(Local()), tmp_path)
    assert done.stdout.split()[0] == "local", done.stderr


def test_what_cannot_be_pickled_is_refused() -> None:
    with pytest.raises(ConfigError, match="serial executor"):
        packed(threading.Lock())  # type: ignore[arg-type]


def test_modules_that_came_and_changed_are_imported_anew() -> None:
    from gennas.execution.parcel import Parcel, Source

    def parcel(word: str) -> Parcel:
        source = Source("_gennas_user_changing", "/nowhere/changing.py", f"def says():\n    return {word!r}\n")
        return Parcel(word, b"c_gennas_user_changing\nsays\n.", (source,))

    assert parcel("before").open()() == "before"
    assert parcel("after").open()() == "after"
    assert sys.modules["_gennas_user_changing"].__file__ == "/nowhere/changing.py"
    del sys.modules["_gennas_user_changing"]
