"""Watching a differentiable search for collapse into skips."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gennas.errors import ConfigError

__all__ = ["CollapseMonitor"]


class CollapseMonitor:
    r"""Fires when skips take over, or when the largest eigenvalue of :math:`\nabla^2_\alpha L_{val}` grows quickly.

    It is told once an epoch. Two signs, each of which can be left out:

    - the mean probability of a skip passes ``skip_limit``;
    - with :math:`\bar\lambda(e)` the mean of the last ``window`` eigenvalues,
      :math:`\bar\lambda(e - \mathrm{window} + 1) / \bar\lambda(e) < \mathrm{ratio}`: the rule of Zela et al. 2020,
      arXiv 1909.09656, with a window of 5 and .75 as recalled, not checked; only positive eigenvalues count.

    Once it has fired it stays so.

    Args:
        skip_limit: share above which skips have taken over, None to leave the sign out.
        ratio: of earlier to present eigenvalue below which it grows too quickly, None to leave the sign out.
        window: epochs that are averaged.
        iterations: Hessian-vector products for one eigenvalue.

    Raises:
        ConfigError: no sign is left, or a number is out of range.

    Example:
        >>> monitor = CollapseMonitor(skip_limit=0.5, ratio=None)
        >>> [monitor.update(share) for share in (0.3, 0.4, 0.6)]
        [False, False, True]
    """

    def __init__(
        self, skip_limit: float | None = 0.6, ratio: float | None = 0.75, window: int = 5, iterations: int = 20
    ) -> None:
        if (
            (skip_limit is None and ratio is None)
            or (skip_limit is not None and not 0 < skip_limit <= 1)
            or (ratio is not None and not 0 < ratio < 1)
            or window < 1
            or iterations < 1
        ):
            raise ConfigError(
                "A collapse monitor needs skip_limit in (0, 1] or ratio in (0, 1), and window and iterations of at "
                f"least 1; got {skip_limit}, {ratio}, {window}, {iterations}."
            )
        self.skip_limit, self.ratio, self.window, self.iterations = skip_limit, ratio, window, iterations
        self.shares: list[float] = []
        self.eigenvalues: list[float] = []
        self.reason = ""

    @property
    def needs_curvature(self) -> bool:
        """Whether eigenvalues are looked at."""
        return self.ratio is not None

    @property
    def fired(self) -> bool:
        """Whether the search has collapsed."""
        return bool(self.reason)

    def update(self, skip_share: float, eigenvalue: float = float("nan")) -> bool:
        """Note the figures of an epoch; whether the search has collapsed by now."""
        self.shares.append(skip_share)
        self.eigenvalues.append(eigenvalue)
        if not self.fired:
            self.reason = self._reason()
        return self.fired

    def _reason(self) -> str:
        if self.skip_limit is not None and self.shares[-1] > self.skip_limit:
            return f"skips have a share of {self.shares[-1]:.2f}, more than {self.skip_limit:g}"
        smooth = self.smoothed()
        if self.ratio is not None and len(smooth) >= self.window:
            earlier, now = smooth[-self.window], smooth[-1]
            if now > 0 and 0 < earlier < self.ratio * now:
                return f"the largest eigenvalue grew from {earlier:.3g} to {now:.3g} in {self.window - 1} epochs"
        return ""

    def smoothed(self) -> list[float]:
        """Means of ``window`` eigenvalues in a row."""
        w = self.window
        return [sum(self.eigenvalues[i - w : i]) / w for i in range(w, len(self.eigenvalues) + 1)]

    def state_dict(self) -> dict[str, Tensor]:
        """The history, as tensors."""
        return {
            "shares": torch.tensor(self.shares, dtype=torch.float64),
            "eigenvalues": torch.tensor(self.eigenvalues, dtype=torch.float64),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        self.shares, self.eigenvalues, self.reason = [], [], ""
        for share, value in zip(state["shares"].tolist(), state["eigenvalues"].tolist(), strict=True):
            self.update(share, value)
