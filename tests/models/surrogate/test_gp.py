from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.models.surrogate import GPSurrogate, normal_scores
from gennas.testing.generators import toy_schema


def test_posterior_is_the_textbook_formula_with_the_fitted_kernel() -> None:
    """mean = k K^-1 y and var = k(x, x) - k K^-1 k, with k = sum of RBFs over the two groups, plus noise."""
    rng = np.random.default_rng(0)
    archs = Population.from_decisions(
        toy_schema(), toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(40, 8))
    )
    groups = [lambda a: a.decisions - 1.0, lambda a: 2.0 * a.decisions[:, :3] + 5.0]
    train, test = archs[:30], archs[30:]
    y = train.decisions.sum(1) + rng.standard_normal(30)
    surrogate = GPSurrogate(groups)
    surrogate.fit(train, y)

    amplitudes, lengths, noise = [], [], 0.0
    for name, value in surrogate.hyperparameters.items():
        if name.endswith("constant_value"):
            amplitudes.append(value)
        elif name.endswith("length_scale"):
            lengths.append(value)
        else:
            noise = value
    assert len(amplitudes) == len(lengths) == 2 and noise > 0

    def kernel(a: Population, b: Population) -> np.ndarray:
        total = np.zeros((len(a), len(b)))
        for f, c, length in zip(groups, amplitudes, lengths, strict=True):
            spread = f(train).std(0) * np.sqrt(f(train).shape[1])
            difference = (f(a)[:, None] - f(b)[None]) / spread
            total += c * np.exp(-(difference**2).sum(-1) / (2 * length**2))
        return total

    K = kernel(train, train) + (noise + 1e-6) * np.eye(30)
    k = kernel(test, train)
    mean, std = surrogate.predict(test)
    np.testing.assert_allclose(mean, k @ np.linalg.solve(K, normal_scores(y)), rtol=1e-5, atol=1e-7)
    variance = np.diag(kernel(test, test)) + noise - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
    np.testing.assert_allclose(std**2, variance, rtol=1e-4)
