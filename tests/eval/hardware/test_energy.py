"""Energy: more work costs more, nothing is sent, methods are never mixed."""

from __future__ import annotations

import builtins
import socket
from dataclasses import replace

import pytest
import torch
from torch import nn

from gennas import SearchConfig, run_search
from gennas.errors import ConfigError, EvaluationError
from gennas.eval.hardware import Energy, EnergyMeter, mean_joules, measure_energy

codecarbon = pytest.importorskip("codecarbon")


def test_more_work_costs_more_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = []

    def refuse(self: socket.socket, address: object) -> None:
        addresses.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    module = nn.Linear(1500, 1500).train()
    small, large = (measure_energy(module, [torch.zeros(b, 1500)], seconds=1.2) for b in (8, 256))
    assert 0 < 4 * small.joules < large.joules
    assert large.calls < small.calls and small.calls % 10 == 0
    assert (large.batch, large.device) == (256, "cpu") and large.seconds >= 1.2
    assert module.training and addresses == []


def test_the_method_is_the_one_that_codecarbon_uses() -> None:
    from gennas.eval.hardware.energy import _tracker

    found = measure_energy(nn.Identity(), [torch.zeros(1)], seconds=1.2)
    modes = {getattr(part, "_mode", None) for part in _tracker(torch.device("cpu"))._hardware}
    assert found.method == ("rapl" if "intel_rapl" in modes else "estimated")


def test_methods_are_never_mixed() -> None:
    a = Energy(1.0, "rapl", "cpu", 1, 10, 3.0)
    assert mean_joules([a, replace(a, joules=3.0)]) == 2.0
    for other in (replace(a, method="estimated"), replace(a, batch=2), Energy(1.0, "nvml", "cuda", 1, 10, 3.0)):
        with pytest.raises(ConfigError, match="do not mix them"):
            mean_joules([a, other])
    with pytest.raises(ConfigError, match="got none"):
        mean_joules([])


@pytest.mark.parametrize("wrong", [{"seconds": 0.0}, {"threads": 0}, {"warmup": -1}, {"device": "cuda:99"}])
def test_bad_settings(wrong) -> None:
    with pytest.raises(ConfigError):
        measure_energy(nn.Identity(), [torch.zeros(1)], **wrong)


def test_without_codecarbon_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args, **kwargs):
        if name.startswith("codecarbon"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"pip install 'gennas\[energy\]'"):
        measure_energy(nn.Identity(), [torch.zeros(1)])


def test_the_energy_of_a_training_is_a_metric_that_can_be_limited(tmp_path) -> None:
    config = SearchConfig(
        space="macro-chain", space_option=("max_depth=2", "widths=[8]"), task="digits", epochs=1, strategy="random",
        energy=True, limit=("train_joules=1e-6",), budget=5, out=tmp_path / "run",
    )  # fmt: skip
    run = run_search(config, report=False)
    assert run.result.stopped == "limit" and len(run.result.trials) == 1
    assert run.result.trials[0].metrics["train_joules"] > 0
    assert "energy(" in run.problem.evaluator.protocol


def test_a_meter_that_records_nothing_does_not_hide_what_failed_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def start_task(self, name: str) -> None: ...

        def stop_task(self, name: str) -> None: ...

    monkeypatch.setattr("gennas.eval.hardware.energy._tracker", lambda place: Silent())
    with pytest.raises(EvaluationError, match="recorded nothing"), EnergyMeter():
        pass
    with pytest.raises(ZeroDivisionError), EnergyMeter():
        raise ZeroDivisionError
