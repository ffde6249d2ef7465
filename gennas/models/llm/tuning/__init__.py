"""Fine-tuning of a user's language model on what a search has measured."""

from gennas.models.llm.tuning.examples import Example, examples_of, log_likelihood
from gennas.models.llm.tuning.losses import preference_loss, right_order, supervised_loss
from gennas.models.llm.tuning.tune import Tuned, Tuning, tune

__all__ = [
    "Example",
    "Tuned",
    "Tuning",
    "examples_of",
    "log_likelihood",
    "preference_loss",
    "right_order",
    "supervised_loss",
    "tune",
]
