"""Networks that share their weights: trained once, they score every architecture of a space."""

from gennas.training.supernet.base import Supernet
from gennas.training.supernet.diagnosis import Diagnosis, diagnose, read_diagnosis
from gennas.training.supernet.evaluator import SupernetEvaluator
from gennas.training.supernet.files import load_supernet
from gennas.training.supernet.norms import BATCH_NORM_MODES, BatchNormMode, set_batch_norm
from gennas.training.supernet.records import SupernetRecord, read_record
from gennas.training.supernet.training import train_supernet

__all__ = [
    "BATCH_NORM_MODES",
    "BatchNormMode",
    "Diagnosis",
    "Supernet",
    "SupernetEvaluator",
    "SupernetRecord",
    "diagnose",
    "load_supernet",
    "read_diagnosis",
    "read_record",
    "set_batch_norm",
    "train_supernet",
]
