from __future__ import annotations

import pytest
from torch import nn

from gennas.errors import ExportError
from gennas.export._composite import Settings, settings_of


def test_settings_are_read_from_the_parts() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.3, batch_first=True, bias=False)
    found = settings_of(layer)
    assert found is not None and found.required == {"d_model": 8, "nhead": 2}
    changed = {name: value for name, (value, default) in found.optional.items() if value != default}
    assert changed == {"dim_feedforward": 16, "dropout": 0.3, "batch_first": True, "bias": False}
    stack = settings_of(nn.TransformerEncoder(layer, 4))
    assert (
        stack is not None
        and stack.required["num_layers"] == 4
        and settings_of(stack.required["encoder_layer"]) == found
    )


def test_the_defaults_are_those_of_the_constructor() -> None:
    for layer in (nn.MultiheadAttention(8, 2), nn.TransformerDecoderLayer(8, 2), nn.GRU(8, 4), nn.LSTM(8, 4)):
        found = settings_of(layer)
        assert isinstance(found, Settings)
        assert [name for name, (value, default) in found.optional.items() if value != default] == []


def test_other_layers_keep_their_settings_or_are_refused() -> None:
    assert settings_of(nn.Linear(2, 2)) is None
    with pytest.raises(ExportError, match="Export to pt2"):
        settings_of(nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2]))
