"""Real training of small networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.spaces.nasbench201.space import NASBench201
from gennas.training import Task, TrainConfig, Trainer, make_task
from gennas.training.trainer import _rate

DIGITS = make_task("digits")
QUICK = replace(DIGITS.config, epochs=3)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(32, 10))
        return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), head_wide(), head)


def head_wide() -> nn.Module:
    return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())


def test_default_recipe_learns_digits():
    space = NASBench201(num_cells=1, width=8)
    arch = space.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
    torch.manual_seed(0)
    result = Trainer(DIGITS).fit(space.build(arch, DIGITS.spec))
    assert result.selected_val_accuracy > 0.9
    assert result.test_accuracy > 0.9
    assert result.train_loss[-1] < result.train_loss[0]
    assert (result.epochs, result.selected_epoch, result.stopped) == (12, 12, "finished")
    assert result.last_val_accuracy == result.selected_val_accuracy <= result.best_val_accuracy


def test_same_seed_same_result_and_global_random_state_untouched():
    torch.manual_seed(99)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    runs = []
    for noise in (1, 2):
        torch.randn(noise)
        module = network()
        state = torch.get_rng_state()
        runs.append((Trainer(DIGITS, QUICK).fit(module, Fidelity(data_fraction=0.3), seed=5), module))
        assert torch.equal(torch.get_rng_state(), state)
    (a, first), (b, second) = runs
    assert (a.train_loss, a.val_loss, a.test_accuracy) == (b.train_loss, b.val_loss, b.test_accuracy)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.get_num_threads() == threads
    other = Trainer(DIGITS, QUICK).fit(network(), Fidelity(data_fraction=0.3), seed=6)
    assert other.train_loss != a.train_loss
    assert not torch.equal(before, torch.get_rng_state())  # only the draws made here moved it


def test_fidelity_sets_epochs_resolution_and_data():
    seen: set[tuple[int, ...]] = set()
    module = network()
    module.register_forward_hook(lambda m, args, out: seen.add(tuple(args[0].shape[2:])))
    result = Trainer(DIGITS).fit(module, Fidelity(epochs=1, data_fraction=0.2, resolution=0.5))
    assert result.epochs == 1
    assert seen == {(4, 4)}


def test_best_weights_by_validation_are_kept_and_patience_stops():
    # A rate far too high after the first epochs makes later ones worse.
    config = TrainConfig(epochs=40, optimizer="sgd", lr=0.8, schedule="constant", warmup=0.9, select="best", patience=2)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    trainer = Trainer(DIGITS, config)
    result = trainer.fit(module)
    assert result.selected_val_accuracy == result.best_val_accuracy
    assert result.stopped == "patience"
    assert result.epochs == result.selected_epoch + 2 < 40
    batch = next(DIGITS.data.batches("validation", 1000))
    accuracy = (module.eval()(*batch.inputs).argmax(1) == batch.y).float().mean()
    assert float(accuracy) == pytest.approx(result.selected_val_accuracy)


def test_test_part_plays_no_part_in_selection():
    x, y = torch.randn(60, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
    config = TrainConfig(epochs=6, select="best", device="cpu")
    modules = []
    for test in ((x[:10], y[:10]), (x[:10], 1 - y[:10])):
        task = Task.from_tensors("noise", train=(x, y), test=test)
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        modules.append((Trainer(task, config).fit(module, seed=1), module))
    (a, first), (b, second) = modules
    assert a.selected_epoch == b.selected_epoch
    assert torch.equal(first[1].weight, second[1].weight)
    assert a.test_accuracy == pytest.approx(1 - b.test_accuracy)


class Exploding(nn.Module):
    def __init__(self, good_calls: int) -> None:
        super().__init__()
        self.linear, self.left = nn.Linear(64, 10), good_calls

    def forward(self, x: Tensor) -> Tensor:
        self.left -= self.training
        return self.linear(x.flatten(1)) * (float("nan") if self.left < 0 else 1.0)


def test_nan_loss_names_the_epoch():
    with pytest.raises(EvaluationError, match="the loss became nan in epoch 2 of 3"):
        Trainer(DIGITS, QUICK).fit(Exploding(12))


class Returns(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.linear, self.what = nn.Linear(64, 11), what

    def forward(self, x: Tensor) -> object:
        logits = self.linear(x.flatten(1))
        return (logits, None) if self.what == "tuple" else logits


@pytest.mark.parametrize(("what", "got"), [("tuple", "got tuple"), ("wide", r"got \(128, 11\)")])
def test_wrong_outputs(what, got):
    with pytest.raises(EvaluationError, match=rf"expected the network to return logits \(128, 10\), {got}"):
        Trainer(DIGITS, QUICK).fit(Returns(what))


def test_nothing_to_train():
    with pytest.raises(EvaluationError, match="Identity has no trainable parameters"):
        Trainer(DIGITS).fit(nn.Identity())


def test_last_batch_of_one_does_not_break_batch_norm():
    x, y = torch.randn(9, 1, 2, 2), torch.arange(9) % 3
    task = Task.from_tensors("odd", train=(x, y), validation=(x, y), test=(x, y))
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    assert Trainer(task, TrainConfig(epochs=2, batch_size=4)).fit(module).epochs == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_on_a_machine_without():
    with pytest.raises(ConfigError, match="CUDA"):
        Trainer(DIGITS, replace(QUICK, device="cuda")).fit(network())


def test_schedule_rises_then_falls_to_zero():
    config = TrainConfig(warmup=0.2)
    rates = [_rate(step, 10, config) for step in range(11)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0)
    assert _rate(9, 10, replace(config, schedule="constant")) == 1.0


class GCN(nn.Module):
    """Kipf and Welling 2017, section 3.1."""

    def __init__(self, features: int, classes: int, hidden: int = 16) -> None:
        super().__init__()
        self.first, self.second = GCNConv(features, hidden), GCNConv(hidden, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = torch.dropout(x, 0.5, self.training)
        x = torch.dropout(self.first(x, edge_index).relu(), 0.5, self.training)
        return self.second(x, edge_index)


def test_graph_training_uses_only_the_training_nodes():
    n = 30
    x, ring = torch.eye(n), torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
    part = torch.arange(n) % 3
    results = []
    for flip in (0, 1):
        y = torch.arange(n) % 2
        y = torch.where(part == 2, (y + flip) % 2, y)  # other test labels
        task = Task.from_graph("ring", x=x, edge_index=ring, y=y, train=part == 0, validation=part == 1, test=part == 2)
        torch.manual_seed(0)
        results.append(Trainer(task, replace(task.config, epochs=5)).fit(GCN(n, 2)))
    assert results[0].train_loss == results[1].train_loss
    assert results[0].val_accuracy == results[1].val_accuracy
    assert results[0].test_accuracy == pytest.approx(1 - results[1].test_accuracy)


@pytest.mark.shared
@pytest.mark.slow
def test_gcn_on_cora_is_near_the_published_accuracy(shared_data):
    arrays = np.load(shared_data / "datasets" / "planetoid_cora.npz")
    x = sp.csr_matrix((arrays["feat_data"], arrays["feat_indices"], arrays["feat_indptr"]), shape=arrays["feat_shape"])
    x = torch.from_numpy(x.toarray())
    one_way = torch.from_numpy(arrays["edges"]).long().T
    parts = {
        name: torch.from_numpy(arrays[f"{key}_idx"])
        for name, key in zip(("train", "validation", "test"), ("train", "val", "test"), strict=True)
    }
    task = Task.from_graph(
        "cora",
        x=x / x.sum(1, keepdim=True),
        edge_index=torch.cat([one_way, one_way.flip(0)], dim=1),
        y=torch.from_numpy(arrays["labels"]),
        **parts,
    )
    torch.manual_seed(0)
    result = Trainer(task, replace(task.config, epochs=80)).fit(GCN(1433, 7))
    assert result.test_accuracy > 0.78  # published: 81.5 %


def test_every_epoch_is_told_those_of_a_state_first(tmp_path):
    told = []
    recipe = replace(QUICK, epochs=2, schedule="constant", warmup=0.0)
    trainer = Trainer(DIGITS, recipe)
    result = trainer.fit(network(), seed=1, save_to=tmp_path, on_epoch=lambda n, values: told.append((n, values)))
    assert [n for n, _ in told] == [1, 2]
    assert [values["train_loss"] for _, values in told] == list(result.train_loss)
    assert set(told[0][1]) == {"train_loss", "val_loss", "val_accuracy"}
    again = []
    more = trainer.fit(
        network(),
        Fidelity(epochs=3),
        seed=1,
        resume_from=tmp_path,
        on_epoch=lambda n, values: again.append((n, values)),
    )
    assert again[:2] == told and [n for n, _ in again] == [1, 2, 3]
    assert again[2][1]["val_accuracy"] == more.val_accuracy[2]
