"""Small networks of plain PyTorch, one for each kind of task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec


class Tokens(nn.Module):
    """An embedding, a convolution over five tokens that looks back only, and a linear layer; the mean for texts."""

    def __init__(self, spec: TaskSpec, width: int = 24) -> None:
        super().__init__()
        self.pooled = spec.kind == "text"
        self.embed, self.conv = nn.Embedding(spec.vocabulary, width), nn.Conv1d(width, width, 5)
        self.head = nn.Linear(2 * width, spec.num_outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        y = self.conv(nn.functional.pad(x.transpose(1, 2), (4, 0))).relu().transpose(1, 2)
        both = torch.cat([x, y], -1)
        return self.head(both.mean(1) if self.pooled else both)


class Graphs(nn.Module):
    """Two rounds of summing over neighbours, and the mean over nodes."""

    def __init__(self, spec: TaskSpec, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * i, width), nn.BatchNorm1d(width), nn.ReLU())
            for i in (spec.input_shape[0], width, width)
        )
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        for layer in self.layers:
            gathered = torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])
            x = layer(torch.cat([x, gathered], 1))
        graphs = int(batch.max()) + 1
        total = torch.zeros(graphs, x.shape[1]).index_add(0, batch, x)
        return self.head(total / torch.bincount(batch, minlength=graphs)[:, None])


class Pair(nn.Module):
    def __init__(self, spec: TaskSpec, width: int = 48) -> None:
        super().__init__()
        sizes = [torch.Size(s).numel() for s in (spec.input_shape, spec.second_shape)]
        self.parts = nn.ModuleList(nn.Sequential(nn.Flatten(), nn.Linear(s, width), nn.ReLU()) for s in sizes)
        self.head = nn.Linear(2 * width, spec.num_outputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.head(torch.cat([part(x) for part, x in zip(self.parts, (first, second), strict=True)], 1))


def small_network(spec: TaskSpec, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if spec.kind in ("language", "tagging", "text"):
            return Tokens(spec)
        if spec.kind == "graph":
            return Graphs(spec)
        if spec.kind == "pair":
            return Pair(spec)
        channels = spec.input_shape[0]
        if spec.kind == "segmentation":
            first = nn.Conv2d(channels, 16, 5, padding=2)
            return nn.Sequential(first, nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, spec.num_outputs, 1))
        return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(spec.input_shape).numel(), spec.num_outputs))
