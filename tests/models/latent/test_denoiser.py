from __future__ import annotations

import torch

from gennas.models.latent import LatentDenoiser, LatentPredictor


def test_untrained_denoiser_predicts_zero_velocity() -> None:
    assert (LatentDenoiser(6, 1, dim=16)(torch.randn(4, 6), torch.rand(4)) == 0).all()


def test_unknown_conditions_act_as_none() -> None:
    torch.manual_seed(0)
    model = LatentDenoiser(6, 2, dim=16)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    z, time = torch.randn(4, 6), torch.rand(4)
    nan = torch.full((4, 2), torch.nan)
    torch.testing.assert_close(model(z, time, nan), model(z, time))
    half = torch.tensor([[0.2, torch.nan]]).expand(4, 2)
    assert not torch.allclose(model(z, time, half), model(z, time))
    assert not torch.allclose(model(z, time / 2), model(z, time))


def test_gradient_of_the_likelihood_against_finite_differences() -> None:
    torch.manual_seed(0)
    model = LatentPredictor(3, 2, dim=8)
    z, time = torch.randn(2, 3), torch.tensor([0.3, 0.6])
    c = torch.tensor([[0.9, torch.nan], [0.1, 0.4]])

    def log_p(at: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            error = (model(at, time) - c) ** 2 / (2 * 0.2**2)
        return -error.nansum(1)

    with torch.inference_mode():
        gradient = model.log_likelihood_gradient(z, time, c)
    h = 1e-2
    for i in range(3):
        step = torch.zeros(3)
        step[i] = h
        torch.testing.assert_close(gradient[:, i], (log_p(z + step) - log_p(z - step)) / (2 * h), rtol=0.02, atol=0.02)
