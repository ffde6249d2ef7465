"""A traced forward method as lines of Python that a person can read."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from gennas.errors import ExportError
from gennas.export._constructors import constant, is_plain_sequence

_INFIX: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.matmul: "@",
}
_IN_PLACE: dict[Any, str] = {operator.iadd: "add_", operator.isub: "sub_", operator.imul: "mul_"}
_TAKEN = {"self", "torch", "nn", "functional"}
_TENSORS = (None, Tensor, "Tensor", "torch.Tensor")
_LONGEST = 72  # characters of an expression that is put into another one


class _OneLevel(fx.Tracer):
    """Traces one module; what it calls stays a call."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def forward_lines(module: nn.Module) -> list[str]:
    """The signature and body of ``forward``, in evaluation mode, the body indented by four spaces.

    Raises:
        ExportError: the control flow depends on values, or something is called that plain PyTorch does not have.
    """
    try:
        graph = _OneLevel().trace(module)
    except Exception as error:  # whatever the network's own code raises for a symbolic input
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise ExportError(
            f"{type(module).__name__} of {type(module).__module__} cannot be written as plain source: its forward "
            f"does what symbolic tracing cannot follow ({reason}). Export to onnx or pt2 instead."
        ) from error
    return _Decompiler(module).lines(graph)


class _Decompiler:
    """Turns a graph into statements, in the order of the graph.

    Values that are used once, by what comes next, are written where they are used; all others get a name.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.body: list[str] = []
        self.text: dict[fx.Node, str] = {}
        self.infix: dict[fx.Node, str] = {}
        self.pending: list[fx.Node] = []

    def lines(self, graph: fx.Graph) -> list[str]:
        arguments = []
        for node in graph.nodes:
            if node.op == "placeholder":
                arguments.append(self._argument(node))
                continue
            self._settle(node)
            if node.op == "output":
                self.body.append(f"return {self._value(node.args[0])}")
                continue
            self.text[node] = self._expression(node)
            self.pending = [n for n in self.pending if n not in node.all_input_nodes]
            self.pending.append(node)
            if len(node.users) != 1 or len(self.text[node]) > _LONGEST:
                self._flush()
        return [f"def forward(self, {', '.join(arguments)}):", *(f"    {line}" for line in self.body)]

    def _argument(self, node: fx.Node) -> str:
        self.text[node] = _name(node)
        if str(node.target).startswith("*"):
            raise ExportError(f"{type(self.module).__name__}: forward takes {node.target}; write its arguments out.")
        annotation = ": torch.Tensor" if node.type in _TENSORS and not node.args else ""
        return f"{_name(node)}{annotation}" + (f"={constant(node.args[0])}" if node.args else "")

    def _settle(self, node: fx.Node) -> None:
        """Name what waits, unless it is just what the node takes, in that order: nothing may change places."""
        inputs = [n for n in _occurrences(node) if n in self.pending]
        if inputs != self.pending[len(self.pending) - len(inputs) :]:
            self._flush()

    def _flush(self) -> None:
        for node in self.pending:
            self.body.append(f"{_name(node)} = {self.text[node]}" if node.users else self.text[node])
            self.text[node] = _name(node)
            self.infix.pop(node, None)
        self.pending = []

    def _expression(self, node: fx.Node) -> str:
        if node.op == "get_attr":
            return self._path(str(node.target), is_module=False)
        if node.op == "call_module":
            return f"{self._path(str(node.target), is_module=True)}({self._arguments(node.args, node.kwargs)})"
        if node.op == "call_method":
            return f"{self._operand(node.args[0])}.{node.target}({self._arguments(node.args[1:], node.kwargs)})"
        return self._call(node)

    def _call(self, node: fx.Node) -> str:
        target: Any = node.target
        if target in _INFIX:
            sign = _INFIX[target]
            left, right = node.args
            is_chain = isinstance(left, fx.Node) and self.infix.get(left) == sign and sign in "+*"
            first = self._value(left) if is_chain else self._operand(left)
            self.infix[node] = sign
            return f"{first} {sign} {self._operand(right)}"
        if target in _IN_PLACE:
            return f"{self._operand(node.args[0])}.{_IN_PLACE[target]}({self._value(node.args[1])})"
        if target is operator.neg:
            self.infix[node] = "-"
            return f"-{self._operand(node.args[0])}"
        if target is operator.getitem:
            return f"{self._operand(node.args[0])}[{self._index(node.args[1])}]"
        if target is getattr:
            return f"{self._operand(node.args[0])}.{node.args[1]}"
        return f"{self._function(target)}({self._arguments(node.args, node.kwargs)})"

    def _function(self, target: Callable[..., Any]) -> str:
        name = getattr(target, "__name__", "")
        for prefix, library in (("torch", torch), ("functional", functional)):
            if getattr(library, name, None) is target:
                return f"{prefix}.{name}"
        raise ExportError(f"{type(self.module).__name__} calls {name or target!r}, which is no function of PyTorch.")

    def _arguments(self, args: Any, kwargs: Any) -> str:
        return ", ".join([*(self._value(a) for a in args), *(f"{k}={self._value(v)}" for k, v in kwargs.items())])

    def _operand(self, value: Any) -> str:
        text = self._value(value)
        return f"({text})" if isinstance(value, fx.Node) and value in self.infix else text

    def _value(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            return self.text[value]
        if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
            items = [self._value(item) for item in value]
            if isinstance(value, list):
                return f"[{', '.join(items)}]"
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{constant(k)}: {self._value(v)}" for k, v in value.items()) + "}"
        return constant(value)

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple):
            return ", ".join(self._index(item) for item in index)
        if not isinstance(index, slice):
            return self._value(index)
        bounds = [None if b is None else constant(b, "channels") if isinstance(b, int) else self._value(b)
                  for b in (index.start, index.stop)]  # fmt: skip
        text = f"{bounds[0] or ''}:{bounds[1] or ''}"
        return text if index.step is None else f"{text}:{self._value(index.step)}"

    def _path(self, target: str, is_module: bool) -> str:
        """How a submodule, a parameter or a buffer is reached from ``self``."""
        owner, text = self.module, "self"
        names = target.split(".")
        for i, name in enumerate(names):
            if type(owner) is nn.ModuleDict:
                text += f'["{name}"]'
            elif is_plain_sequence(owner) or type(owner) is nn.ModuleList:
                text += f"[{name}]"
            else:
                text += f".{name}" if name.isidentifier() else f'.get_submodule("{name}")'
            if i < len(names) - 1 or is_module:
                owner = owner.get_submodule(name)
            elif name not in owner._parameters and name not in owner._buffers:
                raise ExportError(
                    f"{type(owner).__name__} makes the tensor {name!r} in forward; register it as a buffer."
                )
        return text


def _name(node: fx.Node) -> str:
    return f"{node.name}_" if node.name in _TAKEN else node.name


def _occurrences(node: fx.Node) -> list[fx.Node]:
    """The nodes that a node takes, in the order in which they are written."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), lambda n: found.append(n))
    return found
