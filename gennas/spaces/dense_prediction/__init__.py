"""Dense prediction cells for segmentation."""

from gennas.spaces.dense_prediction.space import DPC, DensePrediction

__all__ = ["DPC", "DensePrediction"]
