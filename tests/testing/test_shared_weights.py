"""The contract of shared weights: one supernet for a class, a copy for each check, and checks that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from gennas.spaces import NASBench201, Space
from gennas.spaces.parts import Candidates, Choice, Routing, counterparts
from gennas.testing import SupernetContract
from gennas.training.supernet import Supernet


class Small(SupernetContract):
    num_architectures = 6
    made = 0

    def make_space(self) -> Space:
        type(self).made += 1
        return NASBench201(num_cells=1, width=4)


class Wider(Small):
    made = 0

    def make_space(self) -> Space:
        return NASBench201(num_cells=1, width=8)


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    yield
    Small.teardown_class()
    Wider.teardown_class()


CHECKS = [name for name in dir(Small) if name.startswith("test_")]


def test_the_supernet_is_made_once_and_let_go_of() -> None:
    Small.made = 0
    for name in CHECKS:
        getattr(Small(), name)()
    assert Small.made == 2  # once more for the task that is refused
    Small.teardown_class()
    assert Small._kept is None


def test_a_class_that_is_derived_has_a_supernet_of_its_own() -> None:
    widths = [max(p.shape[0] for p in made()._fresh().parameters()) for made in (Small, Wider, Small)]
    assert widths == [16, 32, 16]


def test_what_a_check_does_to_its_supernet_leaves_the_next_one_alone() -> None:
    fresh, used = Small()._fresh(), Small()._fresh().train()
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    assert not {t.data_ptr() for t in fresh.state_dict().values()} & {t.data_ptr() for t in used.state_dict().values()}
    archs = used.space.sample(3, np.random.default_rng(0))
    for arch in archs:  # statistics and gradients
        used(*Small().make_inputs(), route=used.route_of(arch)).square().mean().backward()
    with torch.no_grad():
        for parameter in used.parameters():
            parameter.add_(1.0)
    used.routing.checkpointing = True
    used.shared.register_forward_hook(lambda *_: pytest.fail("a hook of another check"))
    for supernet in (fresh, Small()._fresh()):
        assert supernet.training and not supernet.routing.checkpointing
        assert all(torch.equal(before[name], tensor) for name, tensor in supernet.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in supernet.parameters())
        supernet(*Small().make_inputs(), route=supernet.route_of(archs[0]))


# ---------------------------------------------------------------------- what breaks it


def shifted(build: Any) -> Any:
    """Networks of their own give something else."""

    def broken(self: Space, *arguments: Any) -> Any:
        network = build(self, *arguments)
        network.register_forward_hook(lambda module, inputs, output: output + 1e-6)
        return network

    return broken


def all_called(forward: Any) -> Any:
    """Candidates off the path run, in vain."""

    def broken(self: Candidates, *inputs: Any) -> Any:
        for candidate in self.values():
            candidate(*inputs)
        return forward(self, *inputs)

    return broken


def all_added(forward: Any) -> Any:
    """Candidates off the path get gradients of 0."""

    def broken(self: Candidates, *inputs: Any) -> Any:
        made = forward(self, *inputs)
        return made if made is None else made + 0 * sum(p.sum() for p in self.parameters())

    return broken


def handed_out(network: Any) -> Any:
    """What is extracted is the supernet's own."""

    def broken(self: Supernet, arch: Any) -> Any:
        made = network(self, arch)
        for own, inherited in counterparts(made, self.shared, arch.decisions.tolist()):
            own.data = inherited.detach()
        return made

    return broken


def unweighted(on_route: Any) -> Any:
    """Mixtures are sums."""
    return lambda self: [(key, None) for key, _ in on_route(self)]


def unchecked(run: Any) -> Any:
    """Whichever route is followed in the backward pass."""
    return lambda self, module, *inputs: checkpoint(module, *inputs, use_reentrant=False)


def believed(checked: Any) -> Any:
    """Any entry is followed."""
    return lambda self, t, entry: entry


@pytest.mark.parametrize(
    ("owner", "method", "broken", "check"),
    [
        (NASBench201, "build", shifted, "a_path_gives_what_the_network_of_its_own_gives"),
        (Choice, "_mixed", all_called, "nothing_off_the_path_is_called"),
        (Choice, "_mixed", all_added, "gradients_stay_on_the_path"),
        (Supernet, "network", handed_out, "networks_own_their_weights"),
        (Choice, "on_route", unweighted, "gradients_reach_the_weights_of_a_mixture"),
        (Choice, "on_route", unweighted, "a_mixture_of_one_is_the_single_path"),
        (Routing, "run", unchecked, "checkpointing_changes_nothing_but_a_route_in_between_raises"),
        (Routing, "_checked", believed, "bad_routes_are_refused"),
    ],
)
def test_what_breaks_it_is_found(
    owner: type, method: str, broken: Any, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = getattr(Small(), f"test_{check}")
    contract()
    monkeypatch.setattr(owner, method, broken(getattr(owner, method)))
    with pytest.raises((AssertionError, RuntimeError)):
        getattr(Small(), f"test_{check}")()
