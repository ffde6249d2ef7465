"""Drawing from a space or a saved generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import CheckpointError, ConfigError, UnknownNameError
from gennas.generators.conditions import ConditionScale
from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings
from gennas.generators.trained import SpaceSource, TrainedGenerator
from gennas.spaces import MacroChain, NASBench201
from gennas.workbench.sample import SampleSettings, sample_generator, sample_space


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained generator of small chains, with one condition."""
    source = SpaceSource("macro-chain", {"max_depth": 2, "widths": [4, 8]}, "")
    space = source.make()
    generator = DiffusionGenerator(space.schema, space.legal, 1, DiffusionSettings(dim=16, num_layers=1, num_steps=2))
    path = tmp_path_factory.mktemp("generators") / "g"
    scales = (ConditionScale("ms", "min", tuple(float(i) for i in range(11))),)
    TrainedGenerator(generator, space, source, scales, frozenset(), ({"seed": 1},)).save_pretrained(path)
    return path


def test_a_space_is_drawn_from_as_it_draws_itself() -> None:
    space, archs = sample_space(SampleSettings(n=7, seed=3))
    assert isinstance(space, NASBench201) and archs.keys == space.sample(7, np.random.default_rng(3)).keys


def test_spaces_with_options_and_without_repetition() -> None:
    options = {"max_depth": 1, "min_depth": 1, "widths": [4], "kernels": [3]}
    space, archs = sample_space(SampleSettings(space="macro-chain", space_option=options, n=100, unique=True))
    assert isinstance(space, MacroChain) and len(archs) == len(set(archs.keys)) == space.size == 6
    _, repeated = sample_space(SampleSettings(space="macro-chain", space_option=options, n=100))
    assert len(repeated) == 100 and set(repeated.keys) == set(archs.keys)


def test_a_generator_brings_its_space(folder: Path) -> None:
    trained, drawn = sample_generator(SampleSettings(generator=folder, n=9))
    assert isinstance(trained.space, MacroChain) and trained.space.choices[2] == (4, 8)
    assert len(drawn.archs) == 9 and trained.space.is_valid(drawn.archs).all() and drawn.novel is None
    again, other = (sample_generator(SampleSettings(generator=folder, n=9, seed=s))[1].archs.keys for s in (0, 1))
    assert again == drawn.archs.keys != other


@pytest.mark.parametrize(("text", "best"), [("ms<=2", 8 / 11), ("ms<=0.3q", 0.7), ("ms<=0.05q", 0.95)])
def test_conditions_are_quantiles_of_what_was_trained_on(text: str, best: float, folder: Path) -> None:
    """Of 0, 1, …, 10 ms eight are worse than 2."""
    _, drawn = sample_generator(SampleSettings(generator=folder, n=5, condition=text))
    assert drawn.asked.tolist() == pytest.approx([best])
    assert drawn.conditions.shape == (5, 1) and (drawn.conditions >= best - 1e-9).all()


def test_each_once_if_that_is_wished(folder: Path) -> None:
    _, drawn = sample_generator(SampleSettings(generator=folder, n=20, unique=True))
    assert len(set(drawn.archs.keys)) == len(drawn.archs) == 20 and drawn.tried >= 20


def test_a_generator_of_another_space_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="macro-chain"):
        sample_generator(SampleSettings(generator=folder, space="nasbench201"))


@pytest.mark.parametrize("condition", ["speed<=2", "ms>=2", "ms", "ms<=q"])
def test_wishes_that_nobody_can_hear(condition: str, folder: Path) -> None:
    with pytest.raises((ConfigError, UnknownNameError)):
        sample_generator(SampleSettings(generator=folder, condition=condition))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"out": Path("s.csv")}, "Expected --out to end in .txt or .jsonl, got 's.csv'."),
        ({"out": Path("samples")}, "Expected --out to end in .txt or .jsonl"),
        ({"condition": "ms<=1"}, "--condition asks a generator: give --generator DIR too."),
        ({"n": 0}, "--n: expected at least 1, got 0."),
    ],
)
def test_settings_that_contradict_themselves(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SampleSettings(**settings)  # type: ignore[arg-type]
    assert complaint in str(caught.value)
