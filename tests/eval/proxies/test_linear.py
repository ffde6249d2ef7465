from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.eval.proxies._linear import correlation, sign_kernel
from gennas.eval.proxies.outcome import UndefinedError


def test_correlation_is_numpys() -> None:
    rows = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    found = correlation(rows)
    np.testing.assert_allclose(found, np.corrcoef(rows.double().numpy()), atol=1e-12)
    assert found.dtype == torch.float64


def test_correlation_never_leaves_minus_one_to_one() -> None:
    row = torch.tensor([0.1, 0.2, 0.3])
    assert correlation(torch.stack([row, 3 * row, -row])).tolist() == [
        pytest.approx(line) for line in ([1, 1, -1], [1, 1, -1], [-1, -1, 1])
    ]
    assert correlation(torch.stack([row, 3 * row])).abs().max() <= 1


def test_a_constant_row_has_no_correlation() -> None:
    with pytest.raises(UndefinedError, match="constant"):
        correlation(torch.tensor([[1.0, 2.0], [5.0, 5.0]]))


def test_the_sign_kernel_counts_agreements() -> None:
    first = torch.tensor([[True, True, False], [True, False, False]])
    second = torch.tensor([[True], [True]])
    assert sign_kernel([first]).tolist() == [[3, 2], [2, 3]]
    assert sign_kernel([first, second]).tolist() == [[4, 3], [3, 4]]


def test_the_sign_kernel_is_the_formula_of_its_source() -> None:
    c = torch.rand(6, 40, generator=torch.Generator().manual_seed(1)) > 0.4
    ones = c.double()
    assert torch.equal(sign_kernel([c]), ones @ ones.T + (1 - ones) @ (1 - ones).T)
