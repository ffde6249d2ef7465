"""NAS-Bench-Macro: eight layers in three stages."""

from gennas.spaces.nasbench_macro.space import NASBenchMacro

__all__ = ["NASBenchMacro"]
