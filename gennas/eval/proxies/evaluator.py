"""Proxies as an evaluator, so that a search can optimise or bound them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gennas.errors import ConfigError, EvaluationError, shown
from gennas.eval.base import FULL_FIDELITY, Fidelity, Measured, Metric
from gennas.eval.hardware import resolve_device
from gennas.eval.proxies.base import PopulationProxy
from gennas.eval.proxies.batch import ProxyBatch, noise_batch
from gennas.eval.proxies.initialise import initialise
from gennas.eval.proxies.outcome import Score
from gennas.eval.proxies.protocol import Protocol
from gennas.eval.proxies.runner import make_proxies, score_network
from gennas.graph import Architecture, Population
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec

__all__ = ["ProxyEvaluator"]


class ProxyEvaluator:
    """Builds an architecture and scores the untrained network.

    Values depend on architecture and protocol alone: initialisation and batch follow the protocol's
    seed, so one architecture scores the same in every search. It pickles.

    Args:
        space: builds the networks.
        proxies: names of proxies.
        protocol: conditions of the measurement.
        batch: returns the batch; without it, noise.
        required: proxies without which an evaluation fails (None: all). The others may be NaN, as ``may_lack``
            says, as long as there is any value.

    Raises:
        UnknownNameError: a proxy is not registered.
        ConfigError: the device is not there.

    Example:
        >>> from gennas.spaces import MacroChain
        >>> space = MacroChain(max_depth=2, min_depth=1, widths=(8,), kernels=(3,))
        >>> evaluator = ProxyEvaluator(space, ["synflow", "params"], Protocol(input_shape=(3, 8, 8)))
        >>> evaluator.evaluate(space.from_text("conv3x3-w8-s1"), FULL_FIDELITY, 0)["params"]
        930.0
    """

    cost_class: Literal["cheap", "expensive"] = "cheap"

    def __init__(
        self,
        space: Space,
        proxies: Sequence[str],
        protocol: Protocol | None = None,
        batch: Callable[[], ProxyBatch] | None = None,
        required: Iterable[str] | None = None,
    ) -> None:
        self.space, self.settings, self._load = space, protocol or Protocol(), batch
        if (batch is None) != (self.settings.batch == "noise"):
            raise ConfigError(
                f"Expected a batch for {shown(self.settings.batch)} and none for 'noise', got "
                f"{'none' if batch is None else 'one'}: the protocol has to say where the batch comes from."
            )
        self.proxies = make_proxies(proxies)
        ranked = [p.name for p in self.proxies if isinstance(p, PopulationProxy)]
        if ranked:
            raise ConfigError(f"{', '.join(ranked)} ranks a population and has no value for one architecture.")
        self.device = resolve_device(self.settings.device)
        self.metrics: Mapping[str, Metric] = {
            p.name: Metric(
                p.name,
                "min" if p.is_cost else p.direction,
                "",
                (type(p).__doc__ or "").partition("\n")[0],
                (0.0, math.inf) if p.is_cost else (-math.inf, math.inf),
            )
            for p in self.proxies
        }
        self.cheap_metrics = tuple(p.name for p in self.proxies if p.is_cost)
        self.may_lack = frozenset(() if required is None else set(self.metrics) - set(required))
        names = ", ".join(p.identity for p in self.proxies)
        self.conditions = f"{self.settings.identity}; space {space.identity}"
        self.protocol = f"proxies({names}; {self.conditions})"

    @property
    def spec(self) -> TaskSpec:
        """What the networks are built for."""
        return self.settings.spec

    @cached_property
    def batch(self) -> ProxyBatch:
        """The examples, read once per process."""
        batch = noise_batch(self.settings) if self._load is None else self._load()
        batch.check(self.settings.num_classes)
        return batch.to(self.device, self._dtype)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float64 if self.settings.dtype == "float64" else torch.float32

    def build(self, arch: Architecture) -> nn.Module:
        """The network that is scored, initialised as the protocol says."""
        with seeded(self.settings.seed, torch.device("cpu")):
            net = self.space.build(arch, self.spec)
            initialise(net, self.settings.initialisation)
        there = self.device.type == "cpu" and self._dtype == torch.get_default_dtype()
        return net if there else net.to(self.device, self._dtype)

    def score(self, arch: Architecture) -> Mapping[str, Score]:
        """Values with the reasons where there are any; a proxy that failed is NaN.

        Raises:
            EvaluationError: the network cannot be scored.
        """
        return score_network(self.build(arch), self.proxies, self.batch, seed=self.settings.seed, keep=False, each=True)

    def check(self, arch: Architecture, fidelity: Fidelity) -> None:
        """Score an architecture as a trial does: the batch is read, the network built and every proxy computed.

        Raises:
            ConfigError: as :meth:`evaluate`.
            EvaluationError: as :meth:`evaluate`.
        """
        self.evaluate(arch, fidelity, self.settings.seed)

    def cheap_all(self, archs: Population, fidelity: Fidelity) -> Mapping[str, NDArray[np.float64]] | None:
        """The parameters of a whole population, ``(b,)``; None unless they are the only cost and the space counts."""
        if [p.name for p in self.proxies if p.is_cost] != ["params"]:
            return None
        counted = self.space.count_parameters(archs, self.spec)
        return None if counted is None else {"params": counted.astype(np.float64)}

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """The costs among the proxies, such as parameters, which need no forward pass of a batch."""
        counted = self.cheap_all(Population.of(self.space.schema, [arch]), fidelity)
        if counted is not None:
            return {name: float(values[0]) for name, values in counted.items()}
        costs = [p for p in self.proxies if p.is_cost]
        scores = score_network(self.build(arch), costs, self.batch, seed=self.settings.seed, keep=False)
        return {name: score.value for name, score in scores.items()}

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Build and score; ``seed`` changes nothing, the protocol's counts.

        Raises:
            ConfigError: a fidelity below the full one is asked for.
            EvaluationError: the network cannot be scored, or not with a proxy that is required, or with none.
        """
        if fidelity != FULL_FIDELITY:
            raise ConfigError(
                "Proxies look at untrained networks of the protocol's resolution: drop --epochs and the other "
                f"fidelity settings, got {fidelity}."
            )
        scores = self.score(arch)
        reasons = {name: score.reason for name, score in scores.items() if math.isnan(score.value)}
        fatal = [n for n in reasons if n not in self.may_lack or len(reasons) == len(scores)]
        if fatal:
            raise EvaluationError("; ".join(reasons[name] for name in fatal))
        return Measured({name: score.value for name, score in scores.items()}, {}, reasons)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "batch"}
