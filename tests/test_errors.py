"""Every error is gennas' own, and of the built-in kind that a caller would expect."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import gennas.errors
from gennas.errors import GennasError, OutputError, UnknownNameError, listed, reason_of, shown

KINDS = {
    "InvalidArchitectureError": ValueError,
    "ConfigError": ValueError,
    "TableError": ValueError,
    "ArchiveError": RuntimeError,
    "CheckpointError": ValueError,
    "EvaluationError": RuntimeError,
    "ExportError": RuntimeError,
    "OutputError": OSError,
    "TaskKindError": ValueError,
    "UnknownNameError": KeyError,
}


def test_all_errors_are_listed() -> None:
    assert set(gennas.errors.__all__) == {"GennasError", *KINDS, "listed", "reason_of", "shown"}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kinds(name: str, kind: type[Exception]) -> None:
    error = getattr(gennas.errors, name)
    assert issubclass(error, GennasError) and issubclass(error, kind) and error.__doc__


def test_unlike_a_key_error_the_message_has_no_quotes_around_it() -> None:
    assert str(UnknownNameError("task", "digitz", ["mnist", "digits"])) == (
        "Unknown task 'digitz'. Did you mean digits? Known: digits, mnist."
    )


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("xyzzy", ["digits"], "Known: digits."),
        ("a", [], "Unknown task 'a'. Known: none."),
        ("", ["digits"], "Unknown task ''. Known: digits."),
        ("nodes", ["nodes1", "nodes2", "nodes3", "nodes4"], "Known: nodes1, nodes2, nodes3, nodes4."),
    ],
)
def test_near_names(name: str, known: list[str], hint: str) -> None:
    message = str(UnknownNameError("task", name, known))
    assert message.endswith(hint) and message.count(" or ") <= 2  # three near names at most
    assert ("Did you mean" in message) == (name == "nodes")


def test_any_iterable_of_names_will_do() -> None:
    assert "Known: a, b." in str(UnknownNameError("x", "c", iter(["b", "a"])))


def test_errors_cross_processes() -> None:
    for name in KINDS:
        if name != "UnknownNameError":
            error = pickle.loads(pickle.dumps(getattr(gennas.errors, name)("what happened")))
            assert type(error).__name__ == name and str(error) == "what happened"


def test_an_unknown_name_crosses_processes_too() -> None:
    error = UnknownNameError("task", "digitz", ["digits"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


def test_what_messages_quote_is_short_and_one_line() -> None:
    assert shown("a\nb") == r"'a\nb'" and shown("x" * 200) == f"'{'x' * 200}'"
    assert shown("x" * 5000) == f"'{'x' * 100}…(5,000 letters)…{'x' * 50}'"
    assert shown(10**5000) == "an integer of 16,610 bits" and shown(Odd()).startswith("<Odd")
    for value in (["x" * 5000] * 5000, {"x" * 5000: {"a": [list(range(9999))] * 99}}, b"x" * 5000, np.zeros(5000)):
        assert len(shown(value)) < 250 and "\n" not in shown(value)
    assert listed(["a", "b" * 99, "c"], 2) == f"a, {'b' * 80}…, … (3 in all)"
    assert reason_of(ValueError("a\n b")) == "a b" and reason_of(KeyError()) == "KeyError"
    assert len(reason_of(ValueError("x" * 5000))) == 301
    failing = type("Failing", (Exception,), {"__str__": Odd.__repr__})
    assert reason_of(failing()) == "Failing"


def test_a_long_name_is_not_repeated() -> None:
    assert len(str(UnknownNameError("task", "x" * 5000, [f"name-{i}" for i in range(5000)]))) < 1500


def test_an_output_error_is_what_it_says() -> None:
    error = OutputError("Cannot write a: full.", "full", 28)
    assert str(error) == "Cannot write a: full." and (error.strerror, error.errno) == ("full", 28)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.strerror) == (str(error), "full")
