"""Search spaces: one file per space, each with its schema, validity, text form and networks."""

from __future__ import annotations

from typing import Any

from gennas.errors import ConfigError
from gennas.registry import configured
from gennas.spaces.base import SPACES, Space
from gennas.spaces.gnn.space import GNN
from gennas.spaces.graphgym.space import GraphGym
from gennas.spaces.macro_chain.space import MacroChain
from gennas.spaces.mobilenet.fbnet import FBNet
from gennas.spaces.mobilenet.ofa import OFA
from gennas.spaces.mobilenet.proxyless import ProxylessNAS
from gennas.spaces.nasbench101.space import NASBench101
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.nasbench_graph.space import NASBenchGraph
from gennas.spaces.nasbench_macro.space import NASBenchMacro
from gennas.spaces.sane.space import SANE
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transnas.macro import TransNASMacro
from gennas.spaces.transnas.micro import TransNASMicro

__all__ = [
    "GNN",
    "OFA",
    "SANE",
    "SPACES",
    "FBNet",
    "GraphGym",
    "MacroChain",
    "NASBench101",
    "NASBench201",
    "NASBenchGraph",
    "NASBenchMacro",
    "ProxylessNAS",
    "Space",
    "TaskSpec",
    "TransNASMacro",
    "TransNASMicro",
    "make_space",
]


def make_space(name: str, **options: Any) -> Space:
    """Make a space by registered name, or by import path ``package.module:Class`` or ``file.py:Class``.

    Args:
        name: a name in ``SPACES``, or an import path.
        **options: arguments of the space's constructor.

    Raises:
        UnknownNameError: no space has that name.
        ConfigError: the import path leads to something else, or an option does not exist.

    Example:
        >>> make_space("macro-chain", max_depth=4).name
        'macro-chain'
    """
    factory = SPACES.get(name)
    if not (isinstance(factory, type) and issubclass(factory, Space)):
        raise ConfigError(f"Expected {name!r} to name a subclass of gennas.spaces.Space, got {factory!r}.")
    made: Space = configured(f"space {name!r}", factory, options)
    return made
