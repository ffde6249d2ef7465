"""Training a supernet: resumed as if undisturbed, read again when finished, refused where it is another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.base import Fidelity
from gennas.spaces import NASBench101, NASBench201
from gennas.training import Task
from gennas.training.supernet import SupernetEvaluator, load_supernet, read_record, train_supernet

from .conftest import SPACE  # type: ignore[import-not-found]


class KilledError(Exception):
    pass


@pytest.mark.parametrize(("method", "options"), [("spos", {}), ("fairnas", {})])
def test_a_killed_training_ends_in_the_weights_of_an_undisturbed_one(
    tmp_path: Path, digits: Task, method: str, options: dict[str, Any]
) -> None:
    config = replace(digits.config, epochs=2)

    def kill(epoch: int, values: object) -> None:
        if epoch == 1:
            raise KilledError

    whole, record = train_supernet(SPACE, digits, tmp_path / "a", method, options, config)
    with pytest.raises(KilledError):
        train_supernet(SPACE, digits, tmp_path / "b", method, options, config, on_epoch=kill)
    with pytest.raises(CheckpointError, match="interrupted"):
        read_record(tmp_path / "b")
    again, resumed = train_supernet(SPACE, digits, tmp_path / "b", method, options, config)
    assert record.digest == resumed.digest and record.curves == resumed.curves and resumed.epochs == 2
    for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert 0 < resumed.seconds


def test_a_finished_one_is_read_again_and_another_one_refused(trained: Path, digits: Task) -> None:
    before = read_record(trained)
    supernet, record = train_supernet(SPACE, digits, trained)
    assert record == before and not supernet.training
    for change in ({"method": "fairnas"}, {"seed": 1}, {"fidelity": Fidelity(data_fraction=0.5)}):
        with pytest.raises(CheckpointError, match="another supernet"):
            train_supernet(SPACE, digits, trained, **change)  # type: ignore[arg-type]


def test_weights_are_those_of_the_file(trained: Path, digits: Task) -> None:
    first = load_supernet(trained, SPACE, digits.spec)
    second, _ = train_supernet(SPACE, digits, trained)
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_what_cannot_be_trained_is_refused(tmp_path: Path, digits: Task) -> None:
    with pytest.raises(ConfigError, match="no weight-sharing network"):
        train_supernet(NASBench101(), digits, tmp_path)
    with pytest.raises(ConfigError, match="select=last"):
        train_supernet(SPACE, digits, tmp_path, config=replace(digits.config, select="best"))
    assert not list(tmp_path.iterdir())


def test_other_spaces_and_damaged_files_are_refused(trained: Path, tmp_path: Path, digits: Task) -> None:
    with pytest.raises(CheckpointError, match="another space"):
        load_supernet(trained, NASBench201(num_cells=1, width=8), digits.spec)
    with pytest.raises(CheckpointError, match="train-supernet"):
        read_record(tmp_path)
    for file in trained.glob("supernet.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    record = json.loads((tmp_path / "supernet.json").read_text())
    (tmp_path / "supernet.json").write_text(json.dumps(record | {"digest": "0" * 16}))
    with pytest.raises(CheckpointError, match="not the file"):
        load_supernet(tmp_path, SPACE, digits.spec)
    for damaged in ("{", json.dumps({**record, "seconds": -1}), json.dumps({**record, "fidelity": {"depth": 7}})):
        (tmp_path / "supernet.json").write_text(damaged)
        with pytest.raises((CheckpointError, ConfigError)):
            read_record(tmp_path)
    (tmp_path / "supernet.json").write_text(json.dumps(record))
    (tmp_path / "supernet.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        load_supernet(tmp_path, SPACE, digits.spec)


def test_a_narrower_supernet_makes_narrower_networks(tmp_path: Path, digits: Task) -> None:
    config = replace(digits.config, epochs=1)
    narrow, _ = train_supernet(SPACE, digits, tmp_path, config=config, fidelity=Fidelity(width=0.5, resolution=0.75))
    assert narrow.space.options["width"] == 2 and narrow.spec.input_shape == (1, 6, 6)
    assert load_supernet(tmp_path, SPACE, digits.spec).spec == narrow.spec


def test_partial_channels_are_trained_but_nothing_inherits(tmp_path: Path, digits: Task) -> None:
    space, config = NASBench201(num_cells=1, width=4), replace(digits.config, epochs=1)
    supernet, record = train_supernet(space, digits, tmp_path, "pc-darts", config=config)
    assert record.method.startswith("pc-darts")
    arch = space.from_text("|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")
    assert load_supernet(tmp_path, space, digits.spec).partial == 4
    with pytest.raises(ConfigError, match="1/4 of the channels"):
        supernet.network(arch)
    with pytest.raises(ConfigError, match="1/4 of the channels"):
        SupernetEvaluator(tmp_path, space, digits)
