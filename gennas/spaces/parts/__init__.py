"""The parts that networks are built of: a network class is written once, and its parts make it plain or shared.

With :class:`Plain` parts a class makes the network of one architecture, of ordinary modules; with :class:`Shared` parts
it makes the network that holds the weights of all architectures of a space and runs along a :data:`Route`.
"""

from gennas.spaces.parts.base import PLAIN, Parts, Plain
from gennas.spaces.parts.choice import Choice
from gennas.spaces.parts.depth import Depth, in_turn
from gennas.spaces.parts.elastic import Vector, read
from gennas.spaces.parts.inheritance import counterparts
from gennas.spaces.parts.routing import SHIFT, Entry, Route, Routed, Routing, bind
from gennas.spaces.parts.shared import Shared
from gennas.spaces.parts.sizes import Elastic, Size, largest, sized

__all__ = [
    "PLAIN",
    "SHIFT",
    "Choice",
    "Depth",
    "Elastic",
    "Entry",
    "Parts",
    "Plain",
    "Route",
    "Routed",
    "Routing",
    "Shared",
    "Size",
    "Vector",
    "bind",
    "counterparts",
    "in_turn",
    "largest",
    "read",
    "sized",
]
