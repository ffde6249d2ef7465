"""Scoring one network with several proxies at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.batch import ProxyBatch
from gennas.eval.proxies.outcome import NotApplicableError, Score, TooLargeError, UndefinedError
from gennas.eval.proxies.passes import Pass, Passes

__all__ = ["make_proxies", "score_network"]


def make_proxies(names: Iterable[str]) -> tuple[Proxy, ...]:
    """Proxies by name, each once.

    Raises:
        UnknownNameError: nothing has that name.
        ConfigError: there are no names.
    """
    proxies = tuple(PROXIES.get(name.strip())() for name in dict.fromkeys(names))
    if not proxies:
        raise ConfigError("Expected at least one proxy, got none; `gennas proxies list` shows them.")
    return proxies


def score_network(
    net: nn.Module,
    proxies: Sequence[Proxy],
    batch: ProxyBatch,
    *,
    seed: int = 0,
    keep: bool = True,
    each: bool = False,
) -> Mapping[str, Score]:
    """Score a network; passes that several proxies need are computed once.

    The network is left as it was: parameters, buffers, modes, gradients and hooks. The values depend on
    its weights, the batch and the seed, and not on which other proxies are asked for.

    Args:
        net: returns logits ``(examples, classes)``.
        proxies: from :func:`make_proxies`.
        batch: examples on the device of the network.
        seed: of perturbations and random directions.
        keep: leave the network as it was; a caller that throws it away can spare a copy with False.
        each: a proxy that fails is NaN with its reason, and the others are what they are alone; without, the
            first failure is raised.

    Raises:
        NotApplicableError: a proxy has no meaning for such a network; the message names it.
        TooLargeError: a value lies beyond float64; the message names the proxy.
        EvaluationError: the network cannot be scored: no parameters, weights that are not finite, an output
            that is no matrix of logits, labels out of range.

    Example:
        >>> from torch import nn
        >>> from gennas.eval.proxies import Protocol, noise_batch
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 10))
        >>> batch = noise_batch(Protocol(batch_size=4, input_shape=(3, 2, 2)))
        >>> score_network(net, make_proxies(["params"]), batch)["params"]
        Score(value=130.0, reason='')
    """
    check_network(net)
    wanted: frozenset[Pass] = frozenset().union(*(p.passes for p in proxies))
    run = Passes(net, batch, seed, wanted, keep)
    score = _score_or_reason if each else _score
    found = {proxy.name: score(proxy, run) for proxy in sorted(proxies, key=lambda p: p.passes != {"weights"})}
    return {proxy.name: found[proxy.name] for proxy in proxies}


def check_network(net: nn.Module) -> None:
    """Refuse networks without parameters or with weights that are not finite.

    Raises:
        EvaluationError: see above.
    """
    parameters = [p for p in net.parameters() if p.is_floating_point()]
    if not parameters:
        raise EvaluationError(f"{type(net).__name__} has no parameters, so there is nothing to score.")
    with torch.no_grad():
        if not math.isfinite(float(nn.utils.get_total_norm(parameters))):
            bad = [name for name, p in net.named_parameters() if not bool(torch.isfinite(p).all())]
            if bad:
                raise EvaluationError(f"Weights are not finite: {', '.join(bad[:3])}; initialise the network again.")


def _score_or_reason(proxy: Proxy, run: Passes) -> Score:
    try:
        return _score(proxy, run)
    except Exception:  # of this proxy, or of a pass that it shares with another
        shared = run.wanted - {"weights"}
        if len(shared) < 2 or shared <= proxy.passes:
            return _reason(proxy, run)
    return _reason(proxy, Passes(run.original, run.batch, run.seed, proxy.passes))


def _reason(proxy: Proxy, run: Passes) -> Score:
    """The score of a proxy on passes of its own, or why there is none."""
    try:
        return _score(proxy, run)
    except EvaluationError as error:
        return Score(math.nan, str(error))
    except Exception as error:
        return Score(math.nan, f"Proxy {proxy.name!r}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _score(proxy: Proxy, run: Passes) -> Score:
    try:
        value = proxy.score(run)
    except UndefinedError as error:
        return Score(proxy.worst, str(error))
    except (NotApplicableError, TooLargeError) as error:
        raise type(error)(f"Proxy {proxy.name!r}: {error}") from error
    if value == math.inf:
        raise TooLargeError(f"Proxy {proxy.name!r}: the value exceeds float64")
    if not math.isfinite(value):
        return Score(proxy.worst, f"the formula gives {value}")
    return Score(value)
