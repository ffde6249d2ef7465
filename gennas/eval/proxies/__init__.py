"""Zero-cost proxies: scores of untrained networks, one file per proxy, with shared passes."""

from gennas.eval.proxies.az_complexity import AZComplexity
from gennas.eval.proxies.az_expressivity import AZExpressivity
from gennas.eval.proxies.az_progressivity import AZProgressivity
from gennas.eval.proxies.az_trainability import AZTrainability
from gennas.eval.proxies.aznas import AZNAS, log_rank
from gennas.eval.proxies.base import PROXIES, NotApplicableError, PopulationProxy, Proxy, Score, UndefinedError
from gennas.eval.proxies.batch import ProxyBatch, noise_batch
from gennas.eval.proxies.dss import DSS
from gennas.eval.proxies.epe_nas import EpeNas
from gennas.eval.proxies.evaluator import ProxyEvaluator
from gennas.eval.proxies.fisher import Fisher
from gennas.eval.proxies.flops import Flops
from gennas.eval.proxies.grad_norm import GradNorm
from gennas.eval.proxies.gradsign import GradSign
from gennas.eval.proxies.grasp import Grasp
from gennas.eval.proxies.jacov import Jacov
from gennas.eval.proxies.l2_norm import L2Norm
from gennas.eval.proxies.linear_regions import LinearRegions
from gennas.eval.proxies.logsynflow import LogSynFlow
from gennas.eval.proxies.meco import MeCo
from gennas.eval.proxies.ntk import NTK
from gennas.eval.proxies.nwot import Nwot
from gennas.eval.proxies.nwot_gelu import NwotGelu
from gennas.eval.proxies.params import Params
from gennas.eval.proxies.plain import Plain
from gennas.eval.proxies.protocol import Protocol, require_same
from gennas.eval.proxies.runner import make_proxies, score_network
from gennas.eval.proxies.snip import Snip
from gennas.eval.proxies.swap import Swap
from gennas.eval.proxies.synflow import SynFlow
from gennas.eval.proxies.trainable_layers import TrainableLayers
from gennas.eval.proxies.vkdnw import VKDNW
from gennas.eval.proxies.zen import Zen
from gennas.eval.proxies.zico import Zico

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
