"""The alternating step: what it changes and when, its state, and what the monitor does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.base import Fidelity
from gennas.spaces import SPACES, NASBench201, TaskSpec
from gennas.testing.supernets import ToySpace, ToySupernet
from gennas.training import Trainer, make_task
from gennas.training.supernet import Supernet
from gennas.training.supernet.diagnostics import CollapseMonitor
from gennas.training.supernet.methods import (
    DARTS,
    ENAS,
    GDAS,
    AlternatingStep,
    FBNet,
    ProxylessNAS,
    Routed,
    ValidationBatches,
    discretise,
    make_step,
    make_supernet,
    method_text,
)

METHODS = ["darts", "gdas", "snas", "drnas", "pc-darts", "sa-darts", "beta-darts", "proxyless", "enas", "dasvit"]


def fit(task, step, supernet, **options):
    module = Routed(supernet, step)
    return Trainer(task, step=step).fit(module, seed=1, **options)


def toy_supernet() -> ToySupernet:
    torch.manual_seed(0)
    return ToySupernet(ToySpace(slots=2))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_parameters_and_weights(name, task):
    supernet = toy_supernet()
    step = make_step(name, supernet.space, task.spec, seed=3, frozen=0.0)
    before = {n: p.detach().clone() for n, p in step.relaxation.named_parameters()}
    weights = [p.detach().clone() for p in supernet.parameters()]
    result = fit(task, step, supernet)
    assert result.train_loss[-1] < result.train_loss[0]
    moved = [n for n, p in step.relaxation.named_parameters() if not torch.equal(p, before[n])]
    assert moved == list(before)
    assert not all(torch.equal(p, q) for p, q in zip(supernet.parameters(), weights, strict=True))
    assert not any(n.startswith("alpha") for n, _ in Routed(supernet, step).named_parameters())
    records = step.records()
    assert 0 < records["alpha_entropy"] <= np.log(3) + 1e-6 and 0 <= records["skip_share"] <= 1
    single = [value for name, value in records.items() if name.startswith("alpha_entropy/")]
    assert len(single) == 2 and np.mean(single) == pytest.approx(records["alpha_entropy"], abs=1e-6)


def test_parameters_learn_from_validation_and_weights_from_training_batches(task):
    """With a validation part that tells nothing apart the parameters' gradient is that part's, by hand."""
    supernet = toy_supernet()
    step = AlternatingStep(DARTS(supernet.space), lr=0.1)
    step.optimizer = torch.optim.SGD(step.relaxation.parameters(), lr=0.1)
    seen = []
    original = step.relaxation.objective
    step.relaxation.objective = lambda loss_of: seen.append(loss_of) or original(loss_of)
    alpha = step.relaxation.alpha.detach().clone()

    class One:
        """The first step of a training."""

        def run(self, run, batch):
            loss = step.run(run, batch)
            if len(seen) == 1:
                self.alpha = step.relaxation.alpha.detach().clone()
            return loss

        evaluation_route = step.evaluation_route

    one, config = One(), replace(task.config, epochs=1, batch_size=60)
    reference = toy_supernet()
    Trainer(task, config, one).fit(Routed(supernet, one), seed=1)
    validation = next(ValidationBatches(task.data, 60))
    free = alpha.clone().requires_grad_()
    route = list(torch.unbind(torch.softmax(free, -1)))
    loss = torch.nn.functional.cross_entropy(reference(*validation.inputs, route=route), validation.y)
    assert torch.allclose(one.alpha, alpha - 0.1 * torch.autograd.grad(loss, free)[0], atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_a_frozen_beginning_leaves_the_parameters_alone(order, task):
    supernet = toy_supernet()
    step = AlternatingStep(DARTS(supernet.space), frozen=0.5, order=order)
    start, seen = step.relaxation.alpha.detach().clone(), []

    def note(epoch, _figures):
        seen.append(torch.equal(step.relaxation.alpha, start))

    fit(task, step, supernet, on_epoch=note)
    assert seen == [True, True, False]  # epochs begin at 0, 1/3 and 2/3 of the training


def test_second_order_needs_a_route_without_chance_and_moves_elsewhere(task):
    with pytest.raises(ConfigError, match="order 1"):
        AlternatingStep(GDAS(ToySpace()), order=2)
    ends = []
    for order in (1, 2):
        supernet = toy_supernet()
        torch.manual_seed(1)
        step = AlternatingStep(DARTS(supernet.space), order=order, lr=0.05)
        fit(task, step, supernet)
        ends.append(step.relaxation.alpha.detach())
    assert (ends[0] - ends[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["darts", "gdas", "proxyless", "enas"])
def test_a_training_continues_from_its_state_as_if_undisturbed(name, task, tmp_path):
    monitor = {"monitor": CollapseMonitor(skip_limit=0.99, ratio=None)}
    config = replace(task.config, schedule_epochs=3)  # what cools reads how far the training is
    task = replace(task, config=config)
    whole, halves = toy_supernet(), toy_supernet()
    step = make_step(name, whole.space, task.spec, seed=3, **monitor)
    fit(task, step, whole)
    first = make_step(name, halves.space, task.spec, seed=3, monitor=CollapseMonitor(skip_limit=0.99, ratio=None))
    Trainer(task, replace(config, epochs=2), first).fit(Routed(halves, first), seed=1, save_to=tmp_path)
    second = make_step(name, halves.space, task.spec, seed=3, monitor=CollapseMonitor(skip_limit=0.99, ratio=None))
    other = ToySupernet(halves.space)
    Trainer(task, config, second).fit(Routed(other, second), seed=1, resume_from=tmp_path)
    for a, b in zip(whole.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    state, again = step.state_dict(), second.state_dict()
    assert state.keys() == again.keys()
    assert not [n for n in state if not torch.equal(state[n].nan_to_num(), again[n].nan_to_num())]


def test_the_state_of_another_method_is_refused():
    step = AlternatingStep(DARTS(ToySpace()))
    with pytest.raises(CheckpointError, match="alternating step with DARTS"):
        step.load_state_dict(AlternatingStep(ENAS(ToySpace())).state_dict())
    with pytest.raises(CheckpointError):
        step.load_state_dict({})


def test_proxyless_trains_two_paths_and_one(task):
    supernet = toy_supernet()
    step = AlternatingStep(ProxylessNAS(supernet.space))
    Trainer(task, replace(task.config, epochs=1, batch_size=60), step).fit(Routed(supernet, step))
    # 2 steps of 2 + 1 candidates per slot; validation and test, two passes
    assert supernet.calls.sum(1).tolist() == [2 * 3 + 2] * 2


def test_fbnet_prefers_what_is_quick(task):
    quick, slow = torch.tensor([[2000.0, 2000.0, 20.0]] * 2), torch.tensor([[20.0, 20.0, 2000.0]] * 2)
    shares = []
    for table in (quick, slow):
        supernet = toy_supernet()
        torch.manual_seed(0)
        step = AlternatingStep(FBNet(supernet.space, table=table), lr=0.3)
        fit(task, step, supernet)
        shares.append(step.records()["skip_share"])
    assert shares[0] > 0.5 > shares[1]


# ------------------------------------------------------------------ collapse


class Noise(torch.nn.Module):
    """Adds so much noise that every weight on it raises the expected loss."""

    def forward(self, x):
        return x + 3 * torch.randn_like(x)


def skip_problem(skip_is_best: bool) -> ToySupernet:
    """Candidates without weights. Noise makes two of three worse, and the third is the skip, or is not.

    With independent noise of variance v the squared error of the logits, and here their cross-entropy, grows with the
    weight of the noisy candidates, so that the gradient always points to the one without noise.
    """
    supernet = toy_supernet()
    for slot in supernet.slots:
        for k in range(3):
            slot[k] = torch.nn.Identity() if (k == 2) == skip_is_best else Noise()
    return supernet


@pytest.mark.parametrize("collapses", [True, False])
def test_the_monitor_fires_where_the_skip_grows_and_not_where_it_shrinks(collapses, task):
    task = replace(task, config=replace(task.config, epochs=8))
    supernet = skip_problem(skip_is_best=collapses)
    torch.manual_seed(0)
    step = AlternatingStep(DARTS(supernet.space), lr=0.1, monitor=CollapseMonitor(skip_limit=0.5, ratio=None))
    fit(task, step, supernet)
    assert step.stopped is collapses and step.monitor is not None
    shares = step.monitor.shares
    if collapses:
        assert "share" in step.monitor.reason and shares == sorted(shares) and shares[-1] > 0.5
        assert step.records()["skip_share"] <= 0.5  # the parameters went back to where all was well, and stay
        assert step.records()["skip_share"] == pytest.approx(shares[-2])
        assert len(shares) < 8
    else:
        assert len(shares) == 8 and shares == sorted(shares, reverse=True) and shares[-1] < 0.25


def test_curvature_is_measured_once_an_epoch_when_the_monitor_wants_it(task):
    supernet = toy_supernet()
    step = AlternatingStep(DARTS(supernet.space), monitor=CollapseMonitor(skip_limit=None, ratio=0.75))
    fit(task, step, supernet)
    assert step.monitor is not None and len(step.monitor.eigenvalues) == 3
    assert np.isfinite(step.monitor.eigenvalues).all() and step.records()["alpha_curvature"] != 0


@pytest.mark.parametrize("options", [{"order": 3}, {"radius": 0.0}, {"frozen": 2.0}, {"every": 0}, {"lr": -1.0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        AlternatingStep(DARTS(ToySpace()), **options)


# ------------------------------------------------------------------ a real supernet


REAL = [("darts", {}), ("darts", {"order": 2}), ("gdas", {}), ("gdas", {"gradient": "reference"}), ("drnas", {})]
REAL += [("proxyless", {}), ("pc-darts", {}), ("enas", {})]


@pytest.mark.parametrize(("name", "options"), REAL)
def test_a_real_supernet_takes_the_routes(name, options):
    space, task = NASBench201(num_cells=1, width=4), make_task("digits")
    torch.manual_seed(0)
    supernet = Supernet(space, task.spec)
    step = make_step(name, space, task.spec, frozen=0.0, **options)
    config = replace(task.config, epochs=1, batch_size=256)
    result = Trainer(task, config, step).fit(Routed(supernet, step))
    assert np.isfinite(result.train_loss).all()
    assert step.steps == task.data.num_batches("train", 256)


@pytest.mark.parametrize("name", ["darts", "gdas", "pc-darts"])
def test_the_space_of_darts_is_searched_to_a_legal_genotype(name):
    space, task = SPACES.get("darts")(num_cells=3, width=4), make_task("digits")
    torch.manual_seed(0)
    step = make_step(name, space, task.spec, frozen=0.0)
    data = replace(task, config=replace(task.config, epochs=1, batch_size=256))
    fidelity = Fidelity(data_fraction=0.3)
    module = Routed(make_supernet(method_text(name, {}), space, task.spec), step)
    result = Trainer(data, step=step).fit(module, fidelity)
    archs, _ = discretise(step.relaxation.strengths(), space, n=3)
    assert np.isfinite(result.train_loss).all() and space.is_valid(archs).all() and len(archs) == 3
    assert "Genotype(normal=[" in space.to_text(archs[0])


def test_the_gradient_through_a_real_supernet_is_that_of_central_differences():
    space = NASBench201(num_cells=1, width=2)
    torch.manual_seed(0)
    supernet, darts = Supernet(space, TaskSpec("image", (3, 8, 8), 4)).double(), DARTS(space).double()
    x, y = torch.randn(8, 3, 8, 8, dtype=torch.float64), torch.randint(4, (8,))

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(supernet(x, route=darts.route()), y)

    gradient, h = torch.autograd.grad(loss(), darts.alpha)[0], 1e-5
    for t, k in [(0, 0), (1, 3), (3, 1), (5, 4)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                darts.alpha[t, k] += sign * h
                ends.append(loss())
                darts.alpha[t, k] -= sign * h
        assert abs((ends[0] - ends[1]) / (2 * h) - gradient[t, k]) < 1e-7
    assert gradient.abs().max() > 1e-4
