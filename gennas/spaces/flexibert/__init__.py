"""Transformer encoders of mixed operations: FlexiBERT, and its table NAS-Bench-BERT."""

from gennas.spaces.flexibert.nasbench_bert import NASBenchBERT
from gennas.spaces.flexibert.space import FlexiBERT

__all__ = ["FlexiBERT", "NASBenchBERT"]
