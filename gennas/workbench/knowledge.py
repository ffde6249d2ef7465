"""What a strategy is told beside labels: a language model, features, other runs, a prior."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from gennas.errors import ConfigError, shown
from gennas.models.llm.connect import model_settings
from gennas.workbench.settings import NO_OPTIONS, Count, OptionMap, Settings

__all__ = ["FeatureSettings", "KnowledgeSettings", "ModelSettings"]


@dataclass(frozen=True)
class ModelSettings(Settings):
    """Which language model proposes, where the strategy asks one (docs/llm.md)."""

    model: str | None = None
    """Language model: SERVER or SERVER:MODEL (llama.cpp, vllm, openai:NAME, …), `local:FOLDER`, `replay:RUN`, or
    `file.py:Class`. The same as the strategy's option `model`."""
    model_option: OptionMap = NO_OPTIONS
    """Arguments of its backend, as KEY=VALUE: url=…, key_variable=NAME, parameters={temperature: 0.7}, prices=FILE."""

    def model_as_option(self) -> Any:
        """The strategy's option ``model``: a name, or a mapping where its backend has arguments."""
        if self.model is None or not self.model_option:
            return self.model
        return model_settings(self.model, self.model_option)


def _read_names(value: object) -> object:
    """Names separated by commas, one text or several."""
    texts = (value,) if isinstance(value, (str, Path)) else value
    if not isinstance(texts, (list, tuple)):
        return value
    names = tuple(part.strip() for text in texts for part in str(text).split(","))
    if not all(names):
        raise ConfigError(
            f"Expected names separated by commas, got {shown(','.join(map(str, texts)))}; leave it out for none."
        )
    return names


@dataclass(frozen=True)
class FeatureSettings(Settings):
    """What the surrogate of a strategy is told of architectures beside their decisions; nothing of it is a label."""

    features: Annotated[tuple[str, ...], BeforeValidator(_read_names)] = ()
    """Features, separated by commas: columns of --feature-table, zero-cost proxies (`gennas proxies list`), params,
    flops, and `encoder`, the embeddings of a graph network that was pre-trained without labels."""
    feature_table: Path | None = None
    """File with a column arch and columns of features (without --features: all of them)."""
    feature_option: OptionMap = NO_OPTIONS
    """Protocol of the proxies, as KEY=VALUE (batch=noise, batch_size=64, initialisation=kaiming, seed=0, …)."""
    features_per_proposal: Count = 50
    """Candidates whose proxies are computed, for each proposal: those that a ranking without them puts first."""


@dataclass(frozen=True)
class KnowledgeSettings(Settings):
    """What is known from elsewhere."""

    warm_from: Annotated[tuple[str, ...], BeforeValidator(_read_names)] = ()
    """Runs (or archives) on other tasks of the same space, separated by commas: their best in turn are the start of
    strategies that have one (not random, biggest-first and one-shot), and what their labels predict is told to the
    surrogate of generative and bayesian. The labels are counted apart."""
    prior: Path | None = None
    """YAML or JSON file of weights, DECISION: {LABEL: WEIGHT, …}, by which random architectures are drawn."""
