"""The contract of archives fails what breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.search import Archive, Trial
from gennas.spaces import NASBench201
from gennas.testing import ArchiveContract, example_trials


class Unordered(Archive):
    """Returns trials as they finished."""

    def trials(self) -> list[Trial]:
        return super().trials()[::-1]


class Pooling(Archive):
    """Takes values of any protocol."""

    def claim(self, identity: str) -> None:
        return None


class Overwriting(Archive):
    """Counts a round twice and forgets snapshots."""

    def rounds(self) -> list[dict[str, float]]:
        return 2 * super().rounds()

    def add(self, trial: Trial) -> None:
        if trial.proposal.id not in [t.proposal.id for t in self.trials()]:
            super().add(trial)


def contract(kind: type[Archive]) -> ArchiveContract:
    class Checked(ArchiveContract):
        def open(self, folder: Path) -> Archive:
            return kind(folder / "archive.sqlite", self.space)

    return Checked()


BROKEN = [
    (Unordered, "test_what_was_committed_is_read_again"),
    (Overwriting, "test_a_number_is_stored_once"),
    (Pooling, "test_protocols_do_not_mix"),
    (Overwriting, "test_snapshots_replace_and_rounds_are_kept_once"),
]


@pytest.mark.parametrize(("kind", "check"), BROKEN)
def test_a_broken_archive_is_caught(kind: type[Archive], check: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(contract(kind), check)(tmp_path)


@pytest.mark.parametrize("check", [check for _, check in BROKEN])
def test_the_archive_passes(check: str, tmp_path: Path) -> None:
    getattr(contract(Archive), check)(tmp_path)


def test_example_trials_have_everything() -> None:
    trials = example_trials(NASBench201(), 5)
    assert [t.proposal.id for t in trials] == list(range(5)) and [t.ok for t in trials] == [True, False] * 2 + [True]
    assert all(t.error == "went wrong" and not t.metrics for t in trials if not t.ok)
    assert {t.proposal.seed for t in trials} == {0, 7, 14, 21, 28}
