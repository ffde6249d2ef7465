"""The contract of proxies: real proxies keep it, bad ones break it."""

from __future__ import annotations

import pytest
import torch

from gennas.eval.proxies import Proxy, make_proxies
from gennas.testing import ProxyContract


class TestSynFlow(ProxyContract):
    def make(self) -> Proxy:
        return make_proxies(["synflow"])[0]


class TestNwot(ProxyContract):
    def make(self) -> Proxy:
        return make_proxies(["nwot"])[0]


class TestParams(ProxyContract):
    def make(self) -> Proxy:
        return make_proxies(["params"])[0]


class _Bad(Proxy):
    """Reads the random state of others, and writes into the network."""

    name = "bad"
    passes = frozenset({"gradient"})

    def score(self, run) -> float:
        next(run.original.parameters()).data.add_(1.0)
        return float(torch.rand(()))


class _OfBad(ProxyContract):
    def make(self) -> Proxy:
        return _Bad()


@pytest.mark.parametrize(
    "check",
    [
        "test_values_are_finite_and_depend_on_seeds_alone",
        "test_the_network_and_the_random_state_stay_as_they_were",
        "test_other_proxies_do_not_matter",
        "test_a_disconnected_network_is_the_worst_or_refused",
    ],
)
def test_a_bad_proxy_is_noticed(check: str) -> None:
    with pytest.raises(AssertionError):
        getattr(_OfBad(), check)()
