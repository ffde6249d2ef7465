"""How a language model is asked for architectures, one published method per file, each with its prompts."""

from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.history import History
from gennas.models.llm.methods.prompt import Prompt, load_prompt
from gennas.models.llm.methods.situation import Result, Situation

__all__ = ["METHODS", "History", "Method", "Prompt", "Result", "Situation", "Suggestions", "load_prompt"]
