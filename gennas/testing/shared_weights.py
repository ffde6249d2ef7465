"""The contract of spaces whose networks share weights, as a test class to subclass.

A space with :meth:`~gennas.spaces.Space.network` is tested by::

    class TestMySupernet(SupernetContract):
        def make_space(self) -> Space:
            return MySpace()

Its supernet is made once for the class, and every check works on a copy of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, GennasError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.runtime.copies import copy_network
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.parts import Candidates, Choice, Depth, views
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet import Supernet

__all__ = ["SupernetContract"]


class SupernetContract:
    """What a space with shared weights must keep; subclass it and give :meth:`make_space`.

    Spaces and tasks of other sizes are subclasses of their own: one supernet serves all checks of a class.

    Attributes:
        num_architectures: how many are drawn; checks of gradients, calls and mixtures take eight of them, those of
            states and storage five.
        spec: a task that the space has networks for.
        tolerance: largest difference between a mixture whose weights are 1 and 0, and the single path.
        mixes: whether the space's decisions can be mixed; else a mixture has to be refused.
    """

    num_architectures: int = 20
    spec: TaskSpec = TaskSpec("image", (3, 8, 8), 4)
    tolerance: float = 1e-5
    mixes: bool = True

    def make_space(self) -> Space:
        """Return the space under test, small; the same for every check of the class."""
        raise NotImplementedError(f"{type(self).__name__} must override make_space.")

    def make_inputs(self) -> tuple[Tensor, ...]:
        """Inputs of a forward pass."""
        return self.spec.random_inputs(4)

    # ------------------------------------------------------------------ what is shared by checks

    _kept: ClassVar[Supernet | None] = None

    @classmethod
    def teardown_class(cls) -> None:
        """Let go of the supernet, after the last check of the class."""
        cls._kept = None

    def _make_supernet(self) -> Supernet:
        with seeded(0):
            return Supernet(self.make_space(), self.spec)

    def _fresh(self) -> Supernet:
        """A copy of the class's supernet: to make one means to look at all its candidates, which takes far longer."""
        cls = type(self)
        kept = vars(cls).get("_kept")  # not the one of the class that this one is derived from
        if kept is None:
            kept = cls._kept = self._make_supernet()
        return cast(Supernet, copy_network(kept, torch.clone))

    @cached_property
    def _supernet(self) -> Supernet:
        supernet = self._fresh()
        with seeded(0):
            for name, buffer in supernet.named_buffers():  # statistics of small signals, which no layer then swallows
                if name.endswith("running_var"):
                    buffer.mul_(0.1 + 0.1 * torch.rand_like(buffer))
                elif name.endswith("running_mean"):
                    buffer.add_(0.01 * torch.randn_like(buffer))
        return supernet.eval()

    @cached_property
    def _archs(self) -> Population:
        return self._supernet.space.sample(self.num_architectures, np.random.default_rng(0))

    # ------------------------------------------------------------------ single paths

    def test_a_path_gives_what_the_network_of_its_own_gives(self) -> None:
        """To the last bit, with statistics that are not those of a new network."""
        supernet, inputs = self._supernet, self.make_inputs()
        with torch.no_grad():
            for arch in self._archs:
                shared, alone = supernet(*inputs, route=supernet.route_of(arch)), supernet.network(arch)(*inputs)
                assert torch.isfinite(alone).all() and torch.equal(shared, alone), arch
        assert len({a.key for a in self._archs}) > 1

    def test_outputs_have_the_shape_of_the_task_and_differ_between_paths(self) -> None:
        """The route has an effect."""
        supernet, inputs = self._supernet, self.make_inputs()
        with torch.no_grad():
            outputs = [supernet(*inputs, route=supernet.route_of(arch)) for arch in self._archs]
            alone = self._supernet.network(self._archs[0])(*inputs)
        assert all(y.shape == alone.shape for y in outputs)
        assert any(not torch.equal(outputs[0], y) for y in outputs[1:])

    def test_networks_are_those_of_the_space(self) -> None:
        """Names, shapes and number of parameters are those that the space builds; states load strictly."""
        supernet = self._supernet
        for arch in self._archs[:5]:
            network, built = supernet.network(arch), supernet.space.build(arch, self.spec)
            found, expected = network.state_dict(), built.state_dict()
            assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in expected.items()}
            assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in built.parameters())
            built.load_state_dict(found, strict=True)

    def test_networks_own_their_weights(self) -> None:
        """What is done to an extracted network leaves the supernet alone."""
        supernet, arch, inputs = self._supernet, self._archs[0], self.make_inputs()
        before = supernet(*inputs, route=supernet.route_of(arch)).detach()
        with torch.no_grad():
            for parameter in supernet.network(arch).parameters():
                parameter.add_(1.0)
        assert torch.equal(before, supernet(*inputs, route=supernet.route_of(arch)))

    def test_paths_share_storage(self) -> None:
        """Every weight of a path is a view of a parameter of the supernet."""
        supernet = self._supernet
        pointers = {p.data_ptr() for p in supernet.parameters()}
        for arch in self._archs[:5]:
            network = supernet.network(arch)
            own = {id(p) for p in network.parameters()}
            found = [v for mine, v in views(network, supernet.shared, arch.decisions.tolist()) if id(mine) in own]
            assert found and all(view.data_ptr() in pointers for view in found)

    def test_a_step_along_one_path_moves_others(self) -> None:
        """Each other path uses some weight that moved."""
        supernet, inputs = self._fresh().train(), self.make_inputs()
        before = [p.detach().clone() for p in supernet.parameters()]
        self._backward(supernet, inputs, supernet.route_of(self._archs[0]))
        torch.optim.SGD(supernet.parameters(), lr=0.1).step()
        moved = [not torch.equal(a, b) for a, b in zip(before, supernet.parameters(), strict=True)]
        assert any(moved)
        names = {name for (name, _), change in zip(supernet.named_parameters(), moved, strict=True) if change}
        assert all(names & supernet.used(arch).keys() for arch in self._archs)

    def test_gradients_stay_on_the_path(self) -> None:
        """Parameters off the path have none, and those on it none beyond the slice that is used."""
        supernet, inputs = self._fresh().train(), self.make_inputs()
        for arch in self._archs[:8]:
            supernet.zero_grad(set_to_none=True)
            self._backward(supernet, inputs, supernet.route_of(arch))
            used = supernet.used(arch)
            assert any(p.grad is not None for p in supernet.parameters())
            for name, parameter in supernet.named_parameters():
                if parameter.grad is not None:
                    assert name in used, f"{name} has a gradient, but is not used by {arch}"
                    assert not parameter.grad[~used[name]].any(), f"{name} has gradients beyond what {arch} uses"

    def test_nothing_off_the_path_is_called(self) -> None:
        """Neither other candidates nor blocks beyond the depth, nor any layer whose weights are not used."""
        supernet, inputs = self._supernet, self.make_inputs()
        called: list[nn.Module] = []
        hooks = [m.register_forward_pre_hook(lambda m, _: called.append(m)) for m in supernet.modules()]
        names = {module: name for name, module in supernet.named_modules()}
        try:
            for arch in self._archs[:8]:
                called.clear()
                with torch.no_grad():
                    supernet(*inputs, route=supernet.route_of(arch))
                used = supernet.used(arch)
                self._check_calls(supernet, called, arch)
                known = {id(supernet.get_parameter(name)) for name in used}
                for module in called:
                    own = list(module.parameters(recurse=False))  # a bias may be left out
                    assert not own or any(id(p) in known for p in own), f"{names[module]} is called, but off the path"
        finally:
            for hook in hooks:
                hook.remove()

    def _check_calls(self, supernet: Supernet, called: Sequence[nn.Module], arch: Architecture) -> None:
        """Of every place that is reached, one candidate; of the blocks of every depth the first so many."""
        calls = Counter(map(id, called))
        for module in supernet.modules():
            runs = calls[id(module)]
            if isinstance(module, Candidates):
                chosen = module.chosen(arch.decisions.tolist())
                for candidate in module.values():
                    assert calls[id(candidate)] == (runs if candidate is chosen else 0)
            if isinstance(module, Depth):
                depth = module.depth.at(dict(enumerate(arch.decisions.tolist())))
                runs = max(runs, calls[id(module[0])])  # networks may go through the blocks themselves
                assert [calls[id(block)] for block in module] == [runs if i < depth else 0 for i in range(len(module))]

    # ------------------------------------------------------------------ mixtures

    def test_a_mixture_of_one_is_the_single_path(self) -> None:
        """Weights of 1 and 0 give the path's output, as one tensor or as samples."""
        supernet, inputs = self._supernet, self.make_inputs()
        if not self.mixes:
            self._refuses(ConfigError, lambda: supernet(*inputs, route=list(self._mixture().unbind())))
            return
        with torch.no_grad():
            for arch in self._archs[:8]:
                route = supernet.route_of(arch)
                single = supernet(*inputs, route=route)
                whole = [nn.functional.one_hot(torch.tensor(s), self._width).float() for s in route]
                sparse = [{s: torch.ones(())} for s in route]
                assert torch.allclose(supernet(*inputs, route=whole), single, rtol=0, atol=self.tolerance)
                assert torch.allclose(supernet(*inputs, route=sparse), single, rtol=0, atol=self.tolerance)

    def test_a_mixture_is_the_weighted_sum(self) -> None:
        """At every place, exactly."""
        if not self.mixes:
            return
        supernet, inputs, weights = self._supernet, self.make_inputs(), self._mixture()
        seen: list[tuple[Choice, tuple[Any, ...], Tensor | None]] = []
        choices = [m for m in supernet.modules() if isinstance(m, Choice)]
        hooks = [m.register_forward_hook(lambda m, x, y: seen.append((m, x, y))) for m in choices]
        try:
            with torch.no_grad():
                output = supernet(*inputs, route=list(weights.unbind()))
                for choice, arguments, got in seen:
                    terms = [
                        weights[choice.decision, int(s)] * (choice[s](*arguments) if s in choice else arguments[0])
                        for s, _ in choice.on_route()
                        if s in choice or choice.passes
                    ]
                    assert (got is None) == (not terms)
                    assert got is None or torch.equal(got, sum(terms[1:], terms[0]))
        finally:
            for hook in hooks:
                hook.remove()
        assert torch.isfinite(output).all() and (seen or not choices)

    def test_gradients_reach_the_weights_of_a_mixture(self) -> None:
        """And no gradient is of a label that cannot be taken."""
        if not self.mixes:
            return
        supernet, inputs = self._fresh().train(), self.make_inputs()
        weights = self._mixture().requires_grad_()
        self._backward(supernet, inputs, list(weights.unbind()))
        mask = torch.from_numpy(np.array(supernet.space.schema.decision_mask))
        assert weights.grad is not None and torch.isfinite(weights.grad).all() and weights.grad.any()
        assert not weights.grad[~mask].any()

    @property
    def _width(self) -> int:
        return self._supernet.space.schema.num_symbols

    def _mixture(self) -> Tensor:
        """Softmax of random numbers over the labels of every decision, ``(d, L)``."""
        mask = torch.from_numpy(np.array(self._supernet.space.schema.decision_mask))
        scores = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0))
        return torch.softmax(scores.masked_fill(~mask, float("-inf")), 1)

    # ------------------------------------------------------------------ checkpointing and bad routes

    def test_checkpointing_changes_nothing_but_a_route_in_between_raises(self) -> None:
        """Same gradients; another forward pass before the backward pass is an error."""
        inputs, first, second = self.make_inputs(), self._archs[0], self._archs[1]
        kept, again = self._fresh().train(), self._fresh().train()
        again.routing.checkpointing = True
        for supernet in (kept, again):
            with seeded(1):
                self._backward(supernet, inputs, supernet.route_of(first))
        for a, b in zip(kept.parameters(), again.parameters(), strict=True):
            assert (a.grad is None) == (b.grad is None) and (a.grad is None or torch.equal(a.grad, b.grad))  # type: ignore[arg-type]
        loss = again(*inputs, route=again.route_of(first)).square().mean()
        again(*inputs, route=again.route_of(second))
        self._refuses(GennasError, lambda: torch.autograd.backward(loss))

    def test_bad_routes_are_refused(self) -> None:
        """Wrong lengths, labels and weights are one line each."""
        supernet, inputs = self._supernet, self.make_inputs()
        route: list[Any] = list(supernet.route_of(self._archs[0]))
        wrong = (ConfigError, InvalidArchitectureError)
        for bad in (route[:-1], [*route, 0], [-1, *route[1:]], [self._width, *route[1:]]):
            self._refuses(wrong, lambda bad=bad: supernet(*inputs, route=bad))  # type: ignore[misc]
        for entry in (torch.ones(self._width + 1), {}, {self._width: torch.ones(())}):
            self._refuses(wrong, lambda entry=entry: supernet(*inputs, route=[entry, *route[1:]]))  # type: ignore[misc]
        self._refuses(wrong, lambda: supernet.route_of(np.array(route[:-1])))

    def test_other_tasks_are_refused(self) -> None:
        """A task that the space has no networks for."""
        is_of_graphs = self.spec.kind in ("graph", "node")
        other = TaskSpec("image", (3, 8, 8), 4) if is_of_graphs else TaskSpec("graph", (4,), 3)
        self._refuses(ConfigError, lambda: Supernet(self.make_space(), other))

    def _backward(self, supernet: Supernet, inputs: tuple[Tensor, ...], route: Any) -> None:
        torch.autograd.backward(supernet(*inputs, route=route).square().mean())

    def _refuses(self, kinds: Any, call: Callable[[], Any]) -> None:
        try:
            call()
        except kinds as error:
            assert str(error)
        else:
            raise AssertionError(f"Expected {kinds}, but nothing was raised.")
