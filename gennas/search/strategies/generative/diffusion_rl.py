"""Reinforcement learning of a diffusion model: policy gradients on denoising steps, with replay.

Source: Black et al. 2023, "Training Diffusion Models with Reinforcement Learning" (DDPO), arXiv
2305.13301. Theirs needs tens of thousands of rewards; here each is an evaluation and there are about a
hundred, so that every trajectory is used many times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gennas.errors import ConfigError, shown
from gennas.generators.weights import pack_weights, unpack_weights
from gennas.graph import Population
from gennas.search.objectives import Objectives
from gennas.search.strategies.generative.generator_rounds import FloatArray, GeneratorRounds, likelihood_ratio
from gennas.search.strategies.rounds import bounded, check_positive, ranks
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal
from gennas.spaces.base import Space

if TYPE_CHECKING:
    import torch

    from gennas.generators.diffusion import DiffusionGenerator
    from gennas.models.diffusion import Transitions

__all__ = ["DiffusionRL"]

_BATCH = 64  # denoising steps in an update of the policy
_DRAWN, _LEARNT = 65_536, 16_384  # decisions of a round, and of an update, in large spaces


@STRATEGIES.register("diffusion-rl")
class DiffusionRL(GeneratorRounds):
    r"""The denoising policy is rewarded for what it made, and if wished again for what it could have made.

    A round: (1) the advantage of every evaluated architecture is the normal score of its rank among
    all, :math:`A = \Phi^{-1}((r + \frac12) / b)`, which has mean zero and cannot be thrown by outliers;
    (2) ``epochs`` times ``updates`` clipped policy gradient steps
    (:func:`gennas.generators.policy_gradient.fit_policy`) on the denoising steps that made the last
    round's architectures, anchored to the pre-trained model; (3) draw ``samples`` architectures from
    the policy; (4) drop what is known; (5) propose ``round_size``, those first that fine-tuning made
    most more likely:

    .. math:: \log p_\theta(a) - \log p_{ref}(a)

    which is the reward, up to scale and a constant, for which :math:`p_\theta` would be the optimum
    under the anchor (Rafailov et al. 2023, DPO, arXiv 2305.18290). Before the first round ``warm_start``
    random architectures are evaluated, and the model sees ``unlabelled`` random ones, which costs no label.

    With ``replay=archive`` step (2) uses the whole archive: every architecture is noised step by step
    in each epoch anew, and that is read backwards. These trajectories come from the forward process, not
    from the policy, so the objective's ratios do not make them unbiased; they keep one epoch from going
    too far. The first gradient is that of the advantage-weighted evidence lower bound. As measured
    (``docs/strategies.md``) this is not better, so it is not the default.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        replay: ``none`` (the last round's own trajectories, as in the source) or ``archive``.
        ranker: ``implicit`` as above, or ``none``: samples in the order in which they were drawn.
        epochs: passes of learning in each round; the ratios count from the start of each.
        updates: optimiser steps of each pass.
        lr: their learning rate.
        clip: how far a step's probability may usefully move in one pass.
        anchor: least weight of the divergence from the pre-trained model, and that at the start.
        novelty: share of a round's samples that should be new; with fewer the anchor's weight is doubled (up to a
            thousand times), with more halved; 0 keeps it.
        num_steps: denoising steps.
        samples: architectures drawn in each round; in spaces of more than 256 decisions 65,536 of these at most.
        warm_start: see above.
        round_size: proposals per round.
        unlabelled: see above.
        pretrain_steps: optimiser steps on these.

    Raises:
        ConfigError: a size is not positive, or an unknown name.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        replay: Literal["none", "archive"] = "none",
        ranker: Literal["implicit", "none"] = "implicit",
        epochs: int = 1,
        updates: int = 10,
        lr: float = 5e-3,
        clip: float = 0.2,
        anchor: float = 0.05,
        novelty: float = 0.3,
        num_steps: int = 8,
        samples: int = 128,
        warm_start: int = 16,
        round_size: int = 4,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
    ) -> None:
        super().__init__(
            space,
            objectives,
            seed,
            warm_start=warm_start,
            round_size=round_size,
            unlabelled=unlabelled,
            pretrain_steps=pretrain_steps,
        )
        check_positive(epochs=epochs, updates=updates, lr=lr, clip=clip, num_steps=num_steps, samples=samples)
        if replay not in ("archive", "none") or ranker not in ("implicit", "none") or anchor < 0:
            raise ConfigError(
                "Expected replay archive or none, ranker implicit or none and an anchor >= 0, "
                f"got {shown(replay)}, {shown(ranker)}, {anchor}."
            )
        self.replay, self.ranker, self.epochs, self.updates = replay, ranker, epochs, updates
        self.lr, self.clip, self.anchor, self.num_steps, self.samples = lr, clip, anchor, num_steps, samples
        self.novelty, self._anchor = novelty, anchor
        self.reference: DiffusionGenerator | None = None  # the generator as pre-training left it
        self._paths: dict[str, NDArray[np.int16]] = {}  # states x_T ... x_0 of the last round's proposals

    # ------------------------------------------------------------------ the algorithm

    def _next_round(self, archs: Population, utility: FloatArray) -> list[Proposal]:
        policy = self._policy()
        advantages: FloatArray = ndtri((ranks(utility) + 0.5) / len(archs))  # 1. who was better than most?
        for _ in range(self.epochs):  # 2. policy gradient
            self._improve(policy, archs, advantages)
        self._note_refit()
        drawn, chain = self._draw(policy)  # 3. samples
        fresh = self._fresh(drawn)  # 4. new ones
        self._adapt(len(fresh) / len(drawn))
        order = fresh[self._rank(policy, drawn[fresh])][: self.round_size]  # 5. the most rewarded first
        self._paths = {drawn.keys[int(i)]: chain[:, i] for i in order}
        return [Proposal(drawn[int(i)], Origin("diffusion", (), self._round)) for i in order]

    def _policy(self) -> DiffusionGenerator:
        if self.generator is None:
            weights = pack_weights(self._pretrained())
            self.reference = self._untrained()
            unpack_weights(self.reference, weights)
        return self._pretrained()

    def _improve(self, policy: DiffusionGenerator, archs: Population, advantages: FloatArray) -> None:
        from gennas.generators.policy_gradient import fit_policy

        assert self.reference is not None  # made with the policy
        steps, index = self._steps(policy, archs)
        if len(steps):
            fit_policy(
                policy.pipeline.denoiser,
                self.reference.pipeline.denoiser,
                policy.pipeline.scheduler,
                steps,
                advantages[index],
                num_updates=self.updates,
                batch_size=bounded(_BATCH, self.space, _LEARNT),
                lr=self.lr,
                clip=self.clip,
                anchor=self._anchor,
                seed=self._seed(),
            )

    def _steps(self, policy: DiffusionGenerator, archs: Population) -> tuple[Transitions, NDArray[np.int64]]:
        """Denoising steps to learn from, and the archive's row that each belongs to."""
        from gennas.models.diffusion import chain_transitions, renoised_transitions

        pipeline, legal = policy.pipeline, self.space.legal
        if self.replay == "archive":
            steps = renoised_transitions(pipeline, archs, self.num_steps, self._source(policy), legal)
            return steps, steps.index.cpu().numpy()
        rows = np.array([i for i, key in enumerate(archs.keys) if key in self._paths], dtype=np.int64)
        paths = [self._paths[archs.keys[i]] for i in rows]
        shape = (self.num_steps + 1, len(rows), self.space.schema.num_decisions)
        chain = np.stack(paths, 1) if paths else np.empty(shape, dtype=np.int16)
        steps = chain_transitions(pipeline, chain, self.num_steps, legal)
        return steps, rows[steps.index.cpu().numpy()]

    def _adapt(self, novelty: float) -> None:
        """Hold a policy that repeats itself more firmly to the pre-trained model, one that does not less."""
        if self.novelty:
            factor = 2.0 if novelty < self.novelty else 0.5
            self._anchor = float(np.clip(self._anchor * factor, self.anchor, self.anchor * 1000))
        self._record["anchor"] = self._anchor

    def _draw(self, policy: DiffusionGenerator) -> tuple[Population, NDArray[np.int16]]:
        """Samples of the policy, canonical, and the states ``(num_steps + 1, samples, d)`` they went through."""
        from gennas.models.diffusion import sample_chain

        source, number = self._source(policy), bounded(self.samples, self.space, _DRAWN)
        drawn, chain = sample_chain(policy.pipeline, number, self.num_steps, source, self.space.legal)
        return self.space.canonical(drawn), chain

    def _rank(self, policy: DiffusionGenerator, drawn: Population) -> NDArray[np.intp]:
        if self.ranker == "none" or not len(drawn):
            return np.arange(len(drawn))
        assert self.reference is not None  # made with the policy
        return np.argsort(-likelihood_ratio(policy, self.reference, drawn, self._seed()), kind="stable")

    def _source(self, policy: DiffusionGenerator) -> torch.Generator:
        import torch

        return torch.Generator(policy.pipeline.denoiser.device).manual_seed(self._seed())

    # ------------------------------------------------------------------ state

    def _untrained(self) -> DiffusionGenerator:
        from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings

        settings = DiffusionSettings(num_steps=self.num_steps)
        return DiffusionGenerator(self.space.schema, self.space.legal, 0, settings, self.seed)

    def state_dict(self) -> dict[str, Any]:
        """Everything told, the weights of policy and reference, the last round's trajectories, the random state."""
        state = super().state_dict()
        state["paths"], state["anchor"] = dict(self._paths), self._anchor
        if self.reference is not None:
            state["reference"] = pack_weights(self.reference)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._paths, self._anchor = dict(state["paths"]), state["anchor"]
        self.reference = None
        if "reference" in state:
            self.reference = self._untrained()
            unpack_weights(self.reference, state["reference"])
