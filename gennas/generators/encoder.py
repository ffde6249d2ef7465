"""Pre-training of the encoder without accuracies: masked labels and properties that cost nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.eval.complexity import count_flops
from gennas.generators.fitting import descend, uniform_rows
from gennas.graph import Architecture, GraphSchema, Population
from gennas.graph.features import graph_features
from gennas.graph.graf import graf_features
from gennas.models.base import FloatArray
from gennas.models.encoder import GraphEncoder
from gennas.models.schema import check_schema
from gennas.models.surrogate import normal_scores
from gennas.models.tensors import graph_tensors
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec

__all__ = ["free_properties", "pretrain_encoder"]

_SHAPE = ("edges", "depth", "width")
_BY_OPERATION = ("count:", "paths:")


def pretrain_encoder(
    encoder: GraphEncoder,
    archs: Population,
    steps: int = 200,
    seed: int = 0,
    batch_size: int = 128,
    lr: float = 2e-3,
    mask_ratio: float = 0.3,
    properties: FloatArray | None = None,
    property_weight: float = 1.0,
) -> FloatArray:
    r"""Train an encoder in place to reconstruct labels and predict properties, and return every step's loss.

    .. math:: \frac{1}{|M|} \sum_{s \in M} -\log p_\theta(\text{label}_s \mid \text{rest})
              + \lambda \operatorname{mean}_{i, p} (f_p(a_i) - z_{ip})^2

    Every decision, node or edge, is in the masked set :math:`M` with probability ``mask_ratio`` (at
    least one of each architecture); cross-entropies are in nats. The properties are read off the
    embedding of the unmasked architecture and given as normal scores :math:`z` of their ranks, so that
    units and outliers do not matter. No accuracies are used.

    Args:
        encoder: what is trained; made with ``properties=(names…)`` if properties are given.
        archs: random architectures of the space, no labels needed.
        steps: optimiser steps.
        seed: seed of batches and masks.
        batch_size: architectures in a step.
        lr: peak learning rate.
        mask_ratio: share of the decisions that is masked.
        properties: ``(b, p)``, columns in the order of ``encoder.config.properties``, NaN where unknown;
            such as :func:`free_properties` or zero-cost scores.
        property_weight: :math:`\lambda`.

    Raises:
        CheckpointError: the architectures belong to another schema.
        ConfigError: there are none, or the properties do not fit the encoder.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> archs = space.sample(64, np.random.default_rng(0))
        >>> properties, names = free_properties(space, archs)
        >>> encoder = GraphEncoder.for_schema(space.schema, dim=16, properties=names)
        >>> pretrain_encoder(encoder, archs, steps=3, properties=properties).shape
        (3,)
    """
    check_schema(encoder.schema, archs.schema)
    if not len(archs):
        raise ConfigError("Expected at least one architecture to pre-train the encoder on, got none.")
    targets = _targets(encoder, properties, len(archs)).to(encoder.device)
    generator = torch.Generator().manual_seed(seed)
    X, E = graph_tensors(archs, encoder.device)

    def loss(rows: Tensor) -> Tensor:
        rows = rows.to(X.device)
        hidden = _hidden_slots(archs.schema, batch_size, mask_ratio, generator)
        value = _reconstruction_loss(encoder, X[rows], E[rows], *(h.to(X.device) for h in hidden))
        if targets.shape[1]:
            value = value + property_weight * _property_loss(encoder, X[rows], E[rows], targets[rows])
        return value

    rows = uniform_rows(len(X), batch_size, generator)
    return descend(encoder, rows, loss, steps, lr, betas=(0.9, 0.999), max_norm=None)


def free_properties(
    space: Space, archs: Population, spec: TaskSpec | None = None, most_built: int = 64
) -> tuple[FloatArray, tuple[str, ...]]:
    """Properties that need no label, ``(b, p)``, NaN where not computed, and their ``p`` names.

    Counts and numbers of paths by subsets of operations (``count:…``, ``paths:…`` of
    :func:`gennas.graph.graf.graf_features`) and, where topology is free, ``edges``, ``depth`` and
    ``width``. With a ``spec`` also ``params`` and ``flops`` (multiply-accumulates of one example) of the
    network that the space builds. These cost up to half a CPU second each, so that only the first
    ``most_built`` architectures have them; images need no memory (meta device), graphs are counted
    on a ring of four nodes.
    """
    found: dict[str, FloatArray] = {}
    for values, names in (graph_features(archs), graf_features(archs)):
        columns = dict(zip(names, values.T, strict=True))
        found |= {name: column for name, column in columns.items() if name in _SHAPE or name.startswith(_BY_OPERATION)}
    if spec is not None:
        built = np.full((len(archs), 2), np.nan)
        for i in range(min(most_built, len(archs))):
            built[i] = _complexity(space, archs[i], spec)
        found |= {"params": built[:, 0], "flops": built[:, 1]}
    return np.stack(list(found.values()), axis=1), tuple(found)


def _complexity(space: Space, arch: Architecture, spec: TaskSpec) -> tuple[int, int]:
    """Parameters and multiply-accumulates."""
    if spec.kind == "image":
        with torch.device("meta"):
            module = space.build(arch, spec)
        counted = count_flops(module, (1, *spec.input_shape))
    else:
        counted = count_flops(space.build(arch, spec), spec.random_inputs(4 if spec.kind == "node" else 1))
    return counted.params, counted.flops


def _targets(encoder: GraphEncoder, properties: FloatArray | None, b: int) -> Tensor:
    """Normal scores of the known values of every property, ``(b, p)``, NaN for unknown."""
    names = encoder.config.properties
    properties = np.zeros((b, 0)) if properties is None else np.asarray(properties, dtype=np.float64)
    if properties.shape not in ((b, len(names)), (b, 0)):
        raise ConfigError(
            f"Expected properties ({b}, {len(names)}) for the encoder's {', '.join(names) or 'none'}, "
            f"got {properties.shape}: make it with GraphEncoder.for_schema(schema, properties=names)."
        )
    scores = np.full(properties.shape, np.nan)
    for p, column in enumerate(properties.T):
        known = np.isfinite(column)
        if known.sum() > 1:
            scores[known, p] = normal_scores(column[known])
    return torch.from_numpy(scores).float()


def _hidden_slots(schema: GraphSchema, b: int, mask_ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which node slots ``(b, n)`` and edge slots ``(b, n, n)`` to mask."""
    score = torch.rand(b, schema.num_decisions, generator=generator)
    chosen = (score < mask_ratio) | (score == score.amin(1, keepdim=True))
    nodes = torch.zeros(b, schema.num_nodes, dtype=torch.bool)
    edges = torch.zeros(b, schema.num_nodes, schema.num_nodes, dtype=torch.bool)
    for t, slot in enumerate(schema.slots):
        if slot.source is None:
            nodes[:, slot.target] = chosen[:, t]
        else:
            edges[:, slot.source, slot.target] = chosen[:, t]
    return nodes, edges


def _reconstruction_loss(encoder: GraphEncoder, X: Tensor, E: Tensor, nodes: Tensor, edges: Tensor) -> Tensor:
    k, m = len(encoder.schema.node_labels), len(encoder.schema.edge_labels)
    node_logits, edge_logits = encoder.reconstruct(X.masked_fill(nodes, k), E.masked_fill(edges, m))
    node_error = nn.functional.cross_entropy(node_logits[nodes], X[nodes], reduction="sum")
    edge_error = nn.functional.cross_entropy(edge_logits[edges], E[edges], reduction="sum")
    return (node_error + edge_error) / (nodes.sum() + edges.sum())


def _property_loss(encoder: GraphEncoder, X: Tensor, E: Tensor, targets: Tensor) -> Tensor:
    known = targets.isfinite()
    error = (encoder.read_properties(encoder(X, E)) - targets.nan_to_num())[known]
    return error.square().sum() / known.sum().clamp(min=1)
