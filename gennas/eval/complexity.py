"""Parameters and multiply-accumulates of a module."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Complexity", "UnknownOperatorWarning", "count_flops", "count_parameters"]

# Leaf operators that the literature counts as free, besides what PyTorch tags as pointwise or as a
# view: moving data, making tensors, normalisation, pooling, softmax, reductions and comparisons.
_FREE_NAMES = """
    arange cat clone constant_pad_nd contiguous copy_ detach embedding empty empty_like expand eye fill_ flip full
    full_like gather glu index index_put index_put_ index_select item lift_fresh masked_fill masked_fill_ masked_select
    new_empty new_full new_ones new_zeros nonzero one_hot ones ones_like pixel_shuffle pixel_unshuffle reflection_pad2d
    repeat repeat_interleave replication_pad2d resize_ roll scalar_tensor slice_scatter split_with_sizes_copy stack
    tril triu unbind_copy where zero_ zeros zeros_like _local_scalar_dense _to_copy _unsafe_view
    _batch_norm_no_update _batch_norm_with_update _fused_rms_norm _native_batch_norm_legit
    _native_batch_norm_legit_no_training batch_norm cudnn_batch_norm miopen_batch_norm native_batch_norm
    native_dropout native_group_norm native_layer_norm
    _adaptive_avg_pool2d _adaptive_avg_pool3d _upsample_bilinear2d_aa _upsample_nearest_exact2d adaptive_max_pool2d
    avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices upsample_bilinear2d upsample_nearest2d
    _log_softmax _prelu_kernel _softmax hardsigmoid hardswish log_softmax softmax
    channel_shuffle native_channel_shuffle
    _unique2 all amax amin any argmax argmin argsort bincount cumsum equal linalg_vector_norm logsumexp max mean min
    norm prod sort std std_mean sum topk unique_consecutive unique_dim var var_mean
"""
_FREE = frozenset(_FREE_NAMES.split())
_warned: set[str] = set()


class UnknownOperatorWarning(UserWarning):
    """An operator does work that is not in the count."""


@dataclass(frozen=True)
class Complexity:
    """Size and work of a module.

    Args:
        params: number of parameters, shared ones counted once.
        flops: multiply-accumulates of one forward pass: one multiplication with its addition is *one*,
            the convention of the architecture-search literature (half of what PyTorch's counter says).
        unknown: operators that ran and whose work is not counted.
    """

    params: int
    flops: int
    unknown: tuple[str, ...] = ()


def count_parameters(module: nn.Module, *, trainable_only: bool = False) -> int:
    """Count parameters; shared ones once.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable_only)


def count_flops(module: nn.Module, inputs: Sequence[int] | Sequence[Tensor]) -> Complexity:
    """Count the multiply-accumulates of one forward pass in evaluation mode.

    Convolutions, matrix products and attention are counted by ``torch.utils.flop_counter``. Message
    passing (``scatter_add``, ``scatter_reduce``, ``index_add``) counts one multiply-accumulate per
    aggregated element, as multiplication by a sparse adjacency matrix would. Pointwise operators, views,
    normalisation, pooling, softmax and reductions count nothing, as is usual. Every other operator
    that runs, and every product with a sparse tensor, is unknown: it counts nothing, is listed in
    :attr:`Complexity.unknown`, and is warned of once per process.

    Args:
        module: what is counted; its mode is restored.
        inputs: the shape of one input, batch included, or the input tensors themselves, such as
            ``(x, edge_index)`` for a network on graphs.

    Example:
        >>> count_flops(nn.Linear(3, 2), (1, 3))
        Complexity(params=8, flops=6, unknown=())
    """
    args = [i for i in inputs if isinstance(i, Tensor)] or [_zeros(module, [i for i in inputs if isinstance(i, int)])]
    mode = module.training
    counter = FlopCounterMode(display=False, custom_mapping=_aggregations())
    seen = _LeafOperators()
    module.eval()
    try:
        # The counter is the inner mode: it decomposes what it can and hands the leaves to ``seen``.
        with torch.no_grad(), _plain_attention(), seen, counter:
            module(*args)
    finally:
        module.train(mode)
    unknown = tuple(sorted(seen.sparse | {str(op) for op in seen.working if op not in counter.flop_registry}))
    _warn_once(unknown)
    return Complexity(count_parameters(module), counter.get_total_flops() // 2, unknown)


class _LeafOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operators that are executed and may do real work."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.working: set[Any] = set()
        self.sparse: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not _is_free(func):
            self.working.add(func._overloadpacket)
            if any(isinstance(a, Tensor) and a.layout is not torch.strided for a in args):
                self.sparse.add(f"{func._overloadpacket} (sparse)")
        return func(*args, **(kwargs or {}))


def _is_free(func: Any) -> bool:
    returns = func._schema.returns
    is_view = bool(returns) and returns[0].alias_info is not None and not returns[0].alias_info.is_write
    is_aten = func.namespace in ("aten", "prim", "prims")
    return is_view or torch.Tag.pointwise in func.tags or (is_aten and func._overloadpacket.__name__ in _FREE)


def _aggregations() -> dict[Any, Callable[..., int]]:
    """Formulas, in PyTorch's convention of two operations per multiply-accumulate."""

    def per_source_element(
        out: Sequence[int], dim: int, index: Sequence[int], source: Sequence[int], *_: Any, **__: Any
    ) -> int:
        return 2 * math.prod(source)

    names = ("scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_", "index_add", "index_add_")
    return {getattr(torch.ops.aten, name): per_source_element for name in names}


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Keep ``nn.MultiheadAttention`` off its fused inference path, which the counter cannot see into."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _zeros(module: nn.Module, shape: Sequence[int]) -> Tensor:
    first = next(module.parameters(), None)
    return torch.zeros(*shape) if first is None else torch.zeros(*shape, dtype=first.dtype, device=first.device)


def _warn_once(unknown: Sequence[str]) -> None:
    new = [name for name in unknown if name not in _warned]
    if new:
        _warned.update(new)
        warnings.warn(
            f"FLOPs of {', '.join(new)} are not counted: no formula is known; register one with "
            "torch.utils.flop_counter.register_flop_formula.",
            UnknownOperatorWarning,
            stacklevel=3,
        )
