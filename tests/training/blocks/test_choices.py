"""Choices under bounds: the optimum, all layers alike, at random; and what whole networks say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.training.blocks import (
    BlockLibrary,
    Bound,
    choose_blocks,
    compare_choices,
    increases,
    measure_latencies_of,
    random_choices,
    uniform_choices,
)
from gennas.training.blocks.choices import knapsack_of


@pytest.mark.parametrize(
    "texts", [["params<=0.9x"], ["params<=0.6x"], ["flops<=0.5x"], ["params<=0.7x", "flops<=0.6x"]]
)
@pytest.mark.parametrize("metric", ["loss", "error"])
@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_the_choice_keeps_its_bounds(name: str, metric: str, texts: list[str], request: pytest.FixtureRequest) -> None:
    library: BlockLibrary = request.getfixturevalue(f"{name}_library")
    bounds = [Bound.parse(text) for text in texts]
    found = compare_choices(library, bounds, metric, num_random=3)
    for network in (found.chosen, *found.random, *([found.uniform] if found.uniform else [])):
        for bound in bounds:
            assert network.costs[bound.metric] <= bound.limit(library.parent_costs[bound.metric])
    others = [*found.random, *([found.uniform] if found.uniform else [])]
    assert all(found.chosen.predicted <= network.predicted + 1e-12 for network in others)


def test_a_parent_that_already_fits_stays(gpt_library: BlockLibrary) -> None:
    choice = choose_blocks(gpt_library, [Bound("params", 1.0)], "error")
    assert choice == gpt_library.own_choice


def test_uniform_choices(vit_library: BlockLibrary) -> None:
    problem = knapsack_of(vit_library, [Bound("params", 1.0)])
    found = uniform_choices(vit_library, problem)
    texts = [[blocks[k].text for blocks, k in zip(vit_library.layers, choice, strict=True)] for choice in found]
    assert len(found) == 4 * 3 - 1  # four blocks in three depths, without the parent
    for text in texts:
        kept = [t for t in text if t != "out"]
        assert len(set(kept)) == 1 and text == [*kept, *["out"] * (3 - len(kept))]


def test_random_choices_are_networks(gpt_library: BlockLibrary) -> None:
    problem = knapsack_of(gpt_library, [Bound("params", 0.6)])
    found = random_choices(gpt_library, problem, 20, seed=1)
    assert len(set(found)) == 20 and found == random_choices(gpt_library, problem, 20, seed=1)
    assert len({gpt_library.stack.space.to_text(gpt_library.architecture(c)) for c in found}) > 10


def test_bounds_that_nothing_keeps(vit_library: BlockLibrary) -> None:
    with pytest.raises(ConfigError, match="the smallest choice of blocks has") as caught:
        choose_blocks(vit_library, [Bound("params", 0.01)])
    assert "\n" not in str(caught.value) and "outside of its layers" in str(caught.value)
    with pytest.raises(ConfigError, match="the smallest choice of blocks"):
        choose_blocks(vit_library, [Bound("params", 10, is_relative=False)])
    with pytest.raises(ConfigError, match="at most the parent's params"):
        choose_blocks(vit_library, [Bound("params", 1e9, is_relative=False)])
    with pytest.raises(ConfigError, match="one bound for each"):
        choose_blocks(vit_library, [Bound("params", 0.5), Bound("params", 0.6)])
    with pytest.raises(ConfigError, match="got none"):
        choose_blocks(vit_library, [])
    with pytest.raises(UnknownNameError, match="accuracy"):
        choose_blocks(vit_library, [Bound("params", 0.5)], "acuracy")


def test_bounds_that_nothing_keeps_together(vit_library: BlockLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is small is slow, each bound can be kept alone."""
    for blocks in vit_library.layers:
        for block in blocks:
            monkeypatch.setattr(block, "latency_ms", 5.0 if block.params < 1000 else 1.0)
    monkeypatch.setitem(vit_library.parent_costs, "latency_ms", 3.0)
    half, slow = Bound("params", 0.5), Bound("latency_ms", 3.0, is_relative=False)
    assert choose_blocks(vit_library, [half]) and choose_blocks(vit_library, [slow])
    with pytest.raises(ConfigError, match=r"Nothing keeps params<=0.5x and latency_ms<=3 together"):
        choose_blocks(vit_library, [half, slow])


def test_scores_of_other_metrics(vit_library: BlockLibrary) -> None:
    """Worse is positive, whichever way a metric is better."""
    for metric, sign in (("loss", 1), ("accuracy", -1)):
        for blocks, worse in zip(vit_library.layers, increases(vit_library, metric), strict=True):
            scores = np.array([block.scores[metric] for block in blocks])
            assert worse[0] == 0 and np.allclose(worse, sign * (scores - scores[0]))


def test_latency_is_measured_before_it_is_bounded(gpt_library: BlockLibrary) -> None:
    gpt_library.parent_costs.pop("latency_ms", None)
    with pytest.raises(ConfigError, match="measure_latencies_of"):
        choose_blocks(gpt_library, [Bound("latency_ms", 0.9)])


@pytest.mark.slow
def test_bounds_on_latency(gpt_library: BlockLibrary) -> None:
    assert measure_latencies_of(gpt_library, seconds=0.02) > 0
    choice = choose_blocks(gpt_library, [Bound("latency_ms", 0.8)])
    total = gpt_library.rest("latency_ms") + sum(
        b[k].latency_ms for b, k in zip(gpt_library.layers, choice, strict=True)
    )
    assert total <= 0.8 * gpt_library.parent_costs["latency_ms"] + 1e-9
    found = compare_choices(gpt_library, [Bound("latency_ms", 0.8)], num_random=1)
    assert all(network.costs["latency_ms"] > 0 for network in found.networks)


def test_comparison_and_fine_tuning(vit_library: BlockLibrary) -> None:
    found = compare_choices(vit_library, [Bound("params", 0.6)], num_random=4, finetune=1)
    assert [n.name for n in found.networks] == ["parent", "chosen", "uniform", *(f"random {i}" for i in range(1, 5))]
    assert found.parent.measured == 0 and not found.parent.tuned_test and found.additivity.n == 4
    gaps = [n.measured - n.predicted for n in found.random]
    assert found.additivity.mean_absolute_error == pytest.approx(np.mean(np.abs(gaps)))
    assert -1 <= found.additivity.tau <= 1
    for network in found.networks[1:]:
        assert network.tuned_validation["loss"] < network.validation["loss"] and network.tuning_seconds > 0
        assert network.measured == pytest.approx(network.validation["loss"] - found.parent.validation["loss"])
    assert found.tuning_seconds == pytest.approx(sum(n.tuning_seconds for n in found.networks))
    error = compare_choices(vit_library, [Bound("params", 0.6)], "error", num_random=0)
    assert math.isnan(error.chosen.measured) and math.isnan(error.additivity.tau) and error.random == ()


def test_the_uniform_choice_is_the_best_of_all(vit_library: BlockLibrary) -> None:
    bounds = [Bound("params", 0.6)]
    found = compare_choices(vit_library, bounds, num_random=0)
    problem = knapsack_of(vit_library, bounds)
    from gennas.training.blocks.scoring import network_scores

    choices = uniform_choices(vit_library, problem)
    losses = [network_scores(vit_library, vit_library.assemble(c), "validation")["loss"] for c in choices]
    assert found.uniform is not None and found.num_uniform == len(choices)
    assert found.uniform.validation["loss"] == pytest.approx(min(losses))
