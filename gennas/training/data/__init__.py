"""Labelled data in memory, one class per kind of example, its three parts kept apart, and batches of it."""

from gennas.training.data.base import IGNORED, PARTS, Batch, Examples, Part, TaskData
from gennas.training.data.graph import GraphData
from gennas.training.data.image import ImageData, channel_scale, resize
from gennas.training.data.node import NodeData
from gennas.training.data.pair import PairData
from gennas.training.data.segmentation import UNLABELLED, SegmentationData
from gennas.training.data.sequence import SequenceData
from gennas.training.data.split import part_of_name, scaled_size, stratified_share, stratified_split
from gennas.training.data.token import TokenData

__all__ = [
    "IGNORED",
    "PARTS",
    "UNLABELLED",
    "Batch",
    "Examples",
    "GraphData",
    "ImageData",
    "NodeData",
    "PairData",
    "Part",
    "SegmentationData",
    "SequenceData",
    "TaskData",
    "TokenData",
    "channel_scale",
    "part_of_name",
    "resize",
    "scaled_size",
    "stratified_share",
    "stratified_split",
]
