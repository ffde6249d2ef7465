"""ENAS: a recurrent controller that learns by REINFORCE which paths score well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, LossOf, Route
from gennas.training.supernet.methods.probabilities import entropy
from gennas.training.supernet.methods.relaxation import Relaxation

__all__ = ["ENAS", "reinforce_loss"]


@METHODS.register("enas")
class ENAS(Relaxation):
    r"""A recurrent network writes one decision after the other, each among what is legal after the ones before.

    It maximises the expected reward of the paths by

    .. math:: \nabla = \mathbb{E}\bigl[(R(a) - b)\,\nabla \log \pi(a)\bigr] + \lambda\,\nabla H, \qquad
        R(a) = e^{-L_{val}(a)},

    with ``b`` a moving average of the rewards and ``H`` the entropy of the decisions along the sampled path. The reward
    is one over the perplexity, the geometric mean of the probabilities of the right answers: it serves every task,
    where the source takes the accuracy for images and ``c`` over the perplexity for language. The weights' step
    trains one sampled path. Logits are :math:`c \tanh(z / T)` as in the source: Pham et al., "Efficient Neural
    Architecture Search via Parameter Sharing", ICML 2018, arXiv 1802.03268.

    Args:
        space: what is decided; dependent decisions are sampled legally.
        spec: of the task.
        hidden: units of the recurrent network.
        samples: paths per step of the controller.
        decay: of the moving average.
        entropy_weight: :math:`\lambda`.
        temperature: ``T``.
        tanh_constant: ``c``.

    Raises:
        ConfigError: a number is out of range.
    """

    adam: ClassVar[Mapping[str, Any]] = {"lr": 3.5e-4, "betas": (0.0, 0.999), "weight_decay": 0.0}

    baseline: Tensor

    def __init__(
        self,
        space: Space,
        spec: TaskSpec | None = None,
        hidden: int = 64,
        samples: int = 1,
        decay: float = 0.95,
        entropy_weight: float = 1e-4,
        temperature: float = 5.0,
        tanh_constant: float = 2.5,
    ) -> None:
        if hidden < 1 or samples < 1 or not 0 <= decay < 1 or temperature <= 0 or tanh_constant <= 0:
            raise ConfigError(
                "enas: expected hidden and samples of at least 1, decay in [0, 1), temperature and tanh_constant above "
                f"0; got {hidden}, {samples}, {decay}, {temperature}, {tanh_constant}."
            )
        self._hidden = hidden
        super().__init__(space, spec)
        self.samples, self.decay, self.entropy_weight = samples, decay, entropy_weight
        self.sharpness = (temperature, tanh_constant)
        self.register_buffer("baseline", torch.tensor(float("nan")))

    def _make_parameters(self) -> None:
        d, labels = self.mask.shape
        self.symbols = nn.Embedding(labels + 1, self._hidden)  # the last one begins
        self.positions = nn.Embedding(d, self._hidden)
        self.cell = nn.LSTMCell(self._hidden, self._hidden)
        self.head = nn.Linear(self._hidden, labels)

    def run(
        self, D: Tensor | None = None, rows: int = 1, greedy: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample ``rows`` decisions, take the likeliest labels, or read ``D (b, d)``.

        Returns:
            Decisions ``(b, d)``, their log-probability ``(b,)``, the sum of the entropies ``(b,)``, and the
            probabilities of every label after what was decided before, ``(b, d, L)``.
        """
        b, (d, labels) = rows if D is None else len(D), self.mask.shape
        device = self.mask.device
        symbol = torch.full((b,), labels, device=device)
        state: tuple[Tensor, Tensor] | None = None
        chosen, log_prob, total, conditionals = np.zeros((b, d), dtype=np.int16), [], [], []
        for t in range(d):
            state = self.cell(self.symbols(symbol) + self.positions.weight[t], state)
            temperature, constant = self.sharpness
            logits = constant * torch.tanh(self.head(state[0]) / temperature)
            legal = torch.from_numpy(np.array(self.space.legal(chosen, t))).to(device)
            log_p = torch.log_softmax(logits.masked_fill(~legal, float("-inf")), -1)
            p = log_p.exp()
            if D is not None:
                symbol = D[:, t].to(device)
            else:
                symbol = p.argmax(-1) if greedy else torch.multinomial(p.detach(), 1)[:, 0]
            chosen[:, t] = symbol.cpu().numpy()
            log_prob.append(log_p.gather(1, symbol[:, None])[:, 0])
            total.append(entropy(p))
            conditionals.append(p)
        decisions = torch.from_numpy(chosen.astype(np.int64))
        return decisions, torch.stack(log_prob).sum(0), torch.stack(total).sum(0), torch.stack(conditionals, 1)

    def route(self) -> Route:
        """One sampled path."""
        with torch.no_grad():
            symbols: list[int] = self.run()[0][0].tolist()
        return symbols

    def evaluation_route(self) -> Route:
        """The likeliest label after what was decided before, from first to last."""
        with torch.no_grad():
            symbols: list[int] = self.run(greedy=True)[0][0].tolist()
        return symbols

    def probabilities(self) -> Tensor:
        """Marginals of the labels, from the conditional probabilities along 64 paths of a seed of their own."""
        with torch.no_grad(), seeded(0, self.mask.device):
            return self.run(rows=64)[3].mean(0)

    def objective(self, loss_of: LossOf) -> Tensor:
        """The negative advantage times the log-probability, and the entropy, of sampled paths."""
        decisions, log_prob, total, _ = self.run(rows=self.samples)
        with torch.no_grad():
            rewards = torch.stack([torch.exp(-loss_of(row)) for row in decisions.tolist()]).to(log_prob)
            mean = rewards.mean()
            self.baseline.copy_(
                torch.where(self.baseline.isnan(), mean, self.decay * self.baseline + (1 - self.decay) * mean)
            )
        return reinforce_loss(log_prob, rewards - self.baseline) - self.entropy_weight * total.mean()


def reinforce_loss(log_prob: Tensor, advantage: Tensor) -> Tensor:
    """A number whose gradient is the negative REINFORCE estimate, mean over sampled paths ``(b,)``."""
    return -(advantage.detach() * log_prob).mean()
