"""What may stand in a YAML file of a space."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

__all__ = ["DecisionDescription", "GrammarDescription", "GroupDescription", "LayeredDescription"]

Scalar = StrictInt | StrictFloat | StrictStr
Values = Annotated[tuple[Scalar, ...], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")]


def _short(value: Any) -> Any:
    """A list of values is a decision without conditions."""
    return {"values": value} if isinstance(value, (list, tuple)) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecisionDescription(_Strict):
    """Values of a decision, and when it is made."""

    values: Values
    when: dict[str, Values] = {}
    first: Values | None = None
    prefix: str | None = None


Decisions = dict[Name, Annotated[DecisionDescription, BeforeValidator(_short)]]
Module = dict[str, dict[str, Scalar] | None]


class GroupDescription(_Strict):
    """Layers that choose from the same decisions, and the modules that each consists of."""

    name: Name = "layer"
    depth: Annotated[tuple[StrictInt, ...], Field(min_length=1)]
    whole: Decisions = {}
    layer: Decisions = {}
    modules: Annotated[tuple[Module, ...], Field(min_length=1)]


class LayeredDescription(_Strict):
    """A layered space."""

    kind: Literal["layered"]
    name: Name | None = None
    network: str = "images"
    settings: dict[str, Scalar] = {}
    whole: Decisions = {}
    groups: Annotated[tuple[GroupDescription, ...], Field(min_length=1)]


class GrammarDescription(_Strict):
    """A space by a grammar."""

    kind: Literal["grammar"]
    name: Name | None = None
    start: str
    rules: dict[str, tuple[str, ...]]
    shared: tuple[str, ...] = ()
    max_depth: Annotated[StrictInt, Field(ge=1)] | None = None
    width: Annotated[StrictInt, Field(ge=1)] = 16
