"""Architectures as labelled directed acyclic graphs: data, conversions, drawings, features."""

from gennas.graph.architecture import Architecture, Population
from gennas.graph.convert import from_networkx, from_pyg, from_pyg_batch, to_networkx, to_pyg, to_pyg_batch
from gennas.graph.draw import draw_png, draw_svg
from gennas.graph.draws import draw_labels
from gennas.graph.features import decision_one_hot, graph_features
from gennas.graph.layers import LayerTable, layer_table
from gennas.graph.names import decision_labels, slot_name
from gennas.graph.schema import GraphSchema, IntArray, Slot

__all__ = [
    "Architecture",
    "GraphSchema",
    "IntArray",
    "LayerTable",
    "Population",
    "Slot",
    "decision_labels",
    "decision_one_hot",
    "draw_labels",
    "draw_png",
    "draw_svg",
    "from_networkx",
    "from_pyg",
    "from_pyg_batch",
    "graph_features",
    "slot_name",
    "layer_table",
    "to_networkx",
    "to_pyg",
    "to_pyg_batch",
]
