r"""Efficient performance estimation.

.. math:: s_c = \sum_{ij} \log(|\Sigma^{(c)}_{ij}| + k), \quad
          \sum_c |s_c| \;\text{ for at most 100 classes}, \quad
          \frac{1}{n} \sum_{c < c'} |s_c - s_{c'}| \;\text{ for more}

with :math:`\Sigma^{(c)}` the correlation matrix of the Jacobian's rows (see
:mod:`gennas.eval.proxies.formulas.jacov`) that belong to class ``c``, ``n`` the classes seen and ``k`` = 1e-5. The
formula changes at 100 classes (outputs of the network), so values of CIFAR-100 and of larger tasks are
never comparable. Source: Lopes et al. 2021, "EPE-NAS", arXiv 2102.08099.
"""

from __future__ import annotations

from gennas.eval.proxies._linear import correlation
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError
from gennas.eval.proxies.passes import Passes

__all__ = ["EpeNas"]


K, MANY = 1e-5, 100


@PROXIES.register("epe_nas")
class EpeNas(Proxy):
    """Correlation of input gradients within each class."""

    name = "epe_nas"
    needs = frozenset({"data", "labels", "gradients"})
    passes = frozenset({"jacobian"})
    domain = "independent examples, two or more"

    def score(self, run: Passes) -> float:
        """One forward and backward pass."""
        if not run.batch.has_one_class:
            raise NotApplicableError("it needs one class for each example")
        rows, labels = run.jacobian, run.batch.labels
        scores = [float((correlation(rows[labels == c]).abs() + K).log().sum()) for c in sorted(set(labels.tolist()))]
        if run.forward.logits.shape[1] <= MANY:
            return sum(abs(s) for s in scores)
        return sum(abs(a - b) for i, a in enumerate(scores) for b in scores[i + 1 :]) / len(scores)
