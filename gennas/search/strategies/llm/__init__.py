"""Language models in a search: alone, as one source among others, and beside a classical strategy."""

from gennas.search.strategies.llm.language_model import LanguageModelSearch
from gennas.search.strategies.llm.language_source import LanguageSource
from gennas.search.strategies.llm.state_sharing import StateSharingSearch

__all__ = ["LanguageModelSearch", "LanguageSource", "StateSharingSearch"]
