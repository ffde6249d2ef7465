"""Every error is gennas' own, and of the built-in kind that a caller would expect."""

from __future__ import annotations

import pickle

import pytest

import gennas.errors
from gennas.errors import GennasError, UnknownNameError

KINDS = {
    "InvalidArchitectureError": ValueError,
    "ConfigError": ValueError,
    "TableError": ValueError,
    "ArchiveError": RuntimeError,
    "CheckpointError": ValueError,
    "EvaluationError": RuntimeError,
    "ExportError": RuntimeError,
    "OutputError": OSError,
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
