from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.diffusion import ArchitectureDiffusionPipeline, CategoricalScheduler, GraphDenoiser


def make(
    schema: GraphSchema, kernel: str = "absorbing", T: int = 8, sharp: float = 0.0
) -> ArchitectureDiffusionPipeline:
    torch.manual_seed(0)
    denoiser = GraphDenoiser.for_schema(schema, num_conditions=1, dim=16, num_layers=1, num_heads=2).eval()
    if sharp:
        torch.nn.init.normal_(denoiser.head.weight, std=sharp / 4)
    return ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler(T, kernel))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exactly_one_edge(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
    """Legality of the mixed schema, columns node 1, 0->1, 0->2, 1->2: one edge in all."""
    if t == 0:
        return np.tile([False, True, True], (len(D), 1))
    used = (D[:, 1:t] > 0).any(1)
    legal = np.stack([np.ones(len(D), bool), ~used, ~used], 1)
    if t == 3:
        legal[:, 0] = used
    return legal


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
@pytest.mark.parametrize("num_steps", [1, 3, 8])
def test_untrained_sampling_is_uniform_over_decisions(chain: GraphSchema, kernel: str, num_steps: int) -> None:
    D = make(chain, kernel)(4000, num_steps=num_steps, generator=seeded(0)).decisions
    counts = np.bincount(D @ np.array([1, 2, 4, 8]), minlength=16)
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_legality_holds_for_every_sample(mixed: GraphSchema, kernel: str) -> None:
    D = make(mixed, kernel, sharp=2.0)(500, num_steps=3, generator=seeded(0), legal=exactly_one_edge).decisions
    assert ((D[:, 1:] > 0).sum(1) == 1).all()
    assert len(np.unique(D, axis=0)) > 3


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_elbo_bounds_the_likelihood_and_is_tight_for_an_independent_model(mixed: GraphSchema, kernel: str) -> None:
    """An untrained model is uniform over 2 * 27 graphs, and there the bound is exact: log 54."""
    D = np.array(list(itertools.product([1, 2], range(3), range(3), range(3))))
    archs = Population.from_decisions(mixed, np.tile(D, (20, 1)))
    bound = make(mixed, kernel).elbo(archs, generator=seeded(0))
    assert bound.shape == (1080,)
    assert bound.mean() == pytest.approx(np.log(54), rel=0.05)
    sharp = make(mixed, kernel, sharp=2.0)
    many = Population.from_decisions(mixed, np.tile(D, (100, 1)))
    bounds = sharp.elbo(many, num_steps=4, generator=seeded(0)).reshape(100, 54).mean(0)
    drawn = sharp(20_000, num_steps=4, generator=seeded(1)).decisions
    counts = np.array([(drawn == d).all(1).sum() for d in D])
    common = counts > 200
    assert common.any()
    assert (bounds[common] >= -np.log(counts[common] / 20_000) - 0.3).all()


def test_fixed_decisions_are_kept(mixed: GraphSchema) -> None:
    pipeline = make(mixed, sharp=2.0)
    fixed = np.array([2, -1, 1, -1])
    D = pipeline(200, num_steps=4, generator=seeded(0), fixed=fixed).decisions
    assert (D[:, [0, 2]] == [2, 1]).all() and len(np.unique(D, axis=0)) > 1
    legal = pipeline(200, num_steps=4, generator=seeded(0), fixed=fixed, legal=exactly_one_edge).decisions
    assert (legal == [2, 0, 1, 0]).all()
    rows = np.array([[1, -1, -1, -1], [2, -1, -1, -1]])
    assert pipeline(2, num_steps=4, fixed=rows).decisions[:, 0].tolist() == [1, 2]


def test_impossible_fixed_decisions_are_refused(mixed: GraphSchema) -> None:
    pipeline = make(mixed)
    with pytest.raises(ConfigError, match="no legal architecture"):
        pipeline(3, num_steps=2, fixed=np.array([1, 1, 1, -1]), legal=exactly_one_edge)
    with pytest.raises(ConfigError, match="does not allow"):
        pipeline(3, num_steps=2, fixed=np.array([0, -1, -1, -1]))
    with pytest.raises(ConfigError, match=r"\(4,\) or \(3, 4\)"):
        pipeline(3, num_steps=2, fixed=np.array([1, -1]))


def test_guidance_is_the_stated_combination(mixed: GraphSchema) -> None:
    pipeline = make(mixed, sharp=1.0)
    x, c = torch.tensor([[3, 0, 3, 2], [3, 3, 3, 3]]), torch.tensor([[0.9], [0.1]])
    time = torch.full((2,), 5 / 8)
    with torch.inference_mode():
        conditional, free = pipeline.denoiser(x, time, c), pipeline.denoiser(x, time)
        for w in (0.0, 1.0, 2.5):
            want = torch.where(pipeline.denoiser.mask, free + w * (conditional - free), -torch.inf)
            torch.testing.assert_close(pipeline.predict(x, 5, c, w), want)


def test_equal_rows_are_predicted_alike_and_in_place(mixed: GraphSchema) -> None:
    pipeline = make(mixed, sharp=1.0)
    x = torch.tensor([[3, 0, 3, 2], [1, 1, 1, 1], [3, 0, 3, 2], [2, 2, 2, 2]])
    c = torch.tensor([[0.5], [0.5], [0.5], [torch.nan]])
    with torch.inference_mode():
        together = pipeline.predict(x, 4, c, 2.0)
        for i in range(4):
            torch.testing.assert_close(pipeline.predict(x[i : i + 1], 4, c[i : i + 1], 2.0)[0], together[i])


def test_round_trip_through_files(mixed: GraphSchema, tmp_path: Path) -> None:
    pipeline = make(mixed, "uniform", sharp=2.0)
    pipeline.save_pretrained(tmp_path)
    loaded = ArchitectureDiffusionPipeline.from_pretrained(tmp_path, mixed)
    assert loaded.scheduler.kernel == "uniform" and loaded.schema.fingerprint == mixed.fingerprint
    draws = [p(64, num_steps=4, generator=seeded(3)).decisions for p in (pipeline, loaded)]
    assert (draws[0] == draws[1]).all()


@pytest.mark.parametrize(
    "file", ["model_index.json", "denoiser/config.json", "denoiser/diffusion_pytorch_model.safetensors"]
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_files_are_refused(mixed: GraphSchema, tmp_path: Path, file: str, damage: str) -> None:
    make(mixed).save_pretrained(tmp_path)
    if damage == "missing":
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:40])
    if (file, damage) == ("model_index.json", "cut"):
        return  # only its presence is needed: the parts say what they are
    with pytest.raises(CheckpointError):
        ArchitectureDiffusionPipeline.from_pretrained(tmp_path)


def test_edited_schema_is_refused(mixed: GraphSchema, tmp_path: Path) -> None:
    make(mixed).save_pretrained(tmp_path)
    config = tmp_path / "denoiser" / "config.json"
    content = json.loads(config.read_text())
    content["schema"]["node_labels"][1] = "other"
    config.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="fingerprint"):
        ArchitectureDiffusionPipeline.from_pretrained(tmp_path)


def test_conditions_of_the_wrong_shape_are_refused(mixed: GraphSchema) -> None:
    with pytest.raises(ConfigError, match=r"\(1,\) or \(5, 1\)"):
        make(mixed)(5, conditions=np.zeros((4, 1)))


def test_inpainting_under_legality_is_exact_conditioning(mixed: GraphSchema) -> None:
    """With one edge in all and 1->2 fixed (the last decided), the node is as likely as among such samples."""
    pipeline = make(mixed, sharp=3.0)
    free = pipeline(6000, num_steps=1, generator=seeded(0), legal=exactly_one_edge).decisions
    want = free[free[:, 3] == 2]
    fixed = pipeline(2000, num_steps=1, generator=seeded(1), legal=exactly_one_edge, fixed=np.array([-1, -1, -1, 2]))
    assert (fixed.decisions[:, 1:] == [0, 0, 2]).all()
    assert (fixed.decisions[:, 0] == 1).mean() == pytest.approx((want[:, 0] == 1).mean(), abs=0.05)


def test_rows_that_did_not_change_need_no_second_prediction(mixed: GraphSchema) -> None:
    """A network without time draws the same whether or not it is asked again."""
    torch.manual_seed(0)
    denoiser = GraphDenoiser.for_schema(mixed, num_conditions=1, dim=16, num_layers=1, timed=False).eval()
    torch.nn.init.normal_(denoiser.head.weight)
    pipeline = ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler(20))
    x, c = torch.tensor([[3, 0, 3, 2], [3, 3, 3, 3]]), torch.tensor([[0.2], [0.9]])
    torch.testing.assert_close(pipeline.predict(x, 3, c), pipeline.predict(x, 19, c))
    spared = pipeline(300, np.array([0.9]), num_steps=20, generator=seeded(2)).decisions
    pipeline._stale = lambda before, x: torch.ones(len(x), dtype=torch.bool)
    assert (pipeline(300, np.array([0.9]), num_steps=20, generator=seeded(2)).decisions == spared).all()


def test_guidance_may_differ_by_row_and_by_time(mixed: GraphSchema) -> None:
    pipeline = make(mixed, sharp=1.0)
    x, c = torch.tensor([[3, 0, 3, 2], [3, 3, 3, 3]]), torch.tensor([[0.9], [0.1]])
    with torch.inference_mode():
        rows = pipeline.predict(x, 5, c, torch.tensor([0.5, 3.0]))
        for i, w in enumerate((0.5, 3.0)):
            torch.testing.assert_close(rows[i], pipeline.predict(x, 5, c, w)[i])
    ask = {"conditions": np.array([0.9]), "num_steps": 4}
    plain = pipeline(100, guidance_scale=1.0, generator=seeded(0), **ask).decisions
    never = pipeline(100, guidance_scale=4.0, guidance_interval=(0.0, 0.0), generator=seeded(0), **ask).decisions
    always = pipeline(100, guidance_scale=4.0, generator=seeded(0), **ask).decisions
    assert (never == plain).all() and (always != plain).any()
    with pytest.raises(ConfigError, match="guidance scale"):
        pipeline(5, guidance_scale=np.ones(3))


def test_temperature_flattens(mixed: GraphSchema) -> None:
    pipeline = make(mixed, sharp=6.0)
    count = [len(np.unique(pipeline(400, generator=seeded(0), temperature=T).decisions, axis=0)) for T in (0.1, 1, 50)]
    assert count[0] < count[1] < count[2]


def all_of(mixed: GraphSchema, legal: bool) -> Population:
    """Every graph of the mixed schema, or those with exactly one edge."""
    D = np.array(list(itertools.product([1, 2], range(3), range(3), range(3))))
    return Population.from_decisions(mixed, D[(D[:, 1:] > 0).sum(1) == 1] if legal else D)


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_no_noise_returns_the_parents_and_more_noise_keeps_less(mixed: GraphSchema, kernel: str) -> None:
    pipeline, archs = make(mixed, kernel, sharp=2.0), all_of(mixed, legal=True)
    many = Population.concat([archs] * 40)
    kept = []
    for strength in (0.0, 0.25, 0.5, 1.0):
        children = pipeline.renoise(many, strength, generator=seeded(0), legal=exactly_one_edge)
        assert ((children.decisions[:, 1:] > 0).sum(1) == 1).all()
        kept.append((children.decisions == many.decisions).all(1).mean())
    assert kept[0] == 1.0 and kept[0] > kept[1] > kept[2] > kept[3]


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_full_noise_is_unconditional_sampling(mixed: GraphSchema, kernel: str) -> None:
    pipeline, parent = make(mixed, kernel, sharp=3.0), all_of(mixed, legal=True)[:1]
    drawn = pipeline(3000, num_steps=4, generator=seeded(0), legal=exactly_one_edge).decisions
    many = Population.concat([parent] * 3000)
    again = pipeline.renoise(many, 1.0, num_steps=4, generator=seeded(1), legal=exactly_one_edge).decisions
    code = np.array([27, 9, 3, 1])
    values = np.unique(np.concatenate([drawn, again]) @ code)
    table = np.array([[(D @ code == v).sum() for v in values] for D in (drawn, again)])
    assert len(values) > 8 and chi2_contingency(table).pvalue > 1e-3


def test_the_share_of_masked_decisions_is_the_schedules(chain: GraphSchema) -> None:
    """An untrained model refills a masked binary decision by chance: half of the masked ones change."""
    parents = Population.from_decisions(chain, np.zeros((5000, 4), dtype=int))
    for strength, masked in ((0.25, np.sin(np.pi / 8) ** 2), (0.5, 0.5), (0.75, np.sin(3 * np.pi / 8) ** 2)):
        children = make(chain).renoise(parents, strength, generator=seeded(0)).decisions
        assert children.mean() == pytest.approx(masked / 2, abs=0.012)


def test_every_architecture_may_have_its_own_strength(chain: GraphSchema) -> None:
    parents = Population.from_decisions(chain, np.zeros((3000, 4), dtype=int))
    strength = np.repeat([0.0, 0.5, 1.0], 1000)
    children = make(chain).renoise(parents, strength, generator=seeded(0)).decisions.reshape(3, 1000, 4)
    np.testing.assert_allclose(children.mean((1, 2)), [0, 0.25, 0.5], atol=0.025)
    assert not children[0].any()


def test_what_is_to_be_kept_is_kept(mixed: GraphSchema) -> None:
    pipeline, parents = make(mixed, sharp=1.0), Population.concat([all_of(mixed, legal=False)] * 10)
    keep = np.random.default_rng(0).random(parents.decisions.shape) < 0.5
    children = pipeline.renoise(parents, 1.0, keep=keep, generator=seeded(0)).decisions
    assert (children == parents.decisions)[keep].all() and (children != parents.decisions)[~keep].any()
    row = pipeline.renoise(parents, 1.0, keep=np.array([True, False, False, False]), generator=seeded(0)).decisions
    assert (row[:, 0] == parents.decisions[:, 0]).all() and (row[:, 1:] != parents.decisions[:, 1:]).any()


@pytest.mark.parametrize("kernel", ["absorbing", "uniform"])
def test_children_have_what_their_parents_share(mixed: GraphSchema, kernel: str) -> None:
    pipeline, archs = make(mixed, kernel, sharp=1.0), all_of(mixed, legal=True)
    rng = np.random.default_rng(0)
    a, b = (archs[rng.integers(len(archs), size=400)] for _ in range(2))
    same = a.decisions == b.decisions
    for strength in (0.0, 0.5, 1.0):
        children = pipeline.recombine(a, b, strength, generator=seeded(0), legal=exactly_one_edge).decisions
        assert (children == a.decisions)[same].all() and ((children[:, 1:] > 0).sum(1) == 1).all()
    free = pipeline.recombine(a, b, 0.0, generator=seeded(0)).decisions
    assert ((free == a.decisions) | (free == b.decisions)).all()
    assert (free != a.decisions).any() and (free != b.decisions).any()


def test_misuse_of_variation_is_explained(mixed: GraphSchema, chain: GraphSchema) -> None:
    pipeline, archs = make(mixed), all_of(mixed, legal=True)
    for strength in (-0.1, 1.1, np.nan, np.array([0.5, 0.5])):
        with pytest.raises(ConfigError, match="strength"):
            pipeline.renoise(archs, strength)
    with pytest.raises(ConfigError, match="to keep"):
        pipeline.renoise(archs, 0.5, keep=np.ones(3, dtype=bool))
    with pytest.raises(ConfigError, match="second parents"):
        pipeline.recombine(archs, archs[:1], 0.5)
    with pytest.raises(CheckpointError, match="chain"):
        pipeline.renoise(Population.from_decisions(chain, np.zeros((1, 4), dtype=int)), 0.5)
