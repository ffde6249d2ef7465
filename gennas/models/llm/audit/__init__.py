"""What a language model owes to names that it knows, and what to feedback."""

from gennas.models.llm.audit.audit import GAPS, Audit, audit
from gennas.models.llm.audit.conditions import CONDITIONS, Asked, Condition
from gennas.models.llm.audit.intervals import Interval, bootstrap
from gennas.models.llm.audit.meanings import meaning_of
from gennas.models.llm.audit.relabelled import Relabelled
from gennas.models.llm.audit.verbatim import Verbatim

__all__ = [
    "CONDITIONS",
    "GAPS",
    "Asked",
    "Audit",
    "Condition",
    "Interval",
    "Relabelled",
    "Verbatim",
    "audit",
    "bootstrap",
    "meaning_of",
]
