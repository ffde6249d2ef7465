"""A library of blocks: what every layer of a trained network could be instead, scored inside of it; the best choice.

A *parent* is a trained network of a layered space. Candidates of a layer start from the parent's weights, learn what
the parent's block puts out, and are scored one at a time inside the frozen parent; an exact knapsack chooses.

Source: Bercovich et al. 2024, "Puzzle: Distillation-Based NAS for Inference-Optimized LLMs", arXiv 2411.19146.
"""

from gennas.training.blocks.bounds import Bound
from gennas.training.blocks.choices import choose_blocks, random_choices, require_reachable, uniform_choices
from gennas.training.blocks.comparison import Additivity, Assembled, Comparison, compare_choices
from gennas.training.blocks.distillation import train_blocks
from gennas.training.blocks.knapsack import DepthRule, Knapsack
from gennas.training.blocks.library import Block, BlockLibrary
from gennas.training.blocks.scoring import increases, measure_latencies_of, require_metric, score_blocks

__all__ = [
    "Additivity",
    "Assembled",
    "Block",
    "BlockLibrary",
    "Bound",
    "Comparison",
    "DepthRule",
    "Knapsack",
    "choose_blocks",
    "compare_choices",
    "increases",
    "measure_latencies_of",
    "random_choices",
    "require_metric",
    "require_reachable",
    "score_blocks",
    "train_blocks",
    "uniform_choices",
]
