from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.models.llm import Usage
from gennas.models.llm.prices import read_prices


def test_prices(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"small": {"input": 0.25, "output": 2}, "large": {"input": -1, "output": 2}}')
    assert read_prices(file, "small").of(Usage(4_000_000, 500_000)) == 2.0
    with pytest.raises(UnknownNameError, match=r"model of the price table .*'smal'.*small"):
        read_prices(file, "smal")
    with pytest.raises(ConfigError, match=r"Expected dollars per million tokens of 'large'"):
        read_prices(file, "large")
    file.write_text("[1]")
    with pytest.raises(ConfigError, match="Expected a price table"):
        read_prices(file, "small")
    with pytest.raises(ConfigError, match=r"none\.json"):
        read_prices(tmp_path / "none.json", "small")
