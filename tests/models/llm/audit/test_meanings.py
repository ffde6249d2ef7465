from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.models.llm import Decisions
from gennas.models.llm.audit import meaning_of
from gennas.models.llm.audit.meanings import labels_of, meanings_of
from gennas.spaces import SPACES


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101"])
def test_operations_are_described_without_their_names(name: str) -> None:
    labels = labels_of(Decisions(SPACES.get(name)().schema))
    found, without = meanings_of(labels)
    assert not without and len(set(found.values())) == len(labels)
    assert not any(label.lower() in meaning.lower() for label, meaning in found.items() if len(label) > 4)
    assert meaning_of("nor_conv_3x3") != meaning_of("nor_conv_1x1")


def test_what_is_given_comes_first_and_may_not_repeat_itself() -> None:
    found, without = meanings_of(["none", "blorp", "glorp"], {"blorp": "turns around"})
    assert found["blorp"] == "turns around" and without == ["glorp"]
    with pytest.raises(ConfigError, match="several times: turns"):
        meanings_of(["blorp", "glorp"], {"blorp": "turns", "glorp": "turns"})
