"""A small causal language model over decisions: logits, legal sampling, exact likelihood."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.autoregressive.vocabulary import DecisionVocabulary
from gennas.models.base import FloatArray, Legality
from gennas.models.checkpoints import checkpoint_errors, complete
from gennas.models.guidance import guided
from gennas.models.schema import check_schema, schema_from_config, schema_to_config
from gennas.models.tensors import condition_tensor
from gennas.models.weights import blocks, copy_weights
from gennas.runtime.files import write_atomically

__all__ = ["DecisionLM"]

_VOCABULARY_FILE = "vocabulary.json"


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    """A network of some thousand weights needs no bar for the writing of its one file."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


class DecisionLM(nn.Module):
    r"""Writes architectures decision by decision, :math:`p(a \mid c) = \prod_t p(a_t \mid a_{<t}, c)`.

    The network is a Llama of ``transformers``, built from scratch: two layers of width 64 by default.
    The conditions stand before the decisions as tokens, as the return does in a decision transformer
    (Chen et al. 2021, arXiv 2106.01345). Guidance is classifier-free (Ho and Salimans 2022,
    arXiv 2207.12598), on the logits of every decision:
    :math:`\ell = \ell_\emptyset + w\,(\ell_c - \ell_\emptyset)`. At each decision the probabilities are
    normalised over the legal labels, so that every sample is valid and the likelihoods of all valid
    architectures sum to 1. The output layer starts at zero: an untrained model draws every decision
    uniformly among the legal labels.

    Shapes: decisions ``D (b, d)``; conditions ``(b, c)`` or ``(c,)``, NaN for "any"; logits
    ``(b, d, L)``, minus infinity where the schema does not allow a label.

    Args:
        vocabulary: the tokens, which also know the schema.
        dim: width.
        num_layers: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the feed-forward layers over ``dim``.

    Example:
        >>> edges = np.zeros((2, 2, 2), dtype=bool)
        >>> edges[..., 0] = edges[0, 1, 1] = True
        >>> schema = GraphSchema("two", ("a", "b"), ("none", "e"), np.ones((2, 2), dtype=bool), edges)
        >>> model = DecisionLM(DecisionVocabulary(schema), dim=16)
        >>> round(float(np.exp(model.log_prob(np.array([[0, 1, 1]])))[0]), 6)  # one of eight, untrained
        0.125
        >>> model.sample(5, generator=torch.Generator().manual_seed(0)).decisions.shape
        (5, 3)
    """

    tokens: Tensor
    mask: Tensor

    def __init__(
        self, vocabulary: DecisionVocabulary, dim: int = 64, num_layers: int = 2, num_heads: int = 4, mlp_ratio: int = 2
    ) -> None:
        super().__init__()
        config = LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=dim,
            intermediate_size=mlp_ratio * dim,
            num_hidden_layers=num_layers,
            num_attention_heads=num_heads,
            max_position_embeddings=vocabulary.length,
            bos_token_id=0,
            eos_token_id=None,
            tie_word_embeddings=False,
        )
        network = LlamaForCausalLM(config)
        nn.init.zeros_(network.lm_head.weight)
        self._assemble(vocabulary, network)

    def _assemble(self, vocabulary: DecisionVocabulary, network: Any) -> None:
        self.vocabulary, self.network = vocabulary, network
        self.register_buffer("tokens", torch.tensor(vocabulary.tokens), persistent=False)
        self.register_buffer("mask", torch.tensor(vocabulary.schema.decision_mask), persistent=False)

    @property
    def schema(self) -> GraphSchema:
        """The schema of the architectures."""
        return self.vocabulary.schema

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return cast(torch.device, self.network.device)

    def adopt(self, other: DecisionLM, kept: Sequence[int | None]) -> None:
        """Take the weights of a model of other conditions; condition ``i`` was its ``kept[i]``, None: it is new.

        Raises:
            CheckpointError: the models differ in more than their conditions.
        """
        size = self.vocabulary.num_bins + 2
        if other.vocabulary.num_bins != self.vocabulary.num_bins:
            raise CheckpointError(
                f"Expected a model of {self.vocabulary.num_bins} bins per condition, got {other.vocabulary.num_bins}."
            )
        conditions = blocks(kept, size)
        start = 1 + size * other.vocabulary.num_conditions
        decisions = np.arange(start, len(other.vocabulary))
        tokens = np.concatenate([[0], np.where(conditions < 0, -1, conditions + 1), decisions])
        places = {f"network.{name}.weight": (0, tokens) for name in ("model.embed_tokens", "lm_head")}
        copy_weights(self, other, places)

    def forward(self, D: Tensor, conditions: Tensor) -> Tensor:
        """Logits of every decision given those before it, ``(b, d, L)``."""
        d = D.shape[1]
        embed = self.network.get_input_embeddings()
        before = self.tokens[torch.arange(d - 1, device=D.device), D[:, :-1]]
        sentence = torch.cat([self._prefix(conditions), embed(before)], 1)
        hidden = self.network.model(inputs_embeds=sentence, use_cache=False).last_hidden_state
        logits = self.network.lm_head(hidden[:, -d:])  # (b, d, V)
        labels = logits.gather(-1, self.tokens.expand(len(D), -1, -1))
        return cast(Tensor, labels.masked_fill(~self.mask, -torch.inf))

    def _prefix(self, conditions: Tensor) -> Tensor:
        """Embeddings of the conditions and of BOS, ``(b, c + 1, dim)``."""
        embed = self.network.get_input_embeddings()
        pair, weight = self.vocabulary.encode_conditions(conditions.cpu().numpy())
        ends = embed(torch.from_numpy(pair).to(self.device))  # (b, c, 2, dim)
        upper = torch.from_numpy(weight).to(ends)[..., None]
        mixed = (1 - upper) * ends[:, :, 0] + upper * ends[:, :, 1]
        bos = embed(torch.zeros(len(conditions), 1, dtype=torch.long, device=self.device))
        return torch.cat([mixed, bos], 1)

    # ------------------------------------------------------------------ likelihood

    @torch.inference_mode()
    def log_prob(
        self,
        D: NDArray[np.integer],
        conditions: FloatArray | None = None,
        legal: Legality | None = None,
        guidance_scale: float = 1.0,
    ) -> FloatArray:
        """Exact log-likelihood of each architecture in nats, ``(b,)``; minus infinity where it is not legal.

        Raises:
            ConfigError: conditions of another shape.
        """
        x = torch.from_numpy(np.asarray(D, dtype=np.int64)).to(self.device)
        c = self._conditions(len(D), conditions)
        logits = self(x, c)
        if _guided(conditions, guidance_scale):
            logits = guided(logits, self(x, torch.full_like(c, torch.nan)), guidance_scale)
        allowed = self._legal_along(D, legal)
        log_p = logits.double().masked_fill(~allowed, -torch.inf).log_softmax(-1)
        return cast(FloatArray, log_p.gather(-1, x[..., None]).sum((1, 2)).cpu().numpy())

    def _legal_along(self, D: NDArray[np.integer], legal: Legality | None) -> Tensor:
        """Legal labels of every decision after the ones before it, ``(b, d, L)``."""
        if legal is None:
            return self.mask
        # After an illegal label nothing may be legal; the schema's mask keeps the logarithm finite there.
        masks = [legal(D, t) for t in range(D.shape[1])]
        fallback = [np.where(m.any(1, keepdims=True), m, self.schema.decision_mask[t]) for t, m in enumerate(masks)]
        return torch.from_numpy(np.stack(fallback, 1)).to(self.device)

    def _conditions(self, n: int, conditions: FloatArray | None) -> Tensor:
        c = self.vocabulary.num_conditions
        return condition_tensor(np.full(c, np.nan) if conditions is None else conditions, n, c, self.device)

    # ------------------------------------------------------------------ sampling

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        conditions: FloatArray | None = None,
        guidance_scale: float = 1.0,
        generator: torch.Generator | None = None,
        legal: Legality | None = None,
        kept: NDArray[np.integer] | None = None,
    ) -> Population:
        """Draw ``n`` architectures, decision by decision among what is legal.

        Equal beginnings are computed once, with keys and values of earlier decisions kept. Decisions ``kept``
        ``(n, d)``, -1 where free, are taken wherever they are legal after the ones before; the model sees
        those that come earlier, not those that come later.

        Raises:
            ConfigError: conditions, or decisions to keep, of another shape.
        """
        d = self.schema.num_decisions
        if kept is not None and kept.shape != (n, d):
            raise ConfigError(f"Expected decisions to keep ({n}, {d}), got {kept.shape}.")
        D = np.zeros((n, d), dtype=np.int16)
        if not n:
            return Population.from_decisions(self.schema, D)
        distinct, group = _distinct(self._conditions(n, conditions))
        stem = _Stem(self, distinct, guidance_scale)
        u = torch.rand(d, n, generator=generator, dtype=torch.float64).numpy()
        for t in range(d):
            _, first = np.unique(group, return_index=True)  # one row of each beginning
            allowed = self.mask[t] if legal is None else torch.from_numpy(np.array(legal(D[first], t)))
            logits = stem.logits.cpu().double().masked_fill(~allowed.cpu(), -torch.inf)
            cumulative = logits.softmax(-1).cumsum(-1).numpy()
            D[:, t] = (cumulative[group] <= (u[t] * cumulative[group, -1])[:, None]).sum(1)
            if kept is not None:
                wish = np.maximum(kept[:, t], 0)
                taken = (kept[:, t] >= 0) & np.broadcast_to(allowed.cpu().numpy(), logits.shape)[group, wish]
                D[taken, t] = wish[taken]
            branches, group = np.unique(group * self.schema.num_symbols + D[:, t], return_inverse=True)
            if t + 1 < d:
                stem.grow(*np.divmod(branches, self.schema.num_symbols), t)
        return Population.from_decisions(self.schema, D)

    # ------------------------------------------------------------------ files

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the network in the format of ``transformers``, and the vocabulary beside it."""
        with _without_progress_bar():
            self.network.save_pretrained(directory)
        content = {
            "schema": schema_to_config(self.schema),
            "num_conditions": self.vocabulary.num_conditions,
            "num_bins": self.vocabulary.num_bins,
            "shared": self.vocabulary.shared,
        }
        write_atomically(Path(directory) / _VOCABULARY_FILE, json.dumps(content) + "\n")

    @classmethod
    def from_pretrained(cls, directory: str | Path, schema: GraphSchema | None = None) -> DecisionLM:
        """Read what :meth:`save_pretrained` wrote; nothing is downloaded.

        Args:
            directory: where it lies.
            schema: if given, the model must be one of this schema.

        Raises:
            CheckpointError: no such directory, unreadable files, or another schema.
        """
        folder = Path(directory)
        with checkpoint_errors(folder, _VOCABULARY_FILE):
            vocabulary = _read_vocabulary(folder, schema)
            # Read by hand: without a file transformers would build its default network of 7 billion weights.
            config = LlamaConfig.from_dict(json.loads((folder / "config.json").read_text()))
            if config.vocab_size != len(vocabulary):
                raise CheckpointError(
                    f"Expected a network of {len(vocabulary)} tokens in {folder}, got one of {config.vocab_size}."
                )
            loaded = LlamaForCausalLM.from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            network = complete(loaded, folder)
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._assemble(vocabulary, network.eval())
        return model


def _read_vocabulary(folder: Path, schema: GraphSchema | None) -> DecisionVocabulary:
    content = json.loads((folder / _VOCABULARY_FILE).read_text())
    found = schema_from_config(content["schema"])
    check_schema(found, schema or found)
    shared = bool(content.get("shared", False))  # files of version 0.1 do not say
    return DecisionVocabulary(found, int(content["num_conditions"]), int(content["num_bins"]), shared)


def _distinct(conditions: Tensor) -> tuple[Tensor, NDArray[np.integer]]:
    """The distinct rows, and where each row stands among them; NaN equals NaN."""
    padded = nn.functional.pad(conditions.nan_to_num(-torch.inf), (0, 1))  # a column more, as there may be none
    rows, at = torch.unique(padded, dim=0, return_inverse=True)
    return rows[:, :-1].where(~rows[:, :-1].isneginf(), torch.nan), at.cpu().numpy()


def _guided(conditions: FloatArray | None, guidance_scale: float) -> bool:
    return conditions is not None and guidance_scale != 1


class _Stem:
    """Distinct beginnings of sentences, their keys and values, and the logits of the next decision ``(u, L)``.

    Under guidance the rows stand twice: with their conditions, then with "any".
    """

    def __init__(self, model: DecisionLM, conditions: Tensor, guidance_scale: float) -> None:
        self.model, self.w = model, guidance_scale
        self.guided = guidance_scale != 1 and not bool(conditions.isnan().all())
        if self.guided:
            conditions = torch.cat([conditions, torch.full_like(conditions, torch.nan)])
        self.cache = DynamicCache()
        self.logits = self._advance(model._prefix(conditions), 0)

    def grow(self, parents: NDArray[np.integer], labels: NDArray[np.integer], t: int) -> None:
        """Go on from ``parents`` with ``labels`` at decision ``t``."""
        device = self.model.device
        rows = torch.from_numpy(parents).to(device)
        token = self.model.tokens[t, torch.from_numpy(labels).to(device)]
        if self.guided:
            rows, token = torch.cat([rows, rows + len(self.logits)]), token.repeat(2)
        self.cache.batch_select_indices(rows)
        self.logits = self._advance(self.model.network.get_input_embeddings()(token[:, None]), t + 1)

    def _advance(self, sentence: Tensor, t: int) -> Tensor:
        network = self.model.network
        out = network.model(inputs_embeds=sentence, past_key_values=self.cache, use_cache=True)
        logits = network.lm_head(out.last_hidden_state[:, -1])[:, self.model.tokens[t]]
        logits = logits.masked_fill(~self.model.mask[t], -torch.inf)
        if self.guided:
            conditional, free = logits.chunk(2)
            return guided(conditional, free, self.w)
        return cast(Tensor, logits)
