from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gennas.models.llm.tuning import preference_loss, right_order, supervised_loss


def test_preferences_against_pairs_by_hand() -> None:
    log_p, reference = torch.tensor([-1.0, -2.0, -4.0]), torch.tensor([-2.0, -2.5, -2.0])
    utility, beta = torch.tensor([3.0, 3.0, -math.inf]), 0.5
    r = [1.0, 0.5, -2.0]
    pairs = [(0, 2), (1, 2)]  # equal ones are none
    expected = np.mean([math.log1p(math.exp(-beta * (r[i] - r[j]))) for i, j in pairs])
    assert float(preference_loss(log_p, reference, utility, beta)) == pytest.approx(expected)
    assert float(preference_loss(log_p, reference, torch.ones(3), beta)) == 0


@pytest.mark.slow
def test_preferences_against_trl() -> None:
    """The loss of the library's trainer on one pair, from the same log-likelihoods."""
    trl = pytest.importorskip("trl")
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gennas.models.llm.tuning import log_likelihood
    from gennas.testing.language_models import write_pretrained

    with TemporaryDirectory() as name:
        for folder, seed in (("model", 0), ("reference", 1)):
            write_pretrained(Path(name) / folder, seed=seed)
        model, reference = (AutoModelForCausalLM.from_pretrained(Path(name) / f) for f in ("model", "reference"))
        tokenizer = AutoTokenizer.from_pretrained(Path(name) / "model")
        settings = trl.DPOConfig(output_dir=name, beta=0.3, use_cpu=True, bf16=False, report_to=[], max_length=None)
        pairs = Dataset.from_list([{"prompt": "A cell? ", "chosen": "310", "rejected": "04"}])
        trainer = trl.DPOTrainer(model, reference, settings, train_dataset=pairs, processing_class=tokenizer)
        batch = next(iter(trainer.get_train_dataloader()))
        expected = float(trainer.compute_loss(model, batch).detach())
    end = tokenizer.eos_token_id
    asked = tokenizer.encode("A cell? ", add_special_tokens=False)
    examples = [[(asked, [*tokenizer.encode(text, add_special_tokens=False), end])] for text in ("310", "04")]
    with torch.no_grad():
        log_p, log_ref = log_likelihood(model, examples), log_likelihood(reference, examples)
    found = float(preference_loss(log_p, log_ref, torch.tensor([1.0, 0.0]), 0.3))
    assert abs(found - math.log(2)) > 0.01 and found == pytest.approx(expected, abs=1e-4)


def test_supervised_is_the_mean_over_tokens() -> None:
    assert float(supervised_loss(torch.tensor([-2.0, -7.0]), torch.tensor([1, 2]))) == 3.0


def test_order() -> None:
    assert right_order(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == 0.0
    assert math.isnan(right_order(np.zeros(3), np.ones(3)))
