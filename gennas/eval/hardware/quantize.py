"""INT8 networks by post-training quantisation: their accuracy, and their latency beside the float network's."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError, shown
from gennas.eval.hardware.latency import Latency, Timing, measure_latencies, prepared
from gennas.runtime.threads import cpu_threads

__all__ = ["Int8Latency", "accuracy", "measure_int8_latency", "quantize_int8"]


class Network(Protocol):
    """Anything that maps a batch to logits."""

    def __call__(self, *args: Tensor) -> Tensor:
        """Logits ``(b, classes)``."""
        ...


@dataclass(frozen=True)
class Int8Latency:
    """Both networks compiled by TorchInductor for this processor, and measured in turn.

    Args:
        int8: the quantised network.
        float32: the same network without quantisation, compiled the same way.
    """

    int8: Latency
    float32: Latency


def quantize_int8(
    module: nn.Module, inputs: Sequence[Tensor], calibration: Iterable[Sequence[Tensor]] = ()
) -> nn.Module:
    """Quantise weights (per channel) and activations (per tensor) to eight bits after training.

    PyTorch 2 export quantisation (PT2E) of torchao, with the quantiser for x86 processors: batch norm is
    folded, ranges are those seen on ``calibration``. The result computes the quantised network's outputs with
    PyTorch's own operators, for inputs of exactly the shapes of ``inputs``; it is as slow as
    the float network until it is compiled, see :func:`measure_int8_latency`. ``module`` stays as it was.

    Args:
        module: a network that ``torch.export`` can read.
        inputs: one batch of arguments.
        calibration: batches to take the ranges from; by default ``inputs`` alone.

    Raises:
        ConfigError: torchao is not installed.
        EvaluationError: the network cannot be exported or quantised.
    """
    with _torchao_or_reason(), prepared(module, torch.device("cpu")), torch.no_grad():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

        quantizer = x86.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
        observed = prepare_pt2e(torch.export.export(module, tuple(inputs)).module(), quantizer)
        for batch in [*calibration] or [inputs]:
            observed(*batch)
        return _Frozen(convert_pt2e(observed))


def accuracy(network: Network, batches: Iterable[tuple[Sequence[Tensor], Tensor]], batch_size: int) -> float:
    """Share of examples whose largest logit is their label, always calling with ``batch_size`` examples.

    A shorter last batch is filled up with its own first example, which then does not count.

    Raises:
        ConfigError: no example, or a batch longer than ``batch_size``.
    """
    right = total = 0
    with torch.no_grad():
        for inputs, labels in batches:
            missing = batch_size - len(labels)
            if missing < 0:
                raise ConfigError(f"Expected batches of at most {batch_size} examples, got {len(labels)}.")
            full = [torch.cat([x, x[:1].expand(missing, *x.shape[1:])]) for x in inputs]
            right += int((network(*full)[: len(labels)].argmax(1) == labels).sum())
            total += len(labels)
    if not total:
        raise ConfigError("Expected at least one example to measure an accuracy on.")
    return right / total


def measure_int8_latency(
    module: nn.Module, inputs: Sequence[Tensor], timing: Timing | None = None, *, batch: int | None = None
) -> Int8Latency:
    """Quantise, compile both networks with frozen weights, and measure them in turn.

    Compiling takes from seconds to minutes, and needs a C++ compiler. INT8 is only sure to be quicker on
    processors with instructions for it (VNNI, AMX).

    Raises:
        ConfigError: another device than an x86 processor, or torchao is not installed.
        EvaluationError: the network cannot be quantised or compiled.
    """
    timing = timing or Timing()
    if timing.device != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        raise ConfigError(
            f"INT8 latency is that of x86 processors (device 'cpu'), got {shown(timing.device)} on "
            f"{platform.machine()}."
        )
    quantized = quantize_int8(module, inputs)
    with prepared(module, torch.device("cpu")):
        compiled = [_compiled(network, inputs, timing.threads) for network in (quantized, module)]
        found = measure_latencies(compiled, inputs, replace(timing, channels_last=False), batch=batch)
    return Int8Latency(*found)


class _Frozen(nn.Module):
    """A callable as a module that is always in evaluation mode and holds no tensors of its own."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self._call = (call,)  # in a tuple: a module among the attributes would be asked to change its mode

    def forward(self, *args: Tensor) -> Any:
        return self._call[0](*args)


def _compiled(network: nn.Module, inputs: Sequence[Tensor], threads: int) -> nn.Module:
    import torch._inductor.config as inductor

    try:  # kernels are written for this number of threads
        with cpu_threads(threads), torch.inference_mode(), inductor.patch(freezing=True):
            call = torch.compile(network)
            call(*inputs)
    except Exception as error:  # the compiler can fail with nearly anything
        reason = " ".join(str(error).split())[:300]
        raise EvaluationError(f"The network could not be compiled ({type(error).__name__}: {reason}).") from error
    return _Frozen(call)


@contextmanager
def _torchao_or_reason() -> Iterator[None]:
    """One clear error for what is not installed and for what cannot be exported."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"INT8 needs torchao ({error}): pip install 'gennas[int8]'.") from error
    except Exception as error:  # export can fail with nearly anything
        reason = " ".join(str(error).split())[:300]
        raise EvaluationError(f"The network could not be quantised ({type(error).__name__}: {reason}).") from error
