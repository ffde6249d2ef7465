"""What scripts/fuzz feeds with texts: architectures, expressions, options, settings."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_edits import ODD, edited_bytes, edited_text

from gennas.eval.derived import WeightedSum, read_goal
from gennas.eval.naming import split_names
from gennas.generators.conditions import ConditionScale, ask
from gennas.graph import Architecture, GraphSchema
from gennas.search.objectives import Constraint, Objective
from gennas.spaces import SPACES, MacroChain, NASBench201, Space, make_space
from gennas.workbench.config import CompareConfig, SearchConfig
from gennas.workbench.prior import read_prior
from gennas.workbench.settings import read_limits
from gennas.workbench.values import load_yaml, parse_options

SPACE = NASBench201()
EXECUTED: list[str] = []
"""What an input made run although it was only to be read."""


class Surface:
    """What reads one kind of input; made once, before workers are forked, and used by each in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self) -> Path:
        """This worker's own copy of the folder."""
        own = self.folder.with_name(f"{self.folder.name}-{os.getpid()}")
        if not own.exists():
            shutil.copytree(self.folder, own)
        return own

    def run(self, rng: random.Random) -> Iterator[Any]:
        """Yield what is read, then read it."""
        raise NotImplementedError


class Texts(Surface):
    """Architectures of all spaces."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        schema = GraphSchema(
            "plain",
            ("op a", "op~b", "skip"),
            ("none", "edge"),
            np.ones((5, 3), bool),
            np.triu(np.ones((5, 5)), 1)[..., None] >= [0, 1],
        )
        self.spaces: list[Space] = [*(make_space(name) for name in SPACES), MacroChain(max_depth=3), _Plain(schema)]
        rng = np.random.default_rng(0)
        self.samples = [[space.to_text(a) for a in space.sample(20, rng)] for space in self.spaces]
        self.others = (
            "(4, 0, 3, 1, 4, 3)",
            "['Identity', 'Zero', 'ReLUConvBN3x3', 'ReLUConvBN1x1', 'AvgPool1x1', 'Zero']",
            str({f"{u}_{v}": "conv_1x1" for v in range(1, 4) for u in range(v)}),
            *(text for own in self.samples for text in own[:3]),
        )

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        i = rng.randrange(len(self.spaces))
        space, form = self.spaces[i], rng.choice(("", "", *self.spaces[i].formats))
        sample = rng.choice(self.samples[i] if rng.random() < 0.8 and not form else self.others)
        yield (text := edited_text(sample, self.others, rng))
        if rng.random() < 0.1:
            space.from_texts([sample, text] if not form else [text])
        arch = space.from_text(space.formats[form](text) if form else text)
        if space.from_text(space.to_text(arch)) != arch:
            raise AssertionError("reads another architecture than it writes")


class _Plain(Space):
    """A space with the default text form."""

    name = "plain"

    def __init__(self, schema: GraphSchema) -> None:
        self.schema = schema

    def build(self, arch: Architecture, spec: Any) -> torch.nn.Module:
        """It has no networks."""
        raise NotImplementedError


class Expressions(Surface):
    """Texts that name metrics."""

    samples = (
        "acc",
        "acc:max",
        "val_accuracy - 0.01 * latency_ms",
        '"latency (ms)":min',
        "latency_ms<=5",
        "acc:ema >= 0.9",
        "Top-1 (%)>=1e-3",
        "2*acc+3*params:max",
        "acc, latency_ms:min",
        "acc>=0.9q, ms<=0.25q",
        "val/acc,a,b",
        '"a,b":max,x',
        '-acc - .5*"a+b"',
    )
    known = ("acc", "ms", "latency (ms)", "a,b", "a+b", "acc:ema", "x - y", "1*acc", "é")

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        known = self.known if rng.random() < 0.5 else ()
        scales = [ConditionScale(n, "max", (0.5, 0.7) if n == "acc" else ()) for n in self.known[: rng.randrange(4)]]
        read = rng.choice(
            (
                lambda t: str(Objective.parse(t)),
                lambda t: str(Constraint.parse(t)),
                lambda t: read_goal(t, known),
                lambda t: WeightedSum.parse(WeightedSum.parse(t, known).name, known),
                lambda t: split_names(t, known),
                lambda t: ask(t, scales),
                lambda t: read_limits([t]),
            )
        )
        yield (text := edited_text(rng.choice(self.samples), self.samples, rng))
        read(text)


class Options(Surface):
    """KEY=VALUE, and settings made of such."""

    samples = (
        "num_cells=1",
        "lr=1e-3",
        "kernels=[3, 5]",
        "a={random: 1, mutation: 0.5}",
        "seconds=600",
        "x=2020-01-01",
        "n=1_000",
        "b=yes",
        "w=.5",
        "t='a b'",
        "population_size=20",
        "warm_start=8",
        "variant=proteins",
        "nested=[[1, {a: [2]}], null]",
    )
    fields = tuple(SearchConfig().to_dict())

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        texts = [edited_text(rng.choice(self.samples), self.samples, rng) for _ in range(rng.choice((1, 1, 2)))]
        match rng.randrange(4):
            case 0:
                yield texts
                parse_options(texts)
            case 1:
                yield texts
                make_space(rng.choice(list(SPACES)), **parse_options(texts))
            case 2:
                yield texts
                SearchConfig.from_dict({"space_option": texts[0], "strategy_option": texts, "limit": texts})
            case _:
                settings = {rng.choice(self.fields): rng.choice((*ODD, texts[0], texts)) for _ in range(2)}
                yield settings
                config = SearchConfig.from_dict(settings)
                SearchConfig.from_dict(json.loads(json.dumps(config.to_dict(), default=str)))


class Yaml(Surface):
    """Files of settings."""

    samples = (
        "space: nasbench201\ntable: mine.csv\nobjective: acc:max\nbudget: 20\nseed: 0\nout: runs/a\n",
        "space: nasbench-graph\ntask: cora\nstrategy: generative\nstrategy-option: {warm_start: 8, shares: {random: 1}}"
        "\nlimit:\n  seconds: 60\n",
        "strategies: random,regularized-evolution@population_size=20\nseeds: 3\nbudget: 50\nspace: nasbench201\n"
        "table: a.csv\nobjective: [a, b]\n",
        "a: &a {b: 1}\nc: *a\nd: [*a, *a]\n",
        '"edge 0-1": {none: 2, skip_connect: 0.5}\n"edge 2-3":\n  nor_conv_3x3: 1e3\n',
    )

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        path = self.place() / "settings.yaml"
        text = edited_text(rng.choice(self.samples), self.samples, rng)
        content = edited_bytes(text.encode(), rng) if rng.random() < 0.2 else text.encode("utf-8", "surrogatepass")
        path.write_bytes(content)
        yield content
        if rng.random() < 0.3:
            read_prior(path, SPACE)
        rng.choice((SearchConfig, CompareConfig)).from_dict(load_yaml(path))
