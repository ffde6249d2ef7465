"""How a language model is asked for architectures, one published method per file, each with its prompts."""

from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.evolution import Evolution
from gennas.models.llm.methods.history import History
from gennas.models.llm.methods.navigator import Navigator
from gennas.models.llm.methods.niches import Niches
from gennas.models.llm.methods.prompt import Prompt, load_prompt
from gennas.models.llm.methods.reflection import Reflection
from gennas.models.llm.methods.situation import Result, SharedState, Situation
from gennas.models.llm.methods.state import State

__all__ = [
    "METHODS",
    "Evolution",
    "History",
    "Method",
    "Navigator",
    "Niches",
    "Prompt",
    "Reflection",
    "Result",
    "SharedState",
    "Situation",
    "State",
    "Suggestions",
    "load_prompt",
]
