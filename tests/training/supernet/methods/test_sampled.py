"""Path samplers: which paths, how often, and that one update is made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import Population
from gennas.spaces import SPACES, NASBench201, TaskSpec
from gennas.testing.supernets import ToySpace, ToySupernet
from gennas.training import Trainer, make_task
from gennas.training.step import GradientStep
from gennas.training.supernet import Supernet
from gennas.training.supernet.methods import (
    SPOS,
    FairNAS,
    OnceForAll,
    ParameterBins,
    PathDropout,
    Routed,
    SampledStep,
    SandwichStep,
    distillation_loss,
    extreme,
    make_step,
    uniform_decisions,
)
from gennas.training.supernet.methods.sampler import paths

SPEC = TaskSpec("image", (3, 32, 32), 10)
RNG = np.random.default_rng


def toy_supernet(slots: int = 2) -> ToySupernet:
    torch.manual_seed(0)
    return ToySupernet(ToySpace(slots))


def is_valid(space, routes) -> bool:
    return bool(space.is_valid(Population.from_decisions(space.schema, np.array(routes, dtype=np.int16))).all())


# ------------------------------------------------------------------ SPOS and FairNAS


def test_spos_counts_are_multinomial_and_one_candidate_per_slot_runs(task):
    supernet = toy_supernet()
    step = SampledStep(SPOS(supernet.space))
    Trainer(task, replace(task.config, epochs=20, batch_size=60), step).fit(Routed(supernet, step))
    counts = step.counts.table
    assert counts.sum(1).tolist() == [40, 40] and counts.max() > counts.min()
    evaluations = 20 + 1  # validation after every epoch, test at the end: always the same path
    assert supernet.calls.sum(1).tolist() == [40 + evaluations] * 2
    assert step.records()["path_fairness"] == pytest.approx(float((counts.min(1).values / counts.max(1).values).min()))


def test_fairnas_trains_every_candidate_of_every_slot_once_per_step(task):
    supernet = toy_supernet()
    step = SampledStep(FairNAS(supernet.space))
    Trainer(task, replace(task.config, epochs=5, batch_size=60), step).fit(Routed(supernet, step))
    assert (step.counts.table == 10).all() and step.records()["path_fairness"] == 1.0
    for _ in range(5):
        rows = np.array(FairNAS(NASBench201()).routes(RNG(0)))
        assert rows.shape == (5, 6) and (np.sort(rows, axis=0) == np.arange(5)[:, None]).all()


def test_fairnas_makes_one_update_of_summed_gradients(task):
    """By hand, on the first batch, with plain gradient descent."""
    config = replace(task.config, epochs=1, batch_size=120, optimizer="sgd", momentum=0.0, weight_decay=0.0)
    config = replace(config, grad_clip=None, schedule="constant")
    supernet, reference = toy_supernet(), toy_supernet()
    step = SampledStep(FairNAS(supernet.space))
    drawn = []
    original = step.sampler.routes
    step.sampler.routes = lambda rng: drawn.append(original(rng)) or drawn[-1]
    Trainer(task, config, step).fit(Routed(supernet, step))
    (x,), _, y = next(task.data.batches("train", 120))  # normalised
    loss = sum(torch.nn.functional.cross_entropy(reference(x, route=route), y) for route in drawn[0])
    loss.backward()
    for p, q in zip(supernet.parameters(), reference.parameters(), strict=True):
        assert q.grad is not None and torch.allclose(p, q - config.lr * q.grad, atol=1e-6)


def test_fairnas_with_unequal_slots_stays_within_one_and_keeps_its_place():
    space = SPACES.get("transnas-micro")()
    labels = space.schema.decision_mask.sum(1)
    sampler, counts = FairNAS(space), SampledStep(FairNAS(space)).counts
    rng = RNG(0)
    for _ in range(7):
        counts.add(sampler.routes(rng))
    for row, mask in zip(counts.table.numpy(), space.schema.decision_mask, strict=True):
        assert row[mask].max() - row[mask].min() <= 1 and row[~mask].sum() == 0
    other = FairNAS(space)
    other.load_state_dict(sampler.state_dict())
    assert other.routes(RNG(1)) == sampler.routes(RNG(1)) and len(labels) > 0


def test_fairnas_refuses_dependent_decisions():
    with pytest.raises(ConfigError, match="independent"):
        FairNAS(SPACES.get("darts")(num_cells=3))


# ------------------------------------------------------------------ sizes


def test_uniform_decisions_are_legal_and_level_over_depths():
    space = SPACES.get("autoformer-tiny")()
    D = uniform_decisions(space, 3000, RNG(0))
    assert is_valid(space, D)
    t = space.schema.node_names.index("depth")
    depth = np.unique(D[:, [s.target for s in space.schema.slots].index(t)], return_counts=True)[1]
    assert len(depth) == 3 and abs(depth / 3000 - 1 / 3).max() < 0.04  # 76 % of uniform architectures have depth 14
    largest, smallest = (space.architecture(extreme(space, sign)) for sign in (1, -1))
    sizes = space.count_parameters(Population.of(space.schema, [smallest, largest]), SPEC)
    assert sizes.tolist() == [5_292_082, 10_444_354] or sizes[0] < sizes[1]
    drawn = space.count_parameters(Population.from_decisions(space.schema, D), SPEC)
    assert sizes[0] <= drawn.min() and drawn.max() <= sizes[1]


def test_once_for_all_frees_kinds_in_stages():
    space = SPACES.get("ofa")()
    sampler = OnceForAll(space, SPEC, stages=("k", "depth", "e"))
    D = {}
    for progress in (0.0, 0.4, 0.7):
        sampler.progress = progress
        routes = [route for _ in range(20) for route in sampler.routes(RNG(int(100 * progress)))]
        assert is_valid(space, routes) and len(routes) == 80
        D[sampler.stage] = space.from_texts([space.to_text(space.architecture(r)) for r in routes])
    kinds = np.array([space.schema.node_names[s.target].rsplit(".", 1)[-1] for s in space.schema.slots])
    largest = extreme(space, 1)
    for stage, free in enumerate((["k"], ["k", "depth"], ["k", "depth", "e"])):
        rows = D[stage].decisions
        off = space.schema.node_labels.index("off")
        varies = {kind for kind in np.unique(kinds) if ((rows != largest) & (rows != off))[:, kinds == kind].any()}
        assert varies == set(free)
    sampler.progress = 0.99
    last = sampler.routes(RNG(0))
    assert last[0] == largest.tolist() and last[-1] == extreme(space, -1).tolist()
    with pytest.raises(ConfigError, match="kinds among depth, e, k"):
        OnceForAll(space, SPEC, stages=("width",))


def test_parameter_bins_level_the_sizes():
    space = SPACES.get("gpt-s")()
    spec = TaskSpec("language", (16,), 50, vocabulary=50)
    sampler = ParameterBins(space, spec, bins=6)
    rng = RNG(0)
    routes = [sampler.routes(rng)[0] for _ in range(300)]
    assert is_valid(space, routes)
    found = np.digitize(
        space.count_parameters(Population.from_decisions(space.schema, np.array(routes, dtype=np.int16)), spec),
        sampler.edges,
    )
    plain = np.digitize(
        space.count_parameters(Population.from_decisions(space.schema, uniform_decisions(space, 300, RNG(0))), spec),
        sampler.edges,
    )
    level = lambda bins: np.bincount(bins, minlength=6).min() / 300  # noqa: E731
    assert level(found) > 2 * level(plain) or level(plain) == 0 < level(found)
    other = ParameterBins(space, spec, bins=6)
    other.load_state_dict(sampler.state_dict())
    assert other.routes(RNG(5)) == sampler.routes(RNG(5))
    with pytest.raises(CheckpointError):
        SPOS(space).load_state_dict(sampler.state_dict())
    with pytest.raises(ConfigError, match="spec"):
        ParameterBins(space)


def test_path_dropout_drops_all_with_the_rate_and_keeps_the_mean():
    sampler = PathDropout(NASBench201(), rate=0.5)
    assert all(len(entry) == 5 for entry in sampler.routes(RNG(0))[0])  # nothing is dropped in the beginning
    sampler.progress = 1.0
    sizes = []
    for i in range(500):
        for entry in sampler.routes(RNG(i))[0]:
            assert sum(float(w) for w in entry.values()) == pytest.approx(1.0)
            sizes.append(len(entry))
    drop = 0.5 ** (1 / 5)
    alone = drop**5 + 5 * (1 - drop) * drop**4  # one is left, or none, of which one stays
    assert np.mean(np.array(sizes) == 1) == pytest.approx(alone, abs=0.03)


# ------------------------------------------------------------------ the sandwich


class Same(SPOS):
    """Four times the same path."""

    def routes(self, rng):
        return paths(np.zeros((4, 2), dtype=np.int16))


def test_a_sandwich_of_one_size_is_plain_training(task):
    config = replace(task.config, weight_decay=0.1)
    supernet, alone = toy_supernet(), toy_supernet()
    step = SandwichStep(Same(supernet.space, task.spec), distillation=0.0)
    Trainer(task, config, step).fit(Routed(supernet, step), seed=1)
    assert len({float(loss) for loss in step.losses}) == 1 and len(step.losses) == 4

    class Fixed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.supernet = alone

        def forward(self, x):
            return self.supernet(x, route=[0, 0])

    Trainer(task, config, GradientStep()).fit(Fixed(), seed=1)
    for p, q in zip(supernet.parameters(), alone.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_students_learn_the_largest_paths_outputs(task):
    """With the same path as teacher and student the soft loss is the entropy, and its gradient nothing."""
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    loss = distillation_loss(logits, logits.detach())
    p = torch.softmax(logits.detach(), -1)
    assert loss.item() == pytest.approx(float(-(p * p.log()).sum(-1).mean()), abs=1e-12)
    assert torch.autograd.grad(loss, logits)[0].abs().max() <= 1e-12
    supernet = toy_supernet()
    step = SandwichStep(OnceForAll(supernet.space, task.spec), distillation=1.0)
    result = Trainer(task, replace(task.config, epochs=6), step).fit(Routed(supernet, step))
    assert result.train_loss[-1] < result.train_loss[0] and len(step.losses) == 4
    with pytest.raises(ConfigError, match="distillation"):
        SandwichStep(Same(supernet.space), distillation=2.0)


def test_only_students_read_the_teacher(task):
    """The largest path's gradient is that of the labels alone, whatever the students learn."""
    config = replace(task.config, epochs=1, batch_size=120, optimizer="sgd", momentum=0.0, weight_decay=0.0)
    config = replace(config, grad_clip=None, schedule="constant")

    class Two(SPOS):
        def routes(self, rng):
            return [[0, 0], [2, 2]]  # the smallest path has a head, no other weights

    supernet, reference = toy_supernet(), toy_supernet()
    step = SandwichStep(Two(supernet.space, task.spec), distillation=1.0)
    Trainer(task, config, step).fit(Routed(supernet, step))
    (x,), _, y = next(task.data.batches("train", 120))  # normalised
    teacher = reference(x, route=[0, 0])
    soft = distillation_loss(reference(x, route=[2, 2]), teacher.detach())
    ((torch.nn.functional.cross_entropy(teacher, y) + soft) / 2).backward()
    for p, q in zip(supernet.parameters(), reference.parameters(), strict=True):
        grad = torch.zeros_like(q) if q.grad is None else q.grad
        assert torch.allclose(p, q - config.lr * grad, atol=1e-6)


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", ["spos", "rsws", "fairnas", "path-dropout", "autoformer", "ofa", "parameter-bins"])
def test_a_real_supernet_takes_the_routes_and_the_training_continues(name, tmp_path):
    space, task = NASBench201(num_cells=1, width=4), make_task("digits")
    config = replace(task.config, epochs=2, batch_size=512, schedule="constant", warmup=0.0)
    ends = []
    for epochs in ((2,), (1, 2)):
        torch.manual_seed(0)
        supernet = Supernet(space, task.spec)
        for i, n in enumerate(epochs):
            step = make_step(name, space, task.spec)
            trainer = Trainer(task, replace(config, epochs=n), step)
            resume = {"resume_from": tmp_path} if i else {}
            trainer.fit(Routed(supernet, step), **resume, **({"save_to": tmp_path} if len(epochs) > i + 1 else {}))
        ends.append((supernet, step.state_dict()))
    (a, state), (b, again) = ends
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert state.keys() == again.keys() and all(torch.equal(state[n], again[n]) for n in state)


def test_weights_off_the_path_have_no_gradient_and_do_not_move(task):
    supernet = toy_supernet()
    before = [p.detach().clone() for p in supernet.slots.parameters()]

    class Skips(SPOS):
        def routes(self, rng):
            return [[2, 2]]

    step = SampledStep(Skips(supernet.space))
    Trainer(task, replace(task.config, weight_decay=0.5), step).fit(Routed(supernet, step))
    assert all(torch.equal(p, q) for p, q in zip(supernet.slots.parameters(), before, strict=True))
