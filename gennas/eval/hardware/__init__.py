"""What a module costs on real hardware, and what predictors say that an architecture costs."""

from gennas.eval.hardware.device_transfer import TransferPredictor
from gennas.eval.hardware.energy import Energy, EnergyMeter, mean_joules, measure_energy
from gennas.eval.hardware.latency import Latency, Timing, measure_latencies, measure_latency
from gennas.eval.hardware.memory import PeakMemory, measure_memory
from gennas.eval.hardware.predictor_file import load_predictor, save_predictor
from gennas.eval.hardware.predictors import (
    PREDICTORS,
    CostPredictor,
    ForestPredictor,
    LookupPredictor,
    PredictionQuality,
    RankPredictor,
    prediction_quality,
)
from gennas.eval.hardware.quantize import Int8Latency, accuracy, measure_int8_latency, quantize_int8
from gennas.runtime.device import resolve_device

__all__ = [
    "PREDICTORS",
    "CostPredictor",
    "Energy",
    "EnergyMeter",
    "ForestPredictor",
    "Int8Latency",
    "Latency",
    "LookupPredictor",
    "PeakMemory",
    "PredictionQuality",
    "RankPredictor",
    "Timing",
    "TransferPredictor",
    "accuracy",
    "load_predictor",
    "mean_joules",
    "measure_energy",
    "measure_int8_latency",
    "measure_latencies",
    "measure_latency",
    "measure_memory",
    "prediction_quality",
    "quantize_int8",
    "resolve_device",
    "save_predictor",
]
