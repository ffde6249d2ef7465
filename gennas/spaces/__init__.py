"""Search spaces: one file per space, each with its schema, validity, text form and networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gennas.errors import ConfigError, shown
from gennas.registry import configured
from gennas.spaces.autoformer.space import AutoFormerBase, AutoFormerSmall, AutoFormerTiny
from gennas.spaces.base import SPACES, Space
from gennas.spaces.darts.space import DARTS
from gennas.spaces.dasvit.space import DASViT
from gennas.spaces.dense_prediction.space import DPC, DensePrediction
from gennas.spaces.described.file import load_space
from gennas.spaces.flexibert import FlexiBERT, NASBenchBERT
from gennas.spaces.fusion.space import Fusion
from gennas.spaces.gnn.space import GNN
from gennas.spaces.gpt import GPT, GPTLarge, GPTMedium, GPTSmall
from gennas.spaces.grammar.space import GrammarSpace
from gennas.spaces.graphgym.space import GraphGym
from gennas.spaces.hat import HAT
from gennas.spaces.hierarchical.space import Hierarchical
from gennas.spaces.joint.space import JointSpace
from gennas.spaces.macro_chain.space import MacroChain
from gennas.spaces.mobilenet.fbnet import FBNet
from gennas.spaces.mobilenet.ofa import OFA
from gennas.spaces.mobilenet.proxyless import ProxylessNAS
from gennas.spaces.nasbench101.space import NASBench101
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.nasbench_graph.space import NASBenchGraph
from gennas.spaces.nasbench_macro.space import NASBenchMacro
from gennas.spaces.pit.space import PiT
from gennas.spaces.rnn_cell import RNNCell
from gennas.spaces.sane.space import SANE
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transnas.macro import TransNASMacro
from gennas.spaces.transnas.micro import TransNASMicro

__all__ = [
    "SPACES",
    "AutoFormerBase",
    "AutoFormerSmall",
    "AutoFormerTiny",
    "DARTS",
    "DASViT",
    "DensePrediction",
    "DPC",
    "FBNet",
    "FlexiBERT",
    "Fusion",
    "GNN",
    "GPT",
    "GPTLarge",
    "GPTMedium",
    "GPTSmall",
    "GrammarSpace",
    "GraphGym",
    "HAT",
    "Hierarchical",
    "JointSpace",
    "MacroChain",
    "NASBench101",
    "NASBench201",
    "NASBenchBERT",
    "NASBenchGraph",
    "NASBenchMacro",
    "OFA",
    "PiT",
    "ProxylessNAS",
    "RNNCell",
    "SANE",
    "Space",
    "TaskSpec",
    "TransNASMacro",
    "TransNASMicro",
    "load_space",
    "make_space",
]


def make_space(name: str, **options: Any) -> Space:
    """Make a space by registered name, from a YAML file, or by import path.

    Args:
        name: a name in ``SPACES``, a file ``….yaml`` (which is data: nothing in it is executed), or an import path
            ``package.module:Class`` or ``file.py:Class``.
        **options: arguments of the space's constructor.

    Raises:
        UnknownNameError: no space has that name.
        ConfigError: the import path leads to something else, or an option does not exist.

    Example:
        >>> make_space("macro-chain", max_depth=4).name
        'macro-chain'
    """
    if Path(name).suffix in (".yaml", ".yml"):
        if options:
            raise ConfigError(f"A space in a YAML file says everything itself: expected no options of {name}.")
        return load_space(name)
    factory = SPACES.get(name)
    if not (isinstance(factory, type) and issubclass(factory, Space)):
        raise ConfigError(f"Expected {shown(name)} to name a subclass of gennas.spaces.Space, got {shown(factory)}.")
    made: Space = configured(f"space {shown(name)}", factory, options)
    return made
