"""Ways to train a supernet, one file each: sampled paths, and relaxations of the decisions.

:func:`make_step` makes the step of a method by name; a :class:`Routed` supernet is what the trainer trains with it.
"""

from gennas.training.supernet.methods.alternating import AlternatingStep
from gennas.training.supernet.methods.base import METHODS, SHIFT, Entry, LossOf, Route, Routed, Routing, routed_loss
from gennas.training.supernet.methods.beta_darts import BetaDARTS
from gennas.training.supernet.methods.darts import DARTS
from gennas.training.supernet.methods.dasvit import DASViT
from gennas.training.supernet.methods.discretise import discretise
from gennas.training.supernet.methods.drnas import DrNAS, dirichlet_kl
from gennas.training.supernet.methods.enas import ENAS, reinforce_loss
from gennas.training.supernet.methods.fairnas import FairNAS
from gennas.training.supernet.methods.fake_quantisation import FakeQuantised, quantise_candidates
from gennas.training.supernet.methods.fbnet import FBNet, latency_factor
from gennas.training.supernet.methods.gdas import GDAS
from gennas.training.supernet.methods.latency import additive_table, as_table, expected_cost
from gennas.training.supernet.methods.make import make_step, make_supernet, method_text, read_options
from gennas.training.supernet.methods.ofa import OnceForAll, SandwichStep, distillation_loss
from gennas.training.supernet.methods.parameter_bins import ParameterBins
from gennas.training.supernet.methods.path_dropout import PathDropout
from gennas.training.supernet.methods.pc_darts import PCDARTS
from gennas.training.supernet.methods.proxyless import ProxylessNAS
from gennas.training.supernet.methods.relaxation import Relaxation
from gennas.training.supernet.methods.sa_darts import SADARTS
from gennas.training.supernet.methods.sampled import SampledStep
from gennas.training.supernet.methods.sampler import PathSampler, extreme, uniform_decisions
from gennas.training.supernet.methods.snas import SNAS
from gennas.training.supernet.methods.spos import SPOS, AutoFormer, RandomSearchWS
from gennas.training.supernet.methods.unrolled import sgd_direction, unrolled_gradients
from gennas.training.supernet.methods.validation import ValidationBatches

__all__ = [
    "DARTS",
    "ENAS",
    "GDAS",
    "METHODS",
    "PCDARTS",
    "SADARTS",
    "SHIFT",
    "SNAS",
    "SPOS",
    "AlternatingStep",
    "AutoFormer",
    "BetaDARTS",
    "DASViT",
    "DrNAS",
    "Entry",
    "FBNet",
    "FakeQuantised",
    "FairNAS",
    "LossOf",
    "OnceForAll",
    "ParameterBins",
    "PathDropout",
    "PathSampler",
    "ProxylessNAS",
    "RandomSearchWS",
    "Relaxation",
    "Route",
    "Routed",
    "Routing",
    "SampledStep",
    "SandwichStep",
    "ValidationBatches",
    "additive_table",
    "as_table",
    "dirichlet_kl",
    "discretise",
    "distillation_loss",
    "expected_cost",
    "extreme",
    "latency_factor",
    "make_step",
    "make_supernet",
    "method_text",
    "read_options",
    "quantise_candidates",
    "reinforce_loss",
    "routed_loss",
    "sgd_direction",
    "uniform_decisions",
    "unrolled_gradients",
]
