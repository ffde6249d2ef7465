"""The parts that networks are built of: a network class is written once, and its parts make it plain or shared.

With :class:`Plain` parts a class makes the network of one architecture, of ordinary modules; with :class:`Shared` parts
it makes the network that holds the weights of all architectures of a space and runs along a :data:`Route`.
"""

from gennas.spaces.parts.base import PLAIN, Parts, Plain
from gennas.spaces.parts.choice import Alternative, Candidates, Choice
from gennas.spaces.parts.depth import Depth, in_turn, running
from gennas.spaces.parts.elastic import Vector, read
from gennas.spaces.parts.inheritance import counterparts, views
from gennas.spaces.parts.kernel import ElasticKernelConv2d
from gennas.spaces.parts.routing import SHIFT, Entry, Route, Routed, Routing, bind
from gennas.spaces.parts.shared import Shared
from gennas.spaces.parts.sizes import Elastic, Size, largest, single, sized, unmixed
from gennas.spaces.parts.sources import Sources, added, ends, sources_of, taken

__all__ = [
    "PLAIN",
    "SHIFT",
    "Alternative",
    "Candidates",
    "Choice",
    "Depth",
    "Elastic",
    "ElasticKernelConv2d",
    "Entry",
    "Parts",
    "Plain",
    "Route",
    "Routed",
    "Routing",
    "Shared",
    "Size",
    "Sources",
    "Vector",
    "added",
    "bind",
    "counterparts",
    "ends",
    "in_turn",
    "largest",
    "read",
    "running",
    "single",
    "sized",
    "sources_of",
    "taken",
    "unmixed",
    "views",
]
