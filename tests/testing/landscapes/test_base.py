"""What every landscape keeps: the contract of evaluators, whole populations, seeds, the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.cli.main import main
from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, CheapEvaluator, Evaluator
from gennas.search.screen import Screen
from gennas.spaces import Space, TaskSpec
from gennas.testing import EvaluatorContract
from gennas.testing.landscapes import (
    LANDSCAPES,
    BoundedLandscape,
    ChoiceSpace,
    DeepChain,
    NKLandscape,
    make_landscape,
)


@pytest.mark.parametrize("name", LANDSCAPES)
class TestEvery:
    @pytest.mark.parametrize("check", [name for name in vars(EvaluatorContract) if name.startswith("test_")])
    def test_is_an_evaluator(self, name: str, check: str) -> None:
        class Of(EvaluatorContract):
            def make(self, space: Space) -> Evaluator:
                return make_landscape(name, seed=2)

            def make_space(self) -> Space:
                return make_landscape(name).space

        getattr(Of(), check)()

    def test_a_population_has_the_values_of_its_members(self, name: str) -> None:
        landscape = make_landscape(name, seed=1)
        archs = landscape.space.sample(7, np.random.default_rng(0))
        columns = landscape.columns(archs)
        assert set(columns) == set(landscape.metrics)
        for i, arch in enumerate(archs):
            alone = landscape.evaluate(arch, FULL_FIDELITY, i)
            assert alone == pytest.approx({metric: column[i] for metric, column in columns.items()}, rel=1e-12)

    def test_the_seed_decides(self, name: str) -> None:
        first, again, other = (make_landscape(name, seed=seed) for seed in (3, 3, 4))
        archs = first.space.sample(5, np.random.default_rng(0))
        assert (first.values(archs) == again.values(archs)).all() and first.protocol == again.protocol
        assert (first.protocol != other.protocol) == (first.values(archs) != other.values(archs)).any()

    def test_the_screen_says_what_evaluations_say(self, name: str) -> None:
        landscape = make_landscape(name, seed=1)
        screen = landscape.screen()
        known = landscape.cheap_metrics if isinstance(landscape, CheapEvaluator) else ()
        assert (screen is None) == (not known)
        if screen is None or not isinstance(landscape, BoundedLandscape):
            return
        archs = landscape.space.sample(40, np.random.default_rng(0))
        plain = Screen(lambda arch: landscape.cheap(arch, FULL_FIDELITY), landscape.cheap_metrics)
        found = (screen.violation(archs, landscape.objectives), plain.violation(archs, landscape.objectives))
        assert found[0] == pytest.approx(found[1]) and found[0].any()
        assert screen.state_dict() == plain.state_dict() and screen.count == plain.count

    def test_values_are_in_deviations_of_random_architectures(self, name: str) -> None:
        landscape = make_landscape(name, seed=5)
        if landscape.goal != "score":
            return
        values = landscape.values(landscape.space.sample(4000, np.random.default_rng(9)))
        assert abs(values.mean()) < 0.08 and abs(values.std() - 1) < 0.05
        assert landscape.optimum is None or landscape.optimum > values.max()


def test_names() -> None:
    assert list(LANDSCAPES) == ["additive", "blocks", "macro12", "macro8", "nk", "rare", "rare-bought", "separable"]
    with pytest.raises(UnknownNameError, match="Did you mean blocks"):
        make_landscape("block")
    with pytest.raises(ConfigError, match="Unknown option 'partner'"):
        make_landscape("nk", partner=2)


@pytest.mark.parametrize("space", [ChoiceSpace(), DeepChain()])
def test_there_are_no_networks(space: Space) -> None:
    arch = space.sample(1, np.random.default_rng(0))[0]
    assert space.from_text(space.to_text(arch)) == arch
    with pytest.raises(ConfigError, match="has no networks"):
        space.build(arch, TaskSpec("image", (3, 8, 8), 10))


def test_spaces() -> None:
    assert ChoiceSpace(5, 3).size == 243 and DeepChain().schema.num_decisions == 75
    assert ChoiceSpace(ordinal=True).schema.ordinals == {"n1": 1.0, "n2": 2.0, "n3": 3.0, "n4": 4.0}
    with pytest.raises(ConfigError, match="two labels"):
        ChoiceSpace(5, 1)


def test_a_search_from_the_command_line(tmp_path: Path) -> None:
    words = [
        "--space",
        "gennas.testing.landscapes:ChoiceSpace",
        "--space-option",
        "decisions=6",
        "--space-option",
        "labels=2",
    ]
    words += ["--evaluator", "gennas.testing.landscapes:NKLandscape", "--evaluator-option", "seed=1"]
    words += ["--objective", "score:max", "--strategy", "random", "--budget", "64", "--out", str(tmp_path / "run")]
    assert main(["search", *words]) == 0
    landscape = NKLandscape(ChoiceSpace(6, 2), seed=1)
    everything = np.stack(np.meshgrid(*[range(2)] * 6), -1).reshape(-1, 6)
    best = max(landscape.evaluate(landscape.space.architecture(D), FULL_FIDELITY, 0)["score"] for D in everything)
    assert f'"score": {best}' in (tmp_path / "run" / "summary.json").read_text()
