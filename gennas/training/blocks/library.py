"""The candidates of every layer of a trained network, with weights that begin as the parent's."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.eval.complexity import count_flops
from gennas.eval.hardware import resolve_device
from gennas.graph import Architecture
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.spaces.parts import counterparts
from gennas.spaces.stack import Stack, Values, values_text
from gennas.training.data import Batch, TaskData
from gennas.training.fidelity import apply_fidelity, scale_spec
from gennas.training.recipe import TrainConfig
from gennas.training.supernet.base import Supernet
from gennas.training.task import Task

__all__ = ["Block", "BlockLibrary", "LeftOut", "Seen"]

_BLOCKS = "blocks"  # where networks of layered spaces keep their layers


class LeftOut(nn.Module):
    """What stands in for a layer that is left out: it hands its first input on."""

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """``x``."""
        return x


@dataclass(eq=False)
class Block:
    """What one layer can be.

    Args:
        values: of its decisions; None where the layer is left out.
        module: its network.
        is_own: whether it is the parent's.
        params: its parameters.
        flops: its multiply-accumulates for one example.
        latency_ms: milliseconds of one call with one example; not a number until measured.
        error: normalised squared error of its output on the validation part; not a number until scored.
        scores: loss and scores of the whole network on the validation part with this one block in it.
        steps: it was trained for.
        seconds: of its training.
    """

    values: Values | None
    module: nn.Module
    is_own: bool
    params: int
    flops: int
    latency_ms: float = math.nan
    error: float = math.nan
    scores: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """What it is, for a person."""
        return values_text(self.values)

    @property
    def can_learn(self) -> bool:
        """Whether there is something to train: neither the parent's block nor none."""
        return not self.is_own and any(True for _ in self.module.parameters())


@dataclass(frozen=True)
class Seen:
    """What a layer of the parent got and gave for a batch."""

    inputs: tuple[Tensor, ...]
    output: Tensor


class BlockLibrary:
    """The candidates of every layer of a trained network.

    The parent's weights are put into a supernet of its space, from which every candidate inherits leading slices; a
    kind of layer that the parent does not have begins freshly initialised. Candidates have no larger numbers than the
    parent's layer, and the parent's own block comes first.

    Args:
        space: of the parent.
        task: that it was trained for.
        arch: the parent's architecture.
        network: the trained parent; it is copied.
        fidelity: at which it was trained: share of the data, size of images or texts.
        config: recipe, whose batch sizes, device and threads are used; by default the task's.
        seed: of weights that nothing is inherited for.

    Raises:
        ConfigError: the space has no layers or no supernet, or its networks do not keep their layers in ``blocks``.

    Example:
        >>> from gennas.spaces.gpt import GPT
        >>> from gennas.training import make_task
        >>> space, task = GPT(embeds=(16,), depths=(1, 2), heads=(2,), mlp=(1, 2)), make_task("stdlib")
        >>> arch = space.from_text("embed=16;depth=2;mixer=attention,attention;heads=2,2;mlp=2,2")
        >>> library = BlockLibrary(space, task, arch, space.build(arch, task.spec))
        >>> [block.text for block in library.layers[0]]  # doctest: +NORMALIZE_WHITESPACE
        ['mixer=attention heads=2 mlp=2', 'mixer=attention heads=2 mlp=1', 'mixer=conv mlp=1', 'mixer=conv mlp=2',
         'mixer=none mlp=1', 'mixer=none mlp=2', 'out']
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        arch: Architecture,
        network: nn.Module,
        fidelity: Fidelity | None = None,
        config: TrainConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.stack, self.task, self.seed = space.stack(arch), task, seed
        self.config = config or task.config
        self.fidelity = fidelity or Fidelity()
        self.spec = scale_spec(task.spec, self.fidelity)
        self.device = resolve_device(self.config.device)
        self.parent = copy.deepcopy(network).to(self.device).eval().requires_grad_(False)
        _require_blocks(self.parent, self.stack)
        with seeded(seed):
            supernet = Supernet(space, self.spec).eval()
        with torch.no_grad():
            for own, shared in counterparts(copy.deepcopy(network).cpu(), supernet.shared, arch.decisions.tolist()):
                shared.copy_(own)
        examples = self.seen(Batch(self.example, None, torch.empty(0)))
        self.layers = [
            [self._block(supernet, layer, values, examples[layer]) for values in self.stack.options(layer)]
            for layer in range(len(self.stack))
        ]

    @cached_property
    def data(self) -> TaskData:
        """The task's data at the fidelity, on the device."""
        return apply_fidelity(self.task.data, self.fidelity, self.seed).to(self.device)

    @cached_property
    def example(self) -> tuple[Tensor, ...]:
        """Inputs of a forward pass of one example, on the device."""
        return tuple(x.to(self.device) for x in self.task.example_inputs(1, self.spec.input_shape))

    def _block(self, supernet: Supernet, layer: int, values: Values | None, seen: Seen) -> Block:
        own = values == self.stack.places[layer].values
        if own:
            module: nn.Module = copy.deepcopy(blocks_of(self.parent)[layer])
        elif values is None:
            module = LeftOut()
        else:
            module = copy.deepcopy(blocks_of(supernet.network(self.stack.with_layer(layer, values)))[layer])
        module = module.to(self.device).eval().requires_grad_(False)
        with torch.no_grad():
            made = module(*seen.inputs)
        if made.shape != seen.output.shape:
            raise ConfigError(
                f"Layer {layer + 1} of the parent cannot become {values_text(values)}, which gives "
                f"{tuple(made.shape)} instead of {tuple(seen.output.shape)}: its layers change shapes."
            )
        params = sum(p.numel() for p in module.parameters())
        return Block(values, module, own, params, 0 if values is None else count_flops(module, seen.inputs).flops)

    # ------------------------------------------------------------------ inside the parent

    def seen(self, batch: Batch) -> list[Seen]:
        """What every layer of the parent gets and gives for a batch; the parent stays as it is."""
        found: dict[int, Seen] = {}

        def keep(layer: int, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found[layer] = Seen(tuple(x.detach() for x in inputs), output.detach())

        hooks = [
            block.register_forward_hook(lambda _, inputs, output, i=i: keep(i, inputs, output))
            for i, block in enumerate(blocks_of(self.parent))
        ]
        try:
            with torch.no_grad():
                self.parent(*(x.to(self.device) for x in batch.inputs))
        finally:
            for hook in hooks:
                hook.remove()
        return [found[i] for i in range(len(hooks))]

    @contextmanager
    def swapped(self, layer: int, block: Block) -> Iterator[nn.Module]:
        """The parent with one other block, inside; afterwards it is as before."""
        blocks = blocks_of(self.parent)
        own = blocks[layer]
        blocks[layer] = block.module
        try:
            yield self.parent
        finally:
            blocks[layer] = own

    # ------------------------------------------------------------------ networks of chosen blocks

    @property
    def own_choice(self) -> tuple[int, ...]:
        """The choice that is the parent."""
        return (0,) * len(self.layers)

    def architecture(self, choice: Sequence[int]) -> Architecture:
        """The architecture of chosen blocks, one per layer.

        Raises:
            InvalidArchitectureError: the space has no network of so few layers.
        """
        return self.stack.architecture([blocks[k].values for blocks, k in zip(self.layers, choice, strict=True)])

    def assemble(self, choice: Sequence[int]) -> nn.Module:
        """A network of its own, as the space builds it, of the chosen blocks and all else of the parent.

        Raises:
            InvalidArchitectureError: as :meth:`architecture`.
        """
        with seeded(0):
            network = self.stack.space.build(self.architecture(choice), self.spec)
        chosen = [blocks[k] for blocks, k in zip(self.layers, choice, strict=True)]
        kept = [block.module.state_dict() for block in chosen if block.values is not None]
        state = {n: t for n, t in self.parent.state_dict().items() if not n.startswith(f"{_BLOCKS}.")}
        state |= {f"{_BLOCKS}.{i}.{name}": t for i, block in enumerate(kept) for name, t in block.items()}
        network.load_state_dict(state)
        return network.to(self.device).eval()

    def rest(self, cost: str) -> float:
        """What the parent costs beside its layers: their embedding, their head.

        Args:
            cost: ``params``, ``flops`` or ``latency_ms``.
        """
        return self.parent_costs[cost] - sum(float(getattr(blocks[0], cost)) for blocks in self.layers)

    @cached_property
    def parent_costs(self) -> dict[str, float]:
        """Parameters and multiply-accumulates of the parent; its latency is added when it is measured."""
        counted = count_flops(self.parent, self.example)
        return {"params": float(counted.params), "flops": float(counted.flops)}

    @property
    def seconds(self) -> float:
        """Seconds of training of all blocks."""
        return sum(block.seconds for blocks in self.layers for block in blocks)

    def require_scores(self) -> None:
        """Refuse a library that was not scored.

        Raises:
            EvaluationError: it was not.
        """
        if any(not block.scores for blocks in self.layers for block in blocks):
            raise EvaluationError("Expected blocks with scores: call score_blocks(library) first.")


def blocks_of(network: nn.Module) -> nn.Sequential:
    """The layers of a network."""
    found: nn.Sequential = network.get_submodule(_BLOCKS)  # type: ignore[assignment]
    return found


def _require_blocks(network: nn.Module, stack: Stack) -> None:
    blocks = getattr(network, _BLOCKS, None)
    if not isinstance(blocks, (nn.Sequential, nn.ModuleList)) or len(blocks) != len(stack):
        got = f"{len(blocks)} modules" if isinstance(blocks, (nn.Sequential, nn.ModuleList)) else "none"
        raise ConfigError(
            f"Expected networks of {stack.space.name} to keep their {len(stack)} layers in a list named {_BLOCKS}, got "
            f"{got}: its layers cannot be taken out."
        )
