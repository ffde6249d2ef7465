from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gennas.errors import CheckpointError, GennasError
from gennas.generators.autoregressive import AutoregressiveSettings
from gennas.generators.conditions import ConditionScale
from gennas.generators.diffusion import DiffusionSettings
from gennas.generators.latent import LatentSettings
from gennas.generators.trained import SpaceSource, TrainedGenerator, generator_class
from gennas.spaces import NASBench201, NASBenchGraph

SETTINGS = {
    "diffusion": DiffusionSettings(dim=16, num_layers=1, num_steps=2),
    "autoregressive": AutoregressiveSettings(dim=16, num_layers=1),
    "latent": LatentSettings(dim=16, num_layers=1, num_steps=2),
}
SCALES = (ConditionScale("acc", "max", (0.1, 0.9)), ConditionScale("ms", "min", (1.0, 3.5)))


def trained(kind: str = "diffusion", source: SpaceSource | None = None) -> TrainedGenerator:
    source = source or SpaceSource("nasbench-graph", {"hidden": 32}, "proteins")
    space = source.make()
    generator = generator_class(kind)(space.schema, space.legal, 2, SETTINGS[kind], 3)
    return TrainedGenerator(generator, space, source, SCALES, frozenset({"ab", "cd"}), ({"seed": 1},))


@pytest.mark.parametrize("kind", SETTINGS)
def test_everything_comes_back_without_being_named(kind: str, tmp_path) -> None:
    saved = trained(kind)
    saved.save_pretrained(tmp_path / "g")
    found = TrainedGenerator.from_pretrained(tmp_path / "g")
    assert (found.kind, found.scales, found.known, found.history) == (kind, SCALES, {"ab", "cd"}, ({"seed": 1},))
    assert isinstance(found.space, NASBenchGraph)
    assert found.space.variant == "proteins" and found.space.hidden == 32
    draw = [g.generator.sample(20, np.array([0.9, np.nan]), seed=1).decisions for g in (saved, found)]
    assert (draw[0] == draw[1]).all()


def test_bare_files_need_a_space_and_know_quantiles_only(tmp_path) -> None:
    space = NASBench201()
    generator_class("diffusion")(space.schema, space.legal, 1, SETTINGS["diffusion"]).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="--space"):
        TrainedGenerator.from_pretrained(tmp_path)
    found = TrainedGenerator.from_pretrained(tmp_path, space)
    assert found.scales == (ConditionScale("quality", "max"),) and found.source is None and not found.known
    with pytest.raises(CheckpointError, match="nasbench201"):
        TrainedGenerator.from_pretrained(tmp_path, NASBenchGraph())


def test_a_run_means_its_last_generator(tmp_path) -> None:
    for name, seed in (("round-002", 2), ("round-999", 3), ("round-1000", 4)):
        saved = trained()
        saved = TrainedGenerator(saved.generator, saved.space, saved.source, SCALES, history=({"seed": seed},))
        saved.save_pretrained(tmp_path / "generator" / name)
    assert TrainedGenerator.from_pretrained(tmp_path).history == ({"seed": 4},)


def test_weights_do_not_bring_code(tmp_path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('executed')\n")
    saved = trained()
    saved.save_pretrained(tmp_path / "g")
    record = json.loads((tmp_path / "g" / "gennas.json").read_text())
    record["space"]["name"] = f"{tmp_path / 'own.py'}:Space"
    (tmp_path / "g" / "gennas.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="trust"):
        TrainedGenerator.from_pretrained(tmp_path / "g")
    assert TrainedGenerator.from_pretrained(tmp_path / "g", saved.space).space is saved.space


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "diffusion"}', '{"space": null}'])
def test_a_damaged_record_is_refused(content: str, tmp_path) -> None:
    trained().save_pretrained(tmp_path)
    (tmp_path / "gennas.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"gennas\.json"):
        TrainedGenerator.from_pretrained(tmp_path)


def test_conditions_and_weights_must_agree(tmp_path) -> None:
    trained().save_pretrained(tmp_path)
    record = json.loads((tmp_path / "gennas.json").read_text())
    (tmp_path / "gennas.json").write_text(json.dumps(record | {"conditions": record["conditions"][:1]}))
    with pytest.raises(CheckpointError, match="names 1 conditions, the weights know 2"):
        TrainedGenerator.from_pretrained(tmp_path)
    (tmp_path / "gennas.json").write_text(json.dumps(record | {"kind": "oracle"}))
    with pytest.raises(CheckpointError, match="oracle"):
        TrainedGenerator.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="none there"):
        TrainedGenerator.from_pretrained(tmp_path / "nothing")


def test_a_condition_goes_on_if_metric_and_direction_are_the_same() -> None:
    old = trained()
    scales = [ConditionScale("ms", "max", (1.0,)), ConditionScale("acc", "max", (0.3,))]
    new = old.for_conditions(scales)
    # Columns of the context layer: 12 waves for each condition, then a flag for each.
    mine, theirs = (g.generator.pipeline.denoiser.context[0].weight for g in (new, old))
    assert (mine[:, 12:24] == theirs[:, :12]).all() and (mine[:, 25] == theirs[:, 24]).all()
    assert (mine[:, :12] != theirs[:, 12:24]).any()
    assert new.scales == tuple(scales) and new.known == old.known


WRONG = (None, 3, "x", ["x"], {"x": 1}, [None], [[1]], 10**400, float("nan"))


@pytest.mark.parametrize("field", ["kind", "schema", "space", "conditions", "known", "history"])
def test_every_field_of_another_type_is_refused_or_read(field: str, tmp_path) -> None:
    space = NASBench201()
    made = generator_class("diffusion")(space.schema, space.legal, num_conditions=1)
    scales = (ConditionScale("acc", "max", (0.1, 0.2)),)
    TrainedGenerator(made, space, SpaceSource("nasbench201"), scales).save_pretrained(tmp_path)
    record = json.loads((tmp_path / "gennas.json").read_text())
    admitted = {"schema": len(WRONG), "space": 0, "known": 1}  # the schema stands in the weights, too
    read = 0
    for value in WRONG:
        (tmp_path / "gennas.json").write_text(json.dumps({**record, field: value}))
        try:
            TrainedGenerator.from_pretrained(tmp_path)
            read += 1
        except GennasError as error:
            assert len(str(error)) < 600 and "\n" not in str(error)
    assert read == admitted.get(field, 0)
    (tmp_path / "gennas.json").write_text(json.dumps({k: v for k, v in record.items() if k != field}))
    if field != "schema":
        with pytest.raises(CheckpointError, match=r"cannot be read .KeyError"):
            TrainedGenerator.from_pretrained(tmp_path)


@pytest.mark.parametrize("kind", ["diffusion", "autoregressive", "latent"])
def test_every_setting_of_another_type_is_refused(kind: str, tmp_path) -> None:
    space = NASBench201()
    TrainedGenerator(generator_class(kind)(space.schema, space.legal, num_conditions=1), space).save_pretrained(
        tmp_path
    )
    settings = json.loads((tmp_path / "generator.json").read_text())
    for name in settings:
        for value in ([None], {"a": 1}, [[1]]):
            (tmp_path / "generator.json").write_text(json.dumps({**settings, name: value}))
            with pytest.raises(CheckpointError, match="Expected a generator's settings"):
                TrainedGenerator.from_pretrained(tmp_path, space)


@pytest.mark.parametrize("kind", ["diffusion", "autoregressive", "latent"])
def test_weights_that_are_missing_or_not_finite_are_not_drawn_at_random(kind: str, tmp_path) -> None:
    space = NASBench201()
    TrainedGenerator(generator_class(kind)(space.schema, space.legal, num_conditions=1), space).save_pretrained(
        tmp_path
    )
    file = sorted(tmp_path.rglob("*.safetensors"))[0]
    sound = load_file(file)
    name = next(n for n in sound if n.endswith("weight"))
    for damaged in (
        {n: t for n, t in sound.items() if n != name},
        {**sound, name: sound[name] * float("nan")},
        {**sound, "more": torch.zeros(1)},
    ):
        save_file(damaged, file, {"format": "pt"})
        with pytest.raises(CheckpointError, match="damaged or of another network"):
            TrainedGenerator.from_pretrained(tmp_path, space)


@pytest.mark.parametrize("kind", ["diffusion", "autoregressive", "latent"])
def test_sizes_that_the_weights_cannot_be_of_are_refused_at_once(kind: str, tmp_path) -> None:
    space = NASBench201()
    TrainedGenerator(generator_class(kind)(space.schema, space.legal, num_conditions=1), space).save_pretrained(
        tmp_path
    )
    for file in tmp_path.rglob("config.json"):
        sound = file.read_text()
        config = json.loads(sound)
        for name in [n for n, value in config.items() if type(value) is int and ("layers" in n or "dim" in n)]:
            file.write_text(json.dumps({**config, name: 2**31}))
            start = time.process_time()
            with pytest.raises(CheckpointError, match="of at most"):
                TrainedGenerator.from_pretrained(tmp_path, space)
            assert time.process_time() - start < 2
        file.write_text(sound)
