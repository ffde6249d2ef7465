"""Attacks against an independent implementation, their invariants, and published robust accuracies."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.robustness import accuracy, attack_accuracy, fgsm, pgd

RANGE = (0.0, 16.0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Independent:
    """The attacks again: in normalised coordinates, one image at a time in NumPy, the gradient by ``backward``."""

    def __init__(self, trained, epsilon: float) -> None:
        self.net, self.epsilon = trained.module, epsilon
        self.mean, self.std = float(trained.mean), float(trained.std)
        self.low, self.high = ((bound - self.mean) / self.std for bound in RANGE)
        self.reach = epsilon * 16 / self.std

    def gradient(self, z: np.ndarray, y: Tensor) -> np.ndarray:
        leaf = torch.tensor(z, dtype=torch.float32, requires_grad=True)
        logp = torch.log_softmax(self.net(leaf), 1)
        (-logp[torch.arange(len(y)), y].mean()).backward()
        self.net.zero_grad()
        return leaf.grad.numpy()

    def accuracy(self, images: Tensor, labels: Tensor, steps: int | None, seed: int = 0) -> float:
        z0 = (images.numpy().astype(np.float64) - self.mean) / self.std
        if steps is None:
            z = np.clip(z0 + self.reach * np.sign(self.gradient(z0, labels)), self.low, self.high)
        else:
            start = torch.rand(
                images.shape, generator=seeded(seed)
            ).numpy()  # other starts differ by up to half a point
            z = np.clip(z0 + self.reach * (2 * start - 1), self.low, self.high)
            for _ in range(steps):
                z = z + 2.5 * self.reach / steps * np.sign(self.gradient(z, labels))
                z = np.clip(np.clip(z, z0 - self.reach, z0 + self.reach), self.low, self.high)
        with torch.no_grad():
            predicted = self.net(torch.tensor(z, dtype=torch.float32)).argmax(1)
        return float((predicted == labels).double().mean())


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2])
def test_attacks_agree_with_an_independent_implementation(trained, epsilon: float) -> None:
    other = Independent(trained, epsilon)
    one = attack_accuracy(
        trained, trained.images, trained.labels, partial(fgsm, epsilon=epsilon, value_range=RANGE), batch_size=400
    )
    assert one == pytest.approx(other.accuracy(trained.images, trained.labels, None), abs=0.005)
    attack = partial(pgd, epsilon=epsilon, steps=10, value_range=RANGE, generator=seeded(0))
    many = attack_accuracy(trained, trained.images, trained.labels, attack, batch_size=len(trained.labels))
    assert many == pytest.approx(other.accuracy(trained.images, trained.labels, 10), abs=0.005)
    assert many <= one + 0.005 < accuracy(trained, trained.images, trained.labels)


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.3])
def test_perturbations_stay_in_the_box_and_in_the_range(trained, epsilon: float) -> None:
    images, labels = trained.images[:200], trained.labels[:200]
    for attack in (
        partial(fgsm, epsilon=epsilon, value_range=RANGE),
        partial(pgd, epsilon=epsilon, steps=4, value_range=RANGE, generator=seeded(0)),
        partial(pgd, epsilon=epsilon, steps=0, value_range=RANGE, generator=seeded(1)),
        partial(pgd, epsilon=epsilon, steps=3, step_size=0.5, random_start=False, value_range=RANGE),
    ):
        changed = attack(trained, images, labels)
        assert float((changed - images).abs().max()) <= 16 * epsilon + 1e-5
        assert float(changed.min()) >= 0 and float(changed.max()) <= 16
        assert (epsilon == 0) == bool((changed == images).all())


def test_epsilon_zero_is_clean_accuracy_also_outside_the_range(trained) -> None:
    clean = accuracy(trained, trained.images, trained.labels)
    assert clean > 0.94
    for value_range in (RANGE, (2.0, 9.0)):  # pixels outside of a range that is too narrow stay where they are
        for attack in (
            partial(fgsm, epsilon=0.0, value_range=value_range),
            partial(pgd, epsilon=0.0, value_range=value_range),
        ):
            assert attack_accuracy(trained, trained.images, trained.labels, attack) == clean


def test_more_steps_never_help_the_network_on_average(trained) -> None:
    means = []
    for steps in (0, 1, 2, 5, 10, 20):
        values = [
            attack_accuracy(
                trained,
                trained.images[:600],
                trained.labels[:600],
                partial(pgd, epsilon=0.1, steps=steps, value_range=RANGE, generator=seeded(seed)),
            )
            for seed in range(3)
        ]
        means.append(np.mean(values))
    assert (np.diff(means) <= 0.002).all(), means
    assert means[-1] < means[0] - 0.05


def test_an_attack_is_a_function_of_its_seed_and_leaves_the_network_alone(trained) -> None:
    before = {name: t.clone() for name, t in trained.module.state_dict().items()}
    state = torch.get_rng_state()
    images, labels = trained.images[:50], trained.labels[:50]
    a, b, c = (pgd(trained, images, labels, 0.1, value_range=RANGE, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(t, before[name]) for name, t in trained.module.state_dict().items())
    assert all(p.grad is None for p in trained.module.parameters())
    assert not a.requires_grad


def test_a_network_that_does_not_look_cannot_be_attacked() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([[1.0, 0.0]]))

        def forward(self, x: Tensor) -> Tensor:
            return self.logits.expand(len(x), 2)

    images, labels = torch.rand(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])
    for net in (Blind(), Blind().requires_grad_(False)):
        assert torch.equal(fgsm(net, images, labels, 0.1), images)
        assert attack_accuracy(net, images, labels, partial(pgd, epsilon=0.1)) == 0.5


def test_what_makes_no_sense_is_refused() -> None:
    images, labels = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])
    net = lambda x: x.flatten(1)  # noqa: E731
    with pytest.raises(ConfigError, match="epsilon"):
        fgsm(net, images, labels, -0.1)
    with pytest.raises(ConfigError, match="range"):
        pgd(net, images, labels, 0.1, value_range=(1.0, 1.0))
    with pytest.raises(ConfigError, match="steps"):
        pgd(net, images, labels, 0.1, steps=-1)
    with pytest.raises(EvaluationError, match="tuple"):
        fgsm(lambda x: (net(x),), images, labels, 0.1)
    with pytest.raises(EvaluationError, match="some"):
        accuracy(net, images[:0], labels[:0])


@pytest.mark.parametrize(
    ("column", "published"),
    [("pgd@Linf_eps-1.0", 0.045), ("fgsm@Linf_eps-0.1", 0.817), ("pgd@Linf_eps-0.5", 0.223),
     ("aa_apgd-ce@Linf_eps-1.0", -0.181), ("aa_square@Linf_eps-1.0", 0.442)],
)  # fmt: skip
def test_rank_correlations_of_published_robust_accuracies(shared_data: Path, column: str, published: float) -> None:
    table = pd.read_csv(shared_data / "robustness_nb201_cifar10.csv.gz")
    assert len(table) == 15625
    tau = kendalltau(table["val_accs"], table[column]).statistic
    assert round(tau, 3) == published


def test_the_median_network_says_where_epsilon_is_informative(shared_data: Path) -> None:
    """The figures of docs/robustness.md."""
    table = pd.read_csv(shared_data / "robustness_nb201_cifar10.csv.gz")
    medians = {e: table[f"pgd@Linf_eps-{e}"].median() for e in ("0.1", "0.5", "1.0", "2.0", "8.0")}
    assert {e: round(value, 1) for e, value in medians.items()} == {
        "0.1": 86.3,
        "0.5": 61.1,
        "1.0": 32.0,
        "2.0": 7.8,
        "8.0": 0.0,
    }


def test_digits_need_a_larger_epsilon(trained) -> None:
    images, labels = trained.images[:600], trained.labels[:600]
    clean, small, large = (
        attack_accuracy(trained, images, labels, partial(pgd, epsilon=e, value_range=RANGE, generator=seeded(0)))
        for e in (0.0, 1 / 255, 0.1)
    )
    assert clean - 0.03 < small <= clean and large < clean - 0.2
