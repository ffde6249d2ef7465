"""Zero-cost proxies: scores of untrained networks, one file per proxy, with shared passes."""

from gennas.eval.proxies.base import PROXIES, PopulationProxy, Proxy
from gennas.eval.proxies.batch import ProxyBatch, noise_batch
from gennas.eval.proxies.evaluator import ProxyEvaluator
from gennas.eval.proxies.formulas.az_complexity import AZComplexity
from gennas.eval.proxies.formulas.az_expressivity import AZExpressivity
from gennas.eval.proxies.formulas.az_progressivity import AZProgressivity
from gennas.eval.proxies.formulas.az_trainability import AZTrainability
from gennas.eval.proxies.formulas.aznas import AZNAS, log_rank
from gennas.eval.proxies.formulas.dss import DSS
from gennas.eval.proxies.formulas.epe_nas import EpeNas
from gennas.eval.proxies.formulas.fisher import Fisher
from gennas.eval.proxies.formulas.flops import Flops
from gennas.eval.proxies.formulas.grad_norm import GradNorm
from gennas.eval.proxies.formulas.gradsign import GradSign
from gennas.eval.proxies.formulas.grasp import Grasp
from gennas.eval.proxies.formulas.jacov import Jacov
from gennas.eval.proxies.formulas.l2_norm import L2Norm
from gennas.eval.proxies.formulas.linear_regions import LinearRegions
from gennas.eval.proxies.formulas.logsynflow import LogSynFlow
from gennas.eval.proxies.formulas.meco import MeCo
from gennas.eval.proxies.formulas.ntk import NTK
from gennas.eval.proxies.formulas.nwot import Nwot
from gennas.eval.proxies.formulas.nwot_gelu import NwotGelu
from gennas.eval.proxies.formulas.params import Params
from gennas.eval.proxies.formulas.plain import Plain
from gennas.eval.proxies.formulas.snip import Snip
from gennas.eval.proxies.formulas.swap import Swap
from gennas.eval.proxies.formulas.synflow import SynFlow
from gennas.eval.proxies.formulas.trainable_layers import TrainableLayers
from gennas.eval.proxies.formulas.vkdnw import VKDNW
from gennas.eval.proxies.formulas.zen import Zen
from gennas.eval.proxies.formulas.zico import Zico
from gennas.eval.proxies.outcome import NotApplicableError, Score, TooLargeError, UndefinedError
from gennas.eval.proxies.protocol import Protocol, require_same
from gennas.eval.proxies.runner import make_proxies, score_network

__all__ = [
    "AZComplexity",
    "AZExpressivity",
    "AZNAS",
    "AZProgressivity",
    "AZTrainability",
    "DSS",
    "EpeNas",
    "Fisher",
    "Flops",
    "GradNorm",
    "GradSign",
    "Grasp",
    "Jacov",
    "L2Norm",
    "LinearRegions",
    "LogSynFlow",
    "MeCo",
    "NTK",
    "NotApplicableError",
    "Nwot",
    "NwotGelu",
    "PROXIES",
    "Params",
    "Plain",
    "PopulationProxy",
    "Protocol",
    "Proxy",
    "ProxyBatch",
    "ProxyEvaluator",
    "Score",
    "Snip",
    "Swap",
    "SynFlow",
    "TrainableLayers",
    "TooLargeError",
    "UndefinedError",
    "VKDNW",
    "Zen",
    "Zico",
    "log_rank",
    "make_proxies",
    "noise_batch",
    "require_same",
    "score_network",
]
