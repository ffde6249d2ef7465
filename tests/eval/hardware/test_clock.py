from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from gennas.eval.hardware._clock import EventClock, WallClock, graphed


def test_wall_time_goes_on_while_the_process_sleeps_and_cpu_time_does_not() -> None:
    clock = WallClock(torch.device("cpu"))
    start = clock()
    time.sleep(0.05)
    assert 0.05 <= clock() - start < 5
    assert len(clock.cpu) == 2 and clock.cpu[1] - clock.cpu[0] < 0.04


def test_cpu_time_counts_work() -> None:
    clock = WallClock(torch.device("cpu"))
    clock()
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    clock()
    assert clock.cpu[1] - clock.cpu[0] >= 0.02


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_events_come_in_pairs_and_a_graph_replays_the_same() -> None:
    device = torch.device("cuda")
    net, x = nn.Linear(64, 64).to(device).eval(), torch.randn(8, 64, device=device)
    clock = EventClock(device)
    with torch.no_grad():
        replay = graphed(net, (x,))
        assert clock() == 0.0
        replay()
        assert clock() > 0.0 and clock() == 0.0 and len(clock.cpu) == 3
