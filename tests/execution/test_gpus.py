"""Each local worker sees one GPU."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import closing

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Fidelity
from gennas.execution import ProcessExecutor
from gennas.execution.gpus import on_gpu, usable_gpus
from gennas.search import Origin, Proposal
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

SPACE = NASBench201()


class Seeing(SyntheticEvaluator):
    """Its size is the number of the GPU that it sees."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        return {**super().evaluate(arch, fidelity, seed), "size": float(os.environ["CUDA_VISIBLE_DEVICES"])}


class Dying(Seeing):
    """Ends its process after it has told its GPU to a file."""

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        os._exit(int(os.environ["CUDA_VISIBLE_DEVICES"]))


def test_workers_take_gpus_in_turn_and_give_them_back() -> None:
    todo = [Proposal(arch, Origin("test"), id=i) for i, arch in enumerate(SPACE.sample(6, np.random.default_rng(0)))]
    with closing(ProcessExecutor(Seeing(SPACE.schema, delay_s=0.3), workers=3, gpus=[4, 7])) as executor:
        for proposal in todo:
            executor.submit(proposal)
        seen = Counter(executor.wait_any().metrics["size"] for _ in todo)
        assert sorted(worker.gpu or "" for worker in executor._workers) == ["4", "4", "7"]
    assert set(seen) == {4.0, 7.0}
    assert "CUDA_VISIBLE_DEVICES" not in os.environ or os.environ["CUDA_VISIBLE_DEVICES"] not in ("4", "7")
    with closing(ProcessExecutor(Dying(SPACE.schema), workers=2, gpus=[4, 7])) as executor:
        for proposal in todo[:4]:
            executor.submit(proposal)
        codes = Counter(executor.wait_any().error.rpartition(" ")[2].rstrip(")") for _ in range(4))
    assert codes == {"4": 2, "7": 2}, "a new worker takes the GPU of the one that died"


def test_all_are_those_that_this_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-abc")
    assert usable_gpus("all") == ("2", "GPU-abc")
    with on_gpu("5"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2, GPU-abc"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="sees no GPU"):
        usable_gpus("all")


@pytest.mark.parametrize("wanted", [[0, 0], "0,,1", [""]])
def test_a_list_with_repetitions_or_gaps_is_refused(wanted: list[int] | str) -> None:
    with pytest.raises(ConfigError, match="different GPUs"):
        usable_gpus(wanted)


@pytest.mark.skipif(sys.platform != "linux", reason="affinity")
def test_cpus_are_those_of_the_affinity() -> None:
    from gennas.execution.gpus import usable_cpus

    assert usable_cpus() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("wanted", ["many", [-1], [0, 0], [], "", [""], "0,cuda:1", ["GPU"]])
def test_what_is_no_gpu_is_refused(wanted: str | list[int | str]) -> None:
    with pytest.raises(ConfigError, match="list of different GPUs"):
        usable_gpus(wanted)


def test_slices_and_uuids_are_gpus() -> None:
    names = ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0")
    assert usable_gpus(list(names)) == names
