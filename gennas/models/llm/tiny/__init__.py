"""A language model of decisions alone, behind the protocol of all others."""

from gennas.models.llm.tiny.backend import TinyBackend

__all__ = ["TinyBackend"]
