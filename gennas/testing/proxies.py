"""The contract that every zero-cost proxy of one network keeps.

Example:
    >>> class TestMyProxy(ProxyContract):
    ...     def make(self):
    ...         return MyProxy()
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from gennas.eval.base import Direction

if TYPE_CHECKING:
    from torch import nn

    from gennas.eval.proxies import Proxy, ProxyBatch, Score

__all__ = ["ProxyContract"]


class ProxyContract(ABC):
    """What every proxy does; subclass it in a test module and give :meth:`make`.

    Attributes:
        direction: which way it says that networks are better.
    """

    direction: Direction = "max"

    @abstractmethod
    def make(self) -> Proxy:
        """Return the proxy."""

    def networks(self) -> list[nn.Module]:
        """Networks for images of 3 × 8 × 8 and five classes that it has a value for."""
        from torch import nn

        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
        convolutions = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU())
        return [
            nn.Sequential(*convolutions, *head),
            nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.ReLU(), nn.Linear(9, 5)),
        ]

    def test_says_what_it_is(self) -> None:
        """Name, direction, scale and what it reads."""
        proxy = self.make()
        assert proxy.name and proxy.passes and proxy.direction == self.direction
        assert proxy.scale in ("linear", "log", "rank")
        assert proxy.name in proxy.identity and proxy.identity == self.make().identity

    def test_values_are_finite_and_depend_on_seeds_alone(self) -> None:
        """Equal networks score equally whatever was drawn elsewhere."""
        import torch

        for net in self._seeded_networks():
            twin = copy.deepcopy(net)
            first = self._score(net)
            torch.rand(3)
            assert math.isfinite(first.value) and not first.reason and self._score(twin) == first

    def test_the_network_and_the_random_state_stay_as_they_were(self) -> None:
        """Weights, buffers, modes and gradients."""
        import torch

        for net in self._seeded_networks():
            net.train()
            before, random_state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
            self._score(net)
            assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
            assert all(module.training for module in net.modules()) and all(p.grad is None for p in net.parameters())
            assert torch.equal(torch.get_rng_state(), random_state)

    def test_other_proxies_do_not_matter(self) -> None:
        """Passes are shared, values are not changed by that."""
        from gennas.eval.proxies import make_proxies, score_network

        for net in self._seeded_networks():
            alone = self._score(net).value
            together = score_network(net, [*make_proxies(["snip", "synflow", "params"]), self.make()], self._batch())
            assert math.isclose(together[self.make().name].value, alone, rel_tol=1e-4)

    def test_a_disconnected_network_is_the_worst_or_refused(self) -> None:
        """An output that does not depend on the input has no good score, unless only sizes count."""
        import torch

        from gennas.eval.proxies import NotApplicableError

        proxy, net = self.make(), self._seeded_networks()[0]
        if not proxy.passes - {"weights", "flops"}:
            return
        with torch.no_grad():
            next(p for p in net.parameters() if p.dim() == 2).zero_()
        try:
            score = self._score(net)
        except NotApplicableError as error:
            assert len(str(error)) > len(proxy.name)
        else:
            assert score.value == proxy.worst and score.reason

    # ------------------------------------------------------------------ helpers

    def _seeded_networks(self) -> list[nn.Module]:
        import torch

        torch.manual_seed(0)
        return self.networks()

    def _batch(self) -> ProxyBatch:
        from gennas.eval.proxies import Protocol, noise_batch

        return noise_batch(Protocol(batch_size=6, input_shape=(3, 8, 8), num_classes=5))

    def _score(self, net: nn.Module) -> Score:
        from gennas.eval.proxies import score_network

        proxy = self.make()
        return score_network(net, [proxy], self._batch(), seed=1)[proxy.name]
