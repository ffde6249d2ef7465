"""Generators trained on finished runs of the published Cora table, with few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gennas import SearchConfig, run_search
from gennas.errors import CheckpointError, ConfigError, GennasError, UnknownNameError
from gennas.generators.autoregressive import AutoregressiveGenerator
from gennas.generators.base import NetworkGenerator
from gennas.generators.conditions import ConditionScale
from gennas.generators.trained import TrainedGenerator, generator_class
from gennas.models.autoregressive import DecisionVocabulary
from gennas.spaces import NASBench201, NASBenchGraph
from gennas.workbench.run import read_run
from gennas.workbench.train_generator import TrainGeneratorConfig, _distinct, draw_architectures, train_generator

SMALL = {"generator_option": ("dim=32",), "unlabelled": 100, "pretrain_steps": 10, "steps": 10}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished random searches: ``a`` and ``b`` on Cora with 60 evaluations each, ``c`` on CiteSeer."""
    folder = tmp_path_factory.mktemp("runs")
    for name, task, seed in (("a", "cora", 0), ("b", "cora", 1), ("c", "citeseer", 2)):
        constraint = ("latency_s<=0.004",)
        config = SearchConfig(
            "nasbench-graph", task=task, strategy="random", budget=60, seed=seed, constraint=constraint
        )
        run_search(SearchConfig.from_dict(config.to_dict() | {"out": str(folder / name)}), report=False)
    return folder


@pytest.fixture(scope="module")
def trained(runs: Path) -> TrainedGenerator:
    """Knows accuracy and latency of both runs on Cora, from enough steps to follow a condition."""
    config = TrainGeneratorConfig(
        archive=(runs / "a", runs / "b"), out=runs / "g", unlabelled=300, pretrain_steps=60, steps=150
    )
    return train_generator(config)


def values_of(run: Path, metric: str) -> dict[str, float]:
    found, archive = read_run(run)
    archive.close()
    return {t.arch.key: t.metrics[metric] for t in found.result.trials}


def test_the_folder_says_what_was_learned(trained: TrainedGenerator, runs: Path) -> None:
    found = TrainedGenerator.from_pretrained(runs / "g")
    assert isinstance(found.space, NASBenchGraph)
    accuracy, latency = found.scales  # the objective, then the constraint
    assert (accuracy.metric, accuracy.direction) == ("val_accuracy", "max")
    assert (latency.metric, latency.direction) == ("latency_s", "min")
    both = values_of(runs / "a", "latency_s") | values_of(runs / "b", "latency_s")
    assert list(latency.values) == sorted(both.values()) and found.known == set(both)
    (record,) = found.history
    assert record["architectures"] == len(both) and record["steps"] == {"pre-training": 60, "training": 150}
    assert record["archives"] == [str(runs / "a"), str(runs / "b")]


def test_a_condition_moves_what_is_drawn(trained: TrainedGenerator, runs: Path) -> None:
    from gennas.eval.tables import open_table

    table = open_table("nasbench-graph/cora", trained.space)
    latency = trained.scales[1]
    bound = float(np.quantile(latency.values, 0.25))

    def quick(condition: str) -> float:
        drawn = draw_architectures(trained, 300, condition)
        assert drawn.valid == drawn.tried == 300
        return float((np.asarray(table.lookup_population(drawn.archs)["latency_s"]) <= bound).mean())

    plain, asked, by_value = (quick(c) for c in ("", "latency_s<=0.25q", f"latency_s<={bound:.6g}"))
    assert plain < 0.5 < 0.65 < min(asked, by_value)


def test_drawing_is_seeded_counts_and_repeats_nothing_if_asked(trained: TrainedGenerator) -> None:
    one, same, other = (draw_architectures(trained, 40, "val_accuracy>=0.8q", seed) for seed in (1, 1, 2))
    assert one.archs.keys == same.archs.keys != other.archs.keys
    assert one.distinct == len(set(one.archs.keys)) and one.novel == len(set(one.archs.keys) - trained.known)
    assert (one.conditions[:, 0] >= 0.8).all() and np.isnan(one.conditions[:, 1]).all()
    unique = draw_architectures(trained, 40, "val_accuracy>=0.8q", 1, unique=True)
    assert len(unique.archs) == len(set(unique.archs.keys)) == 40 and len(unique.conditions) == 40
    assert unique.tried % 40 == 0 and unique.valid == unique.tried
    with pytest.raises(ConfigError, match="positive"):
        draw_architectures(trained, 0)
    with pytest.raises(UnknownNameError, match="params_m"):
        draw_architectures(trained, 5, "params_m<=1")


@pytest.mark.parametrize("kind", ["diffusion", "latent", "autoregressive"])
@pytest.mark.parametrize("condition", ["val_accuracy>=0.9q", "val_accuracy>=0.3q, ms<=0.8q", "ms<=0.05q", ""])
def test_the_network_sees_what_is_recorded_and_nothing_below_the_wish(
    kind: str, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = NASBench201()
    scales = (ConditionScale("val_accuracy", "max"), ConditionScale("ms", "min"))
    generator = generator_class(kind)(space.schema, space.legal, num_conditions=2)
    seen = seen_conditions(generator, monkeypatch)
    drawn = draw_architectures(TrainedGenerator(generator, space, scales=scales), 64, condition)
    rows = {tuple(row) for row in np.nan_to_num(np.concatenate(seen).astype(np.float32), nan=-1)}
    rows.discard((-1, -1))  # "any", which guidance needs
    expected = np.nan_to_num(drawn.conditions.astype(np.float32), nan=-1)
    assert rows == {tuple(row) for row in expected} - {(-1, -1)}
    assert (np.isnan(drawn.asked) | (drawn.conditions >= drawn.asked)).all() and len(drawn.conditions) == drawn.valid
    assert len(rows) == (64 if condition else 0)


def seen_conditions(generator: NetworkGenerator[Any, Any], monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Every condition that reaches the network, appended as it does."""
    seen: list[np.ndarray] = []
    if isinstance(generator, AutoregressiveGenerator):
        encode = DecisionVocabulary.encode_conditions

        def watched(vocabulary: DecisionVocabulary, conditions: np.ndarray) -> Any:
            seen.append(conditions)
            return encode(vocabulary, conditions)

        monkeypatch.setattr(DecisionVocabulary, "encode_conditions", watched)
        return seen

    def watch(_module: Any, args: tuple[Any, ...]) -> None:
        unknown = np.full((1, generator.num_conditions), np.nan)
        seen.append(unknown if len(args) < 3 or args[2] is None else args[2].numpy())

    generator.network.denoiser.register_forward_pre_hook(watch)
    return seen


def test_weights_move_on(trained: TrainedGenerator, runs: Path) -> None:
    """Without a step they are the same; the condition that both know keeps its meaning."""
    config = TrainGeneratorConfig(
        init=runs / "g", archive=(runs / "c",), conditions="latency_s", out=runs / "moved", steps=0
    )
    moved = train_generator(config)
    assert [s.metric for s in moved.scales] == ["latency_s"] and moved.kind == "diffusion"
    assert moved.known > trained.known and len(moved.history) == 2
    both, one = (g.generator.pipeline.denoiser for g in (trained, moved))
    assert (one.context[0].weight[:, :12] == both.context[0].weight[:, 12:24]).all()
    assert (one.slot == both.slot).all()
    assert list(moved.scales[0].values) == sorted(values_of(runs / "c", "latency_s").values())


def test_pretraining_goes_on_with_the_conditions_there_are(trained: TrainedGenerator, runs: Path) -> None:
    further = train_generator(TrainGeneratorConfig(init=runs / "g", pretrain_steps=2, out=runs / "further"))
    assert further.scales == trained.scales and further.history[-1]["steps"] == {"pre-training": 2}


@pytest.mark.parametrize(
    ("kind", "options"), [("autoregressive", ()), ("latent", ("autoencoder_steps=5", "num_steps=3"))]
)
def test_other_kinds(kind, options: tuple[str, ...], runs: Path, tmp_path: Path) -> None:
    heard = []
    small = SMALL | {"generator_option": ("dim=32", *options)}
    config = TrainGeneratorConfig(archive=(runs / "a",), kind=kind, out=tmp_path / "g", **small)
    train_generator(config, lambda stage, done, total: heard.append((stage, done, total)))
    assert heard[-1] == ("training", 10, 10) and ("pre-training", 10, 10) in heard
    found = TrainedGenerator.from_pretrained(tmp_path / "g")
    assert found.kind == kind
    assert len(draw_architectures(found, 7, "val_accuracy>=0.5q").archs) == 7


def test_the_same_seed_gives_the_same_weights(runs: Path, tmp_path: Path) -> None:
    keys = []
    for name, seed in (("x", 0), ("y", 0), ("z", 1)):
        config = TrainGeneratorConfig(archive=(runs / "a",), out=tmp_path / name, seed=seed, **SMALL)
        keys.append(draw_architectures(train_generator(config), 30).archs.keys)
    assert keys[0] == keys[1] != keys[2]


def test_a_search_saves_what_its_generator_knows(tmp_path: Path) -> None:
    options = ("warm_start=6", "round_size=3", "pool_size=40", "unlabelled=50", "pretrain_steps=3", "refit_steps=2")
    config = SearchConfig("nasbench-graph", task="proteins", strategy_option=options, budget=9, out=tmp_path / "run")
    run_search(config, report=False)
    found = TrainedGenerator.from_pretrained(tmp_path / "run")
    assert isinstance(found.space, NASBenchGraph) and found.space.variant == "proteins"
    (scale,) = found.scales
    assert (scale.metric, scale.direction) == ("val_accuracy", "max")
    measured = values_of(tmp_path / "run", "val_accuracy")
    assert set(scale.values) <= set(measured.values()) and found.known <= set(measured) and len(found.known) >= 6
    assert len(draw_architectures(found, 5, "val_accuracy>=0.9q").archs) == 5


def test_a_constrained_search_leaves_a_generator_that_knows_its_bounds(tmp_path: Path) -> None:
    options = ("warm_start=6", "round_size=3", "pool_size=40", "unlabelled=50", "pretrain_steps=3", "refit_steps=2")
    config = SearchConfig(
        "nasbench-graph",
        task="cora",
        strategy_option=options,
        budget=9,
        constraint=("latency_s<=0.004",),
        out=tmp_path / "run",
    )
    run_search(config, report=False)
    found = TrainedGenerator.from_pretrained(tmp_path / "run")
    assert [(s.metric, s.direction) for s in found.scales] == [("val_accuracy", "max"), ("latency_s", "min")]
    slower = np.mean(np.array(found.scales[1].values) > 0.004)
    asked = draw_architectures(found, 5, "val_accuracy>=0.9q, latency_s<=0.004").asked
    assert asked[0] == 0.9 and asked[1] == pytest.approx(slower)


def test_directions_are_the_columns_or_as_said(tmp_path: Path) -> None:
    space = NASBench201()
    archs = space.sample(30, np.random.default_rng(0)).unique()
    table = pd.DataFrame({"arch": [space.to_text(a) for a in archs], "acc": range(len(archs))})
    table.assign(heat=table["acc"] % 7).to_csv(tmp_path / "table.csv", index=False)
    config = SearchConfig(
        table=str(tmp_path / "table.csv"),
        objective=("acc:max", "heat:min"),
        strategy="random",
        budget=10,
        out=tmp_path / "run",
    )
    run_search(config, report=False)
    shared = {"archive": (tmp_path / "run",), **SMALL}
    first = train_generator(TrainGeneratorConfig(out=tmp_path / "g", **shared))
    assert [(s.metric, s.direction) for s in first.scales] == [("acc", "max"), ("heat", "min")]
    second = train_generator(TrainGeneratorConfig(out=tmp_path / "h", conditions="heat:max, acc", **shared))
    assert [(s.metric, s.direction) for s in second.scales] == [("heat", "max"), ("acc", "max")]


def test_repeated_architectures_count_once_with_their_mean() -> None:
    archs = NASBench201().sample(3, np.random.default_rng(0))[np.array([0, 1, 0, 2])]
    distinct, values = _distinct(archs, [{"a": 1.0, "b": 5.0}, {"a": 2.0}, {"a": 3.0}, {"a": 4.0}])
    by_key = {key: (a, b) for key, a, b in zip(distinct.keys, values["a"], values["b"], strict=True)}
    assert len(by_key) == 3
    assert by_key[archs.keys[0]] == (2.0, 5.0)
    assert by_key[archs.keys[1]][0] == 2.0 and np.isnan(by_key[archs.keys[1]][1])


def test_what_cannot_be_learned_is_explained_and_writes_nothing(runs: Path, tmp_path: Path, trained) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    a, c, g = runs / "a", runs / "c", runs / "g"
    cases: list[tuple[dict[str, object], type[GennasError], str]] = [
        ({}, ConfigError, "--space NAME"),
        ({"space": "nasbench-graph", "conditions": "val_accuracy"}, ConfigError, "--archive"),
        ({"archive": (a,), "conditions": "val_acc"}, UnknownNameError, "Did you mean val_accuracy"),
        ({"archive": (a,), "conditions": "val_accuracy,val_accuracy"}, ConfigError, "different"),
        ({"archive": (a, c)}, ConfigError, "never pooled"),
        ({"archive": (a,), "space": "nasbench201"}, ConfigError, "not of 'nasbench201'"),
        ({"archive": (runs / "nothing",)}, ConfigError, "config.yaml"),
        ({"archive": (a,), "generator_option": ("width=3",)}, ConfigError, "guidance_scale"),
        ({"archive": (a,), "steps": -1}, ConfigError, "at least 0"),
        ({"init": g, "kind": "latent"}, ConfigError, "kind diffusion"),
        ({"space": "nasbench201", "kind": "difusion"}, UnknownNameError, "Did you mean diffusion"),
        ({"space": "nasbench201", "kind": "collections:OrderedDict"}, ConfigError, "NetworkGenerator"),
        ({"init": g, "space": "nasbench201"}, CheckpointError, "nasbench201"),
        ({"init": g, "generator_option": ("dim=128",)}, CheckpointError, "shape"),
        ({"init": a}, CheckpointError, "none there"),
        ({"archive": (a,), "out": tmp_path / "full"}, ConfigError, "not empty"),
    ]
    for settings, error, reason in cases:
        out = settings.pop("out", tmp_path / "out")
        with pytest.raises(error, match=reason):
            train_generator(TrainGeneratorConfig(out=out, **settings))  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists() and len(list((tmp_path / "full").iterdir())) == 1


def test_record_is_plain_json(trained: TrainedGenerator, runs: Path) -> None:
    record = json.loads((runs / "g" / "gennas.json").read_text())
    assert record["space"] == {"name": "nasbench-graph", "options": {}, "task": "cora"}
    assert record["schema"] == trained.space.schema.fingerprint


def test_an_own_kind_of_generator_and_a_space_as_object(tmp_path: Path) -> None:
    (tmp_path / "own_kind.py").write_text(
        "from gennas.generators.autoregressive import AutoregressiveGenerator\n\n\n"
        'class Mine(AutoregressiveGenerator):\n    """A kind of one\'s own."""\n'
    )
    config = TrainGeneratorConfig(
        NASBench201(num_cells=1),
        kind=f"{tmp_path}/own_kind.py:Mine",
        unlabelled=10,
        pretrain_steps=1,
        out=tmp_path / "g",
    )
    trained = train_generator(config)
    assert type(trained.generator).__name__ == "Mine" and trained.source.options == {"num_cells": 1}
