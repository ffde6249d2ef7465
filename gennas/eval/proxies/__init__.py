"""Zero-cost proxies: scores of untrained networks, one file per proxy, with shared passes."""

from gennas.eval.proxies.base import PROXIES, NotApplicableError, Proxy, Score, UndefinedError
from gennas.eval.proxies.batch import ProxyBatch, noise_batch
from gennas.eval.proxies.evaluator import ProxyEvaluator
from gennas.eval.proxies.logsynflow import LogSynFlow
from gennas.eval.proxies.params import Params
from gennas.eval.proxies.protocol import Protocol, require_same
from gennas.eval.proxies.runner import make_proxies, score_network
from gennas.eval.proxies.synflow import SynFlow

__all__ = [
    "PROXIES",
    "LogSynFlow",
    "NotApplicableError",
    "Params",
    "Protocol",
    "Proxy",
    "ProxyBatch",
    "ProxyEvaluator",
    "Score",
    "SynFlow",
    "UndefinedError",
    "make_proxies",
    "noise_batch",
    "require_same",
    "score_network",
]
