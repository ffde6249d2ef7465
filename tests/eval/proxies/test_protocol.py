from __future__ import annotations

from dataclasses import fields, replace

import pytest

from gennas.errors import ConfigError
from gennas.eval.proxies.protocol import Protocol, require_same

OTHER = {
    "batch": "digits", "batch_size": 2, "initialisation": "normal", "input_shape": (1, 8, 8), "num_classes": 3,
    "target": "c10_val_200", "seed": 4, "dtype": "float64", "device": "cuda",
    "kind": "segmentation", "vocabulary": 9, "second_shape": (3, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", [f.name for f in fields(Protocol)])
def test_every_setting_is_part_of_the_identity(name: str) -> None:
    other = replace(Protocol(), **{name: OTHER[name]})
    assert other.identity != Protocol().identity
    with pytest.raises(ConfigError, match="never pooled") as caught:
        require_same([Protocol(), other])
    assert Protocol().identity in str(caught.value) and other.identity in str(caught.value)


def test_records_make_the_same_protocol_again() -> None:
    protocol = Protocol(**OTHER)
    assert Protocol(**protocol.to_dict()) == protocol
    assert protocol.to_dict()["input_shape"] == [1, 8, 8]


def test_one_protocol_of_all() -> None:
    assert require_same([Protocol(), Protocol()]) == Protocol()
    with pytest.raises(ConfigError, match="got none"):
        require_same([])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
        ({"initialisation": "xavier"}, "got xavier"),
        ({"dtype": "float16"}, "got float16"),
        ({"input_shape": ()}, "positive sizes"),
        ({"input_shape": (3, 0, 8)}, "positive sizes"),
        ({"num_classes": 0}, "num_classes >= 1, got 0"),
    ],
)
def test_settings_without_meaning_are_refused(change, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        Protocol(**change)
