"""Settings that an architecture brings with it are those it is trained with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Fidelity
from gennas.spaces import JointSpace, NASBench201
from gennas.training import TrainEvaluator, make_task

CELL = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SPACE = NASBench201(1, 4)
TASK = make_task("digits")


def test_a_pair_is_trained_as_its_architecture_with_that_recipe() -> None:
    joint = JointSpace(SPACE, lr=[1e-6, 0.02], batch_size=[64, 256])
    evaluator = TrainEvaluator(joint, TASK, measure_latency=False)
    arch = joint.from_text(f"{CELL} with lr=0.02, batch_size=64")
    found = evaluator.evaluate(arch, Fidelity(epochs=1), seed=0)
    config = replace(TASK.config, lr=0.02, batch_size=64)
    plain = TrainEvaluator(SPACE, TASK, config, measure_latency=False)
    expected = plain.evaluate(SPACE.from_text(CELL), Fidelity(epochs=1), seed=0)
    same = ("val_accuracy", "test_accuracy", "train_loss", "params", "flops")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    slow = evaluator.evaluate(joint.from_text(f"{CELL} with lr=1e-6, batch_size=64"), Fidelity(epochs=1), seed=0)
    assert slow["train_loss"] > found["train_loss"]


def test_the_protocol_names_what_is_searched_instead_of_its_value() -> None:
    joint = TrainEvaluator(JointSpace(SPACE, lr=[0.01, 0.02], batch_size=[64]), TASK).protocol
    assert "; per architecture: lr, batch_size)" in joint
    assert " lr=0.005" not in joint and " batch_size=" not in joint and "weight_decay=0.01" in joint
    plain = TrainEvaluator(SPACE, TASK).protocol
    assert "per architecture" not in plain and " lr=0.005" in plain and " batch_size=128" in plain


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lrr": [0.1]}, "no setting 'lrr' of the training recipe can be searched. Did you mean lr?"),
        ({"device": ["cpu"]}, "no setting 'device'"),
        ({"epochs": [1, 2]}, "no setting 'epochs'"),
        ({"lr": [0.1, -0.1]}, "lr=-0.1"),
        ({"batch_size": [0.5]}, "'batch_size'"),
        ({"optimizer": ["lion"]}, "'optimizer'"),
    ],
)
def test_settings_that_the_recipe_does_not_have_are_refused(settings: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        TrainEvaluator(JointSpace(SPACE, None, **settings), TASK)
