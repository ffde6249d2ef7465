"""Causal transformers: HW-GPT-Bench's spaces, and a small one to be trained on a processor."""

from gennas.spaces.gpt.hwgpt import HWGPT, GPTLarge, GPTMedium, GPTSmall
from gennas.spaces.gpt.small import GPT

__all__ = ["GPT", "HWGPT", "GPTLarge", "GPTMedium", "GPTSmall"]
