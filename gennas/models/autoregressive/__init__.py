"""Architectures as sentences of one symbol per decision, and the language model that writes them."""

from gennas.models.autoregressive.model import DecisionLM
from gennas.models.autoregressive.vocabulary import DecisionVocabulary

__all__ = ["DecisionLM", "DecisionVocabulary"]
