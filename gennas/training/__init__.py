"""Training what a space builds: tasks, the trainer, fidelities and the evaluator on top."""

from gennas.training import datasets  # registers the named tasks
from gennas.training.checkpoint import load_module, read_note, save_module
from gennas.training.data import (
    GraphData,
    ImageData,
    NodeData,
    PairData,
    SegmentationData,
    SequenceData,
    TaskData,
    TokenData,
)
from gennas.training.evaluator import TrainEvaluator
from gennas.training.fidelity import apply_fidelity, scale_space, scale_spec
from gennas.training.measures import MEASURES, MeasureConfig, measure_network
from gennas.training.recipe import TrainConfig
from gennas.training.result import TrainResult
from gennas.training.scores import Score
from gennas.training.state import StateStore, TrainingState, load_state, save_state
from gennas.training.step import GradientStep, StatefulStep, Step
from gennas.training.task import NODE_CONFIG, TASKS, TOKEN_CONFIG, Task, make_task
from gennas.training.trainer import Trainer
from gennas.training.vocabulary import Vocabulary

__all__ = [
    "MEASURES",
    "NODE_CONFIG",
    "TASKS",
    "TOKEN_CONFIG",
    "GradientStep",
    "GraphData",
    "ImageData",
    "MeasureConfig",
    "NodeData",
    "PairData",
    "Score",
    "SegmentationData",
    "SequenceData",
    "StateStore",
    "StatefulStep",
    "Step",
    "Task",
    "TaskData",
    "TokenData",
    "TrainConfig",
    "TrainEvaluator",
    "TrainResult",
    "Trainer",
    "TrainingState",
    "Vocabulary",
    "apply_fidelity",
    "datasets",
    "load_module",
    "load_state",
    "make_task",
    "measure_network",
    "read_note",
    "save_module",
    "save_state",
    "scale_space",
    "scale_spec",
]
