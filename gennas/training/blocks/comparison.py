"""Networks of chosen blocks measured as they are: the best choice beside uniform shrinking and random choices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import nn

from gennas.errors import ConfigError
from gennas.eval.complexity import count_flops
from gennas.eval.hardware import Timing, measure_latencies
from gennas.runtime.threads import cpu_threads
from gennas.training.blocks.bounds import Bound
from gennas.training.blocks.choices import Choice, choose_blocks, knapsack_of, random_choices, uniform_choices
from gennas.training.blocks.knapsack import Knapsack
from gennas.training.blocks.library import BlockLibrary
from gennas.training.blocks.scoring import network_scores, require_metric
from gennas.training.trainer import Trainer

__all__ = ["Additivity", "Assembled", "Comparison", "compare_choices"]

OnNetwork = Callable[[str], None]
_UNIFORM_LIMIT = 64  # uniform choices that are measured; more than this is sorted by prediction first


@dataclass(frozen=True, eq=False)
class Assembled:
    """A network of chosen blocks, and what was measured of it.

    Args:
        name: ``parent``, ``chosen``, ``uniform`` or ``random 1``, ….
        choice: the block of every layer.
        text: of its architecture.
        costs: parameters, multiply-accumulates and, where it is bounded, latency, all measured.
        predicted: sum of what its blocks make worse, alone each.
        measured: what it makes worse, on the validation part; not a number for ``error``.
        validation: loss and scores before fine-tuning.
        test: the same on the test part; nothing is selected by it.
        tuned_validation: after fine-tuning, where there was one.
        tuned_test: after fine-tuning, where there was one.
        tuning_seconds: of fine-tuning.
        network: with its weights, after fine-tuning.
    """

    name: str
    choice: Choice
    text: str
    costs: Mapping[str, float]
    predicted: float
    measured: float
    validation: Mapping[str, float]
    test: Mapping[str, float]
    network: nn.Module
    tuned_validation: Mapping[str, float] = field(default_factory=dict)
    tuned_test: Mapping[str, float] = field(default_factory=dict)
    tuning_seconds: float = 0.0

    @property
    def reported(self) -> Mapping[str, float]:
        """Scores on the test part, after fine-tuning where there was one."""
        return self.tuned_test or self.test

    def record(self) -> dict[str, object]:
        """Plain values."""
        names = ("name", "text", "predicted", "measured", "tuning_seconds")
        parts = ("costs", "validation", "test", "tuned_validation", "tuned_test")
        plain = {name: getattr(self, name) for name in names}
        return plain | {"choice": list(self.choice)} | {name: dict(getattr(self, name)) for name in parts}


@dataclass(frozen=True)
class Additivity:
    """How well sums of single scores say what whole networks lose, over the random choices.

    Args:
        tau: Kendall's rank correlation of predicted and measured; not a number below three networks.
        mean_error: mean of measured less predicted.
        mean_absolute_error: mean of its size.
        n: number of networks.
    """

    tau: float
    mean_error: float
    mean_absolute_error: float
    n: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """The choice, and what it is compared with, at the same bounds and with the same blocks.

    Args:
        parent: as it came.
        chosen: the optimum of the knapsack.
        uniform: the best of all layers alike, by the validation part; None where none keeps the bounds.
        num_uniform: how many of these there were; each was measured.
        random: random feasible choices.
        additivity: over the random ones.
        seconds: of measuring all of them, without fine-tuning.
    """

    parent: Assembled
    chosen: Assembled
    uniform: Assembled | None
    num_uniform: int
    random: tuple[Assembled, ...]
    additivity: Additivity
    seconds: float

    @property
    def networks(self) -> list[Assembled]:
        """All of them, the parent first."""
        return [self.parent, self.chosen, *([] if self.uniform is None else [self.uniform]), *self.random]

    @property
    def tuning_seconds(self) -> float:
        """Seconds of fine-tuning of all networks."""
        return sum(network.tuning_seconds for network in self.networks)


def compare_choices(
    library: BlockLibrary,
    bounds: Sequence[Bound],
    metric: str = "loss",
    num_random: int = 8,
    finetune: int = 0,
    seed: int = 0,
    on_network: OnNetwork | None = None,
) -> Comparison:
    """Choose blocks, and measure the network beside uniform shrinking and random feasible choices.

    All are made of the same blocks, trained alike. Of the uniform choices all are measured on the validation part and
    the best is taken, which favours them: the chosen one is measured once. The test part is only reported.

    Args:
        library: whose blocks were scored.
        bounds: one or several.
        metric: what is added up and minimised, see :func:`increases`.
        num_random: random feasible choices.
        finetune: epochs of training by the library's recipe of each network but the parent; 0 for none.
        seed: of random choices and fine-tuning.
        on_network: called with the name of each network before it is measured.

    Raises:
        ConfigError: as :func:`choose_blocks`, or a number is negative.
        UnknownNameError: no such metric.
    """
    if num_random < 0 or finetune < 0:
        raise ConfigError(f"Expected numbers of at least 0, got random={num_random} and finetune={finetune}.")
    start = time.perf_counter()
    problem = knapsack_of(library, bounds, metric)
    choice = choose_blocks(library, bounds, metric)
    tell = on_network or (lambda name: None)
    with cpu_threads(library.config.threads):
        uniform, num_uniform = _best_uniform(library, problem.predicted, uniform_choices(library, problem))
        drawn = random_choices(library, problem, num_random, seed)
        named = [("parent", library.own_choice), ("chosen", choice)]
        named += [] if uniform is None else [("uniform", uniform)]
        named += [(f"random {i}", found) for i, found in enumerate(drawn, start=1)]
        networks = []
        for name, chosen in named:
            tell(name)
            networks.append(_measured(library, name, chosen, metric, problem))
    if any(bound.metric == "latency_ms" for bound in bounds):
        networks = _timed(library, networks)
    seconds = time.perf_counter() - start
    for i, network in enumerate(networks[1:] if finetune else [], start=1):
        tell(f"{network.name} after fine-tuning")
        networks[i] = _tuned(library, network, finetune, seed)
    parent, best, *rest = networks
    shrunk = None if uniform is None else rest.pop(0)
    return Comparison(parent, best, shrunk, num_uniform, tuple(rest), _additivity(rest), seconds)


def _measured(library: BlockLibrary, name: str, choice: Choice, metric: str, problem: Knapsack) -> Assembled:
    network = library.assemble(choice)
    counted = count_flops(network, library.example)
    costs = {"params": float(counted.params), "flops": float(counted.flops)}
    validation = network_scores(library, network, "validation")
    text = library.stack.space.to_text(library.architecture(choice))
    predicted, worse = float(problem.predicted(np.array([choice]))[0]), _worse(library, metric, validation)
    return Assembled(
        name, choice, text, costs, predicted, worse, validation, network_scores(library, network, "test"), network
    )


def _timed(library: BlockLibrary, networks: Sequence[Assembled]) -> list[Assembled]:
    """With latencies, measured in turn, so that a drift of the machine meets all networks."""
    timing = Timing(str(library.device))
    found = measure_latencies([network.network for network in networks], library.example, timing)
    return [
        replace(network, costs={**network.costs, "latency_ms": latency.median_ms})
        for network, latency in zip(networks, found, strict=True)
    ]


def _worse(library: BlockLibrary, metric: str, scores: Mapping[str, float]) -> float:
    """By how much scores are worse than the parent's; not a number for errors of single blocks."""
    if metric not in scores:
        return math.nan
    difference = scores[metric] - library.layers[0][0].scores[metric]
    return difference if require_metric(library.task, metric) == "min" else -difference


def _tuned(library: BlockLibrary, found: Assembled, epochs: int, seed: int) -> Assembled:
    """After a training of some epochs."""
    start = time.perf_counter()
    recipe = replace(library.config, epochs=epochs, schedule_epochs=None)
    network = found.network.requires_grad_(True)
    Trainer(library.task, recipe).fit(network, replace(library.fidelity, epochs=epochs), seed)
    seconds = time.perf_counter() - start
    network.to(library.device)
    validation, test = (network_scores(library, network, part) for part in ("validation", "test"))
    return replace(found, tuned_validation=validation, tuned_test=test, tuning_seconds=seconds)


def _best_uniform(
    library: BlockLibrary, predicted: Callable[..., np.ndarray], choices: Sequence[Choice]
) -> tuple[Choice | None, int]:
    """The uniform choice of least validation loss, and how many were measured."""
    if not choices:
        return None, 0
    order = np.argsort(predicted(np.array(choices)), kind="stable")[:_UNIFORM_LIMIT]
    kept = [choices[i] for i in order]
    losses = [network_scores(library, library.assemble(choice), "validation")["loss"] for choice in kept]
    return kept[int(np.argmin(losses))], len(kept)


def _additivity(networks: Sequence[Assembled]) -> Additivity:
    from scipy.stats import kendalltau

    pairs = np.array([[n.predicted, n.measured] for n in networks if math.isfinite(n.measured)]).reshape(-1, 2)
    gaps = pairs[:, 1] - pairs[:, 0]
    tau = float(kendalltau(pairs[:, 0], pairs[:, 1]).statistic) if len(pairs) > 2 else math.nan
    mean, size = (float(np.mean(x)) if len(pairs) else math.nan for x in (gaps, np.abs(gaps)))
    return Additivity(tau, mean, size, len(pairs))
