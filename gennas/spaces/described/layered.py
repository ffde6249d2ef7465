"""Spaces of ``kind: layered``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError, shown
from gennas.graph import Architecture
from gennas.spaces.described.blocks import BLOCKS, NETWORKS, Argument, known_name
from gennas.spaces.described.description import DecisionDescription, GroupDescription, LayeredDescription
from gennas.spaces.described.file import digest_of
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LayeredFile"]

Settings = dict[str, Any]


class LayeredFile(LayeredSpace):
    """The layered space of a YAML file: decisions, groups of layers, and the blocks that layers consist of.

    An argument ``$name`` is what the decision ``name`` of the layer, of its group or of the whole says. A block may be
    ``$name``, too: the word that was chosen; it is told the arguments that it knows.

    Args:
        description: what the file says.
        file: where it stands.

    Raises:
        ConfigError: unknown blocks, arguments or decisions, or values that an argument cannot have.
    """

    def __init__(self, description: LayeredDescription, file: Path) -> None:
        known_name("network", description.network, NETWORKS)
        self.description, self.digest = description, digest_of(description)
        self.file: Path = file
        super().__init__(
            description.name or file.stem,
            _decisions(description.whole),
            [Group(g.name, g.depth, layer=_decisions(g.layer), whole=_decisions(g.whole)) for g in description.groups],
        )
        self.options = {}
        self._check()

    # ------------------------------------------------------------------ checks

    def _check(self) -> None:
        d = self.description
        template = NETWORKS[d.network]
        for name, value in d.settings.items():
            known_name(f"setting of the network {shown(d.network)},", name, template.arguments)
            _check_values(f"settings.{name}", template.arguments[name], value, d.whole)
        for group in d.groups:
            seen = {**d.whole, **group.whole, **group.layer}
            for module in group.modules:
                if len(module) != 1:
                    raise ConfigError(f"{group.name}: expected modules of one block each, got {', '.join(module)}.")
                for name, arguments in module.items():
                    self._check_block(group, name, arguments or {}, seen)

    def _check_block(
        self, group: GroupDescription, name: str, arguments: Mapping[str, Any], seen: Mapping[str, DecisionDescription]
    ) -> None:
        on = NETWORKS[self.description.network].on
        fitting = [block for block, template in BLOCKS.items() if template.on in ("", on)]
        blocks = list(_values(f"{group.name}: block", name, seen))
        for block in blocks:
            known_name(f"block on {on}", str(block), fitting)
        for argument, value in arguments.items():
            known = [block for block in blocks if argument in BLOCKS[str(block)].arguments]
            if not known:
                known_name(
                    f"argument of {shown(name)}",
                    argument,
                    dict.fromkeys(a for b in blocks for a in BLOCKS[str(b)].arguments),
                )
            for block in known:
                where = f"{group.name}.{block}.{argument}"
                _check_values(where, BLOCKS[str(block)].arguments[argument], value, seen)

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The network of the file, with the blocks that were chosen.

        Raises:
            ConfigError: another kind of task, or sizes that do not fit each other.
        """
        from gennas.spaces.described.networks import build_network

        d, config = self.description, self.config(arch)
        whole = {name: config[name] for name in d.whole}
        settings = {name: a.default for name, a in NETWORKS[d.network].arguments.items()}
        settings |= {name: _value(value, whole) for name, value in d.settings.items()}
        layers = [blocks for i in range(len(d.groups)) for blocks in self._layers(i, config, whole)]
        return build_network(self.name, d.network, settings, layers, spec)

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> LayeredFile:
        """Refuse: the file's own numbers are all that says how wide and how deep its networks are.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{self.file}: a space of kind: layered has no width or depth fidelity. Save by fewer epochs, less data, "
            "smaller images or shorter texts, or write a smaller space."
        )

    def _layers(
        self, number: int, config: Mapping[str, Any], whole: Mapping[str, Any]
    ) -> Iterator[list[tuple[str, Settings]]]:
        """Blocks and their arguments of every layer of a group."""
        group = self.description.groups[number]
        prefix = f"{group.name}." if len(self.description.groups) > 1 else ""
        of_group = {**whole, **{name: config[prefix + name] for name in group.whole}}
        for i in range(config[f"{prefix}depth"]):
            chosen = {**of_group, **{name: config[prefix + name][i] for name in group.layer}}
            yield [
                _block(str(_value(name, chosen)), arguments or {}, chosen)
                for module in group.modules
                for name, arguments in module.items()
            ]


def _block(name: str, arguments: Mapping[str, Any], chosen: Mapping[str, Any]) -> tuple[str, Settings]:
    """A block and all its arguments; those that are off or not given have their defaults."""
    known = BLOCKS[name].arguments
    given = {a: _value(value, chosen) for a, value in arguments.items() if a in known}
    defaults = {a: argument.default for a, argument in known.items()}
    return name, defaults | {a: value for a, value in given.items() if value is not None}


def _value(value: Any, chosen: Mapping[str, Any]) -> Any:
    return chosen[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def _values(where: str, value: Any, seen: Mapping[str, DecisionDescription]) -> tuple[Any, ...]:
    """What ``value`` can be: itself, or the values of the decision that it refers to."""
    if not (isinstance(value, str) and value.startswith("$")):
        return (value,)
    if value[1:] not in seen:
        known = ", ".join(f"${name}" for name in seen) or "none"
        raise ConfigError(f"{where}: expected a decision out of {known}, got {shown(value)}.")
    decision = seen[value[1:]]
    return (*decision.values, *(decision.first or ()))


def _check_values(where: str, argument: Argument, value: Any, seen: Mapping[str, DecisionDescription]) -> None:
    for possible in _values(where, value, seen):
        argument.check(where, possible)


def _decisions(described: Mapping[str, DecisionDescription]) -> tuple[Decision, ...]:
    return tuple(Decision(name, d.values, when=d.when, first=d.first, prefix=d.prefix) for name, d in described.items())
