"""Plain PyTorch source of a network: one readable file that imports torch alone."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field

from torch import nn

from gennas.errors import ExportError
from gennas.export._constructors import Expression, is_library, is_plain_sequence, library_call, tensor_statements
from gennas.export._forward import forward_lines

__all__ = ["module_source"]

_WIDTH = 100
_SLOT = re.compile(r"⟦(\w+)=(-?\d+)⟧")
_TOKEN = re.compile(r"⟪(\d+)\|((?:⟦[^⟧]*⟧)*)⟫|⟦(\w+)=(-?\d+)⟧")


def module_source(module: nn.Module, title: str = "") -> str:
    """Write the Python source of a network.

    Every class of the network's own becomes a class; layers of ``torch.nn`` are made from their settings;
    ``forward`` is traced symbolically in evaluation mode, so what depends on ``self.training`` in it is as in
    evaluation. Instances that differ in whole numbers only share a class with arguments. Names of weights are
    those of the network: its ``state_dict`` loads into the last class of the file.

    Args:
        module: the network; it stays as it is.
        title: first lines of the file's docstring.

    Raises:
        ExportError: the network cannot be written: its control flow depends on values, it shares weights between
            layers, or it calls what plain PyTorch does not have.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.linear = nn.Linear(4, 2)
        ...
        ...     def forward(self, x):
        ...         return self.linear(x.flatten(1)) + 1
        >>> print(module_source(Net(), "Two classes.").partition("class ")[2])
        Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(4, 2)
        <BLANKLINE>
            def forward(self, x: torch.Tensor):
                return self.linear(x.flatten(1)) + 1
        <BLANKLINE>
    """
    module = copy.deepcopy(module).eval()
    if len(list(module.named_parameters(remove_duplicate=False))) != len(list(module.named_parameters())):
        raise ExportError("The network shares weights between layers; that cannot be written as plain source.")
    writer = _Writer()
    root = writer.class_of(module) if _is_own(module) else writer.wrapped(module)
    body = "\n\n\n".join(writer.definitions())
    imports = "import torch\nfrom torch import nn\n" + (
        "from torch.nn import functional\n" if "functional." in body else ""
    )
    usage = f"net = {writer.classes[root].name}(); net.load_state_dict(weights); net.eval()"
    about = (title or type(module).__name__).replace("\\", "\\\\").replace('"', "'")
    heading = f"{about}\n\nWith weights (a state_dict): {usage}"
    return f'"""{heading}\n"""\n\n{imports}\n\n{body}\n'


@dataclass
class _Class:
    """A class to be written, and the numbers of its instances."""

    name: str
    kind: str
    doc: str
    template: str
    in_constructor: int
    rows: list[tuple[int, ...]] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.rows.append(tuple(int(value) for _, value in _SLOT.findall(text)))
        self.instances.append(text)

    @property
    def arguments(self) -> dict[str, list[int]]:
        """Names of the constructor's arguments and the places where they stand; numbers that always agree share one."""
        columns: dict[tuple[int, ...], list[int]] = {}
        for place, column in enumerate(zip(*self.rows, strict=True)):
            if len(set(column)) > 1:
                columns.setdefault(column, []).append(place)
        names = [name for name, _ in _SLOT.findall(self.instances[0])]
        own = {prefix.removeprefix("self.").removesuffix(" = ") for prefix, _ in json.loads(self.instances[0])[0]}
        found: dict[str, list[int]] = {}
        for places in columns.values():
            called = {names[place] for place in places}
            name = "channels" if {"in_channels", "out_channels"} <= called else names[places[0]]
            found[_unused(name, own | set(found))] = places
        return found

    @property
    def kept(self) -> list[str]:
        """Arguments that ``forward`` needs as well."""
        return [name for name, places in self.arguments.items() if places[-1] >= self.in_constructor]


class _Writer:
    """Collects the classes of a network, inner ones first."""

    def __init__(self) -> None:
        self.classes: list[_Class] = []

    def class_of(self, module: nn.Module) -> int:
        """The number of the class that a module of the network's own belongs to."""
        text = self._body(module)
        return self._register(module, text)

    def wrapped(self, module: nn.Module) -> int:
        """A class for a bare layer or sequence, whose weights keep their names."""

        class Network(nn.Sequential):
            """The network."""

        if not is_plain_sequence(module):
            raise ExportError(f"{type(module).__name__} is a layer of PyTorch already; there is no source to write.")
        return self.class_of(Network(*module.children()))

    def definitions(self) -> list[str]:
        return [self._definition(known) for known in self.classes]

    # ------------------------------------------------------------------ collecting

    def _body(self, module: nn.Module) -> str:
        """Constructor and forward as JSON, with slots for numbers and uses of other classes."""
        made = [*tensor_statements(module)]
        for name, child in module.named_children():
            expression = self._expression(child)
            if name.isidentifier():
                made.append((f"self.{name} = ", expression))
            else:
                made.append(("", [f'self.add_module("{name}", ', [expression], ")"]))
        return json.dumps([made, forward_lines(module)], ensure_ascii=False)

    def _expression(self, module: nn.Module) -> Expression:
        kind, children = type(module), list(module.named_children())
        if is_plain_sequence(module):
            return _sequence("nn.Sequential(", [self._expression(c) for _, c in children], ")")
        if kind is nn.ModuleList:
            return ["nn.ModuleList([", [self._expression(c) for _, c in children], "])"]
        if kind is nn.ModuleDict:
            return ["nn.ModuleDict({", [_prefixed(f'"{name}": ', self._expression(c)) for name, c in children], "})"]
        if is_library(module) and kind is not nn.Sequential:
            return library_call(module)
        number = self.class_of(module)
        slots = "".join(f"⟦{n}={v}⟧" for n, v in _SLOT.findall(self.classes[number].instances[-1]))
        return f"⟪{number}|{slots}⟫"

    def _register(self, module: nn.Module, text: str) -> int:
        template, kind = _SLOT.sub(r"#\1", text), type(module).__qualname__
        for number, known in enumerate(self.classes):
            if (known.kind, known.template) == (kind, template):
                known.add(text)
                return number
        name = _unused(type(module).__name__, {known.name for known in self.classes})
        in_constructor = len(_SLOT.findall(json.dumps(json.loads(text)[0], ensure_ascii=False)))
        self.classes.append(_Class(name, kind, _summary(type(module)), template, in_constructor))
        self.classes[-1].add(text)
        return len(self.classes) - 1

    # ------------------------------------------------------------------ writing

    def _definition(self, known: _Class) -> str:
        arguments = known.arguments
        made, forward = json.loads(self._resolved(known))
        lines = [f"class {known.name}(nn.Module):"]
        if known.doc:
            lines += [f'    """{known.doc}"""', ""]
        signature = "".join(f", {name}: int" for name in arguments)
        lines += [f"    def __init__(self{signature}):", "        super().__init__()"]
        lines += [f"        self.{name} = {name}" for name in known.kept]
        for prefix, expression in made:
            lines.append(f"        {prefix}{_laid_out(expression, 8, 8 + len(prefix))}")
        lines += ["", *(f"    {line}" for line in forward)]
        return "\n".join(lines)

    def _resolved(self, known: _Class) -> str:
        """The body with numbers or argument names in place of slots."""
        text, place = known.instances[0], 0
        names = {p: name for name, places in known.arguments.items() for p in places}
        values: list[str] = [value for _, value in _SLOT.findall(text)]

        def write(match: re.Match[str]) -> str:
            nonlocal place
            start = place
            if match[1] is None:
                place += 1
                owner = "self." if start >= known.in_constructor and start in names else ""
                return owner + names.get(start, values[start])
            place += len(_SLOT.findall(match[2]))
            used = self.classes[int(match[1])]
            given = {name: start + places[0] for name, places in used.arguments.items()}
            return f"{used.name}({', '.join(names.get(p, values[p]) for p in given.values())})"

        return _TOKEN.sub(write, text)


def _is_own(module: nn.Module) -> bool:
    return not is_library(module)


def _sequence(start: str, items: list[Expression], end: str) -> Expression:
    """A call with equal arguments written once."""
    if len(items) > 2 and isinstance(items[0], str) and all(item == items[0] for item in items):
        return f"{start}*[{items[0]} for _ in range({len(items)})]{end}"
    return [start, items, end]


def _prefixed(prefix: str, expression: Expression) -> Expression:
    if isinstance(expression, str):
        return prefix + expression
    return [f"{prefix}{expression[0]}", *expression[1:]]


def _laid_out(expression: Expression, indent: int, used: int) -> str:
    """An expression on one line if it fits, else one argument per line."""
    line = _one_line(expression)
    if isinstance(expression, str) or used + len(line) <= _WIDTH or not expression[1]:
        return line
    start, items, end = str(expression[0]), expression[1], str(expression[2])
    inner = "".join(f"{' ' * (indent + 4)}{_laid_out(item, indent + 4, indent + 4)},\n" for item in items)
    return f"{start}\n{inner}{' ' * indent}{end}"


def _one_line(expression: Expression) -> str:
    if isinstance(expression, str):
        return str(expression)
    return f"{expression[0]}{', '.join(_one_line(item) for item in expression[1])}{expression[2]}"


def _summary(kind: type) -> str:
    """First line of a class's own docstring."""
    text = (vars(kind).get("__doc__") or "").strip().partition("\n")[0]
    return text.replace("\\", "\\\\").replace('"', "'")


def _unused(name: str, taken: set[str]) -> str:
    number, unused = 2, name
    while unused in taken:
        unused, number = f"{name}{number}", number + 1
    return unused
