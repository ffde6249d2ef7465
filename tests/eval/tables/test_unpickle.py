"""The restricted unpickler: numbers come through, everything else is refused before it runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import TableError
from gennas.eval.tables import unpickle
from gennas.eval.tables.unpickle import load_numbers


def written(folder: Path, content: bytes) -> Path:
    file = folder / "numbers.bench"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_containers_and_numpy_scalars_come_through(tmp_path: Path, protocol: int) -> None:
    scalars = {"f8": np.float64(0.1), "f4": np.float32(0.5), "i8": np.int64(-3), "b": np.bool_(True)}
    content = {7: {"value": 0.25, **scalars}, 8: [1, (2, "text", None)]}
    loaded = load_numbers(written(tmp_path, pickle.dumps(content, protocol)))
    assert loaded == {7: {"value": 0.25, "f8": 0.1, "f4": 0.5, "i8": -3, "b": True}, 8: [1, (2, "text", None)]}
    assert type(loaded[7]["f8"]) is float


def test_big_endian_scalars_are_read_as_such(tmp_path: Path) -> None:
    content = pickle.dumps(np.float64(1.5), 3)
    swapped = content.replace(b"<", b">").replace(np.float64(1.5).tobytes(), np.float64(1.5).tobytes()[::-1])
    assert swapped != content
    assert load_numbers(written(tmp_path, swapped)) == 1.5


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_old_and_new_module_names_are_admitted(tmp_path: Path, module: bytes) -> None:
    content = pickle.dumps(np.float64(2.5), 3)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(name, module)
    assert load_numbers(written(tmp_path, content)) == 2.5


class _Runs:
    """Pickles to a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def test_a_malicious_pickle_is_refused_before_it_runs(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    file = written(tmp_path, pickle.dumps({0: _Runs(os.system, f"touch {proof}")}))
    with pytest.raises(TableError, match=r"numbers.bench: Refused to load (posix|nt)\.system"):
        load_numbers(file)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (pickle.dumps(_Runs(eval, "1 + 1")), "builtins.eval"),
        (pickle.dumps(_Runs(getattr, "a", "upper")), "builtins.getattr"),
        (pickle.dumps(np.zeros(2)), "_reconstruct"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy\ndtype.type.__base__\n.", "numpy.dtype.type.__base__"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0bdtype.newby\x93.", "numpy.dtype.newby"),
    ],
)
def test_every_other_name_is_refused(tmp_path: Path, content: bytes, refused: str) -> None:
    with pytest.raises(TableError, match=f"Refused to load .*{refused}"):
        load_numbers(written(tmp_path, content))


@pytest.mark.parametrize("kind", ["O8", "V8", "S8", "f8,f8"])
def test_types_that_are_no_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    content = b"cnumpy\ndtype\n(V" + kind.encode() + b"\ntR."
    with pytest.raises(TableError, match="expected the type of a plain number"):
        load_numbers(written(tmp_path, content))


def test_a_scalar_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps(np.float64(1.0), 3)
    short = content.replace(b"C\x08" + np.float64(1.0).tobytes(), b"C\x04" + b"\0\0\0\0")
    assert short != content
    with pytest.raises(TableError, match="expected the bytes of one number"):
        load_numbers(written(tmp_path, short))


def test_persistent_references_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="persistent reference"):
        load_numbers(written(tmp_path, b"Pid\n."))


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({1: 2.0})[:-3]])
def test_damaged_files_are_table_errors(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TableError, match="damaged"):
        load_numbers(written(tmp_path, content))


def test_size_and_presence_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TableError, match="No such file"):
        load_numbers(tmp_path / "missing.bench")
    monkeypatch.setattr(unpickle, "MAX_BYTES", 10)
    with pytest.raises(TableError, match="at most 10 bytes, got 11"):
        load_numbers(written(tmp_path, b"x" * 11))


def test_what_a_pickle_may_call_it_cannot_change(tmp_path: Path) -> None:
    # BUILD on the stand-in itself, with attributes to set.
    for state in (b"(V_function\nI1\ndb.", b"N(V_function\nI1\nd\x86b."):
        with pytest.raises(TableError, match="may not change"):
            load_numbers(written(tmp_path, b"cnumpy\ndtype\n" + state))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not bound memory")
def test_a_few_bytes_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    # A memo index of four billion makes the C unpickler want 64 GiB of table.
    with pytest.raises(TableError, match="need more memory"):
        load_numbers(written(tmp_path, b"\x80\x02Nr\xf0\xff\xff\xff."))
