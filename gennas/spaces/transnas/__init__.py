"""TransNAS-Bench-101: cells (micro) and skeletons (macro) for seven vision tasks."""

from gennas.spaces.transnas.macro import TransNASMacro
from gennas.spaces.transnas.micro import TransNASMicro

__all__ = ["TransNASMacro", "TransNASMicro"]
