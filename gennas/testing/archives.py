"""The contract that every archive keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from gennas.errors import ArchiveError
from gennas.eval.base import Fidelity
from gennas.search import Archive, Origin, Proposal, Trial
from gennas.spaces import NASBench201, Space

__all__ = ["ArchiveContract", "example_trials"]


def example_trials(space: Space, n: int) -> list[Trial]:
    """``n`` trials with everything that an archive must keep; every other one failed."""
    archs = space.sample(n, np.random.default_rng(0))
    return [
        Trial(
            Proposal(arch, Origin("test", ("p1", "p2"), 3, {"note": 1}), Fidelity(epochs=2), i, 7 * i),
            "ok" if i % 2 == 0 else "failed",
            {"acc": 0.1 * i} if i % 2 == 0 else {},
            {"seconds": 0.5},
            "" if i % 2 == 0 else "went wrong",
        )
        for i, arch in enumerate(archs)
    ]


class ArchiveContract(ABC):
    """What every archive does; subclass it in a test module and give :meth:`open`."""

    space: Space = NASBench201()

    @abstractmethod
    def open(self, folder: Path) -> Archive:
        """Open the archive in a folder, a new one if there is none."""

    def test_what_was_committed_is_read_again(self, tmp_path: Path) -> None:
        """Trials come back equal, in the order of their numbers, however they finished."""
        archive = self.open(tmp_path)
        for trial in reversed(example_trials(self.space, 5)):
            archive.add(trial)
        archive.commit()
        assert self.open(tmp_path).trials() == example_trials(self.space, 5)
        archive.close()
        assert len(self.open(tmp_path)) == 5

    def test_a_number_is_stored_once(self, tmp_path: Path) -> None:
        """The same trial twice is an error, and the first one stays."""
        import pytest

        archive = self.open(tmp_path)
        trial, other = example_trials(self.space, 2)
        archive.add(trial)
        with pytest.raises(ArchiveError):
            archive.add(Trial(Proposal(other.arch, Origin("test"), id=0), "failed"))
        assert archive.trials() == [trial]

    def test_protocols_do_not_mix(self, tmp_path: Path) -> None:
        """An archive belongs to one protocol."""
        import pytest

        self.open(tmp_path).claim("accuracy after 12 epochs")
        self.open(tmp_path).claim("accuracy after 12 epochs")
        with pytest.raises(ArchiveError, match="never pooled"):
            self.open(tmp_path).claim("accuracy after 200 epochs")

    def test_snapshots_replace_and_rounds_are_kept_once(self, tmp_path: Path) -> None:
        """The last snapshot counts; a replayed round changes nothing."""
        archive = self.open(tmp_path)
        assert archive.snapshot() is None and archive.rounds() == []
        archive.save_snapshot(3, {"a": [1]})
        archive.save_snapshot(5, {"a": [2], "w": np.arange(3.0)})
        archive.add_round(5, {"validity": 1.0})
        archive.add_round(5, {"validity": 0.5})
        archive.commit()
        again = self.open(tmp_path)
        n_told, state = again.snapshot() or (0, {})
        assert n_told == 5 and state["a"] == [2] and state["w"].tolist() == [0.0, 1.0, 2.0]
        assert again.rounds() == [{"n_evals": 5, "validity": 1.0}]
