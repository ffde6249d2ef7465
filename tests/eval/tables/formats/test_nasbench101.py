"""NAS-Bench-101's TFRecord: two cells, two budgets, made by hand."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import TableError
from gennas.eval.tables.formats.base import Source
from gennas.eval.tables.formats.nasbench101 import read_nasbench101
from gennas.eval.tables.formats.tfrecord import masked_crc32c
from gennas.spaces import NASBench101

CHAIN = ("010001000", "input,maxpool3x3,output")
SPLIT = ("0110000100010000", "input,conv3x3-bn-relu,conv1x1-bn-relu,output")


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def evaluation(epoch: float, seconds: float, train: float, valid: float, test: float) -> bytes:
    fields = enumerate((epoch, seconds, train, valid, test), 1)
    return b"".join(bytes([i << 3 | 1]) + struct.pack("<d", v) for i, v in fields) + b"\x32\x04/tmp"


def metrics(last: bytes, parameters: int = 8_555_530) -> str:
    parts = [evaluation(0, 0, 0.1, 0.1, 0.1), evaluation(54, 500, 0.9, 0.8, 0.7), last]
    body = b"".join(b"\x0a" + varint(len(p)) + p for p in parts)
    return base64.b64encode(body + b"\x10" + varint(parameters) + b"\x19" + struct.pack("<d", 1.0)).decode()


def write(folder: Path, records: list[list[object]]) -> Path:
    file, out = folder / "nasbench.tfrecord", b""
    for record in records:
        payload = json.dumps(record).encode()
        head = struct.pack("<Q", len(payload))
        a, b = masked_crc32c([head, payload])
        out += head + struct.pack("<I", a) + payload + struct.pack("<I", b)
    file.write_bytes(out)
    return file


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Cell a at 4 and 108 epochs three times each, cell b at 108 twice only."""
    records: list[list[object]] = []
    for repeat in range(3):
        records.append(["a" * 32, 4, *CHAIN, metrics(evaluation(4, 10, 0.5, 0.4 + repeat / 10, 0.3))])
        records.append(["a" * 32, 108, *CHAIN, metrics(evaluation(108, 1000, 1.0, 0.9, 0.8 + repeat / 100))])
        if repeat < 2:
            records.append(["b" * 32, 108, *SPLIT, metrics(evaluation(108, 900, 1.0, 0.7, 0.6), 123)])
    return write(tmp_path, records)


def test_means_repeats_and_parameters(official: Path) -> None:
    rows = read_nasbench101(Source(official))
    cells = rows.cells
    assert rows.space == "nasbench101" and cells["hash"] == ["a" * 32, "b" * 32]
    assert cells["arch"] == [
        "maxpool3x3~0|output~1",
        NASBench101().to_text(NASBench101().from_text("conv3x3-bn-relu~0|conv1x1-bn-relu~0|output~1,2")),
    ]
    assert list(cells["trainable_parameters"]) == [8_555_530, 123]
    np.testing.assert_allclose(cells["validation_accuracy_4"], [0.5, np.nan])
    np.testing.assert_allclose(cells["test_accuracy_108"], [0.81, 0.6])
    np.testing.assert_allclose(cells["test_accuracy_108_seed2"], [0.82, np.nan])
    np.testing.assert_allclose(cells["training_seconds_108"], [1000, 900])
    np.testing.assert_allclose(cells["train_accuracy_4_seed0"], [0.5, np.nan])


def test_without_seeds_the_means_stay(official: Path) -> None:
    assert [name for name in read_nasbench101(Source(official, seeds=False)).cells if "seed" in name] == []


def test_fields_in_another_order_are_read_too(tmp_path: Path) -> None:
    last = evaluation(108, 1000, 1.0, 0.9, 0.8)[:45]
    swapped = last[36:] + last[:36]
    rows = read_nasbench101(Source(write(tmp_path, [["a", 108, *CHAIN, metrics(swapped)]])))
    assert rows.cells["test_accuracy_108"][0] == 0.8 and rows.cells["training_seconds_108"][0] == 1000


def test_what_the_protobuf_library_writes_is_read(tmp_path: Path) -> None:
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="m.proto", package="p", syntax="proto2")
    evaluations, model = file.message_type.add(name="E"), file.message_type.add(name="M")
    names = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    for i, name in enumerate(names, 1):
        evaluations.field.add(name=name, number=i, type=1, label=1)
    evaluations.field.add(name="checkpoint_path", number=6, type=9, label=1)
    model.field.add(name="evaluation_data", number=1, type=11, label=3, type_name=".p.E")
    model.field.add(name="trainable_parameters", number=2, type=5, label=1)
    model.field.add(name="total_time", number=3, type=1, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.M"))()
    for epoch in (0, 54, 108):
        values = dict(zip(names, (epoch, epoch * 10, 1.0, epoch / 120, epoch / 135), strict=True))
        message.evaluation_data.add(**values, checkpoint_path="/model.ckpt-1234")
    message.trainable_parameters, message.total_time = 49_979_274, 5.0
    metrics = base64.b64encode(message.SerializeToString()).decode()
    cells = read_nasbench101(Source(write(tmp_path, [["a", 108, *CHAIN, metrics]]))).cells
    assert cells["validation_accuracy_108"][0] == 0.9 and cells["test_accuracy_108"][0] == 0.8
    assert cells["training_seconds_108"][0] == 1080 and cells["trainable_parameters"][0] == 49_979_274


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (["a", 108, *CHAIN], "record 1: expected .hash, epochs"),
        (["a", 108, *CHAIN, "%%"], "record 1: expected .hash"),
        (["a", 108, *CHAIN, base64.b64encode(b"\x0a\x7f").decode()], "end within a field"),
        (["a", 108, *CHAIN, metrics(evaluation(108, float("nan"), 1, 1, 1))], "finite"),
        (["a", 108, "010001", CHAIN[1], metrics(evaluation(1, 1, 1, 1, 1))], "3 x 3 zeros and ones"),
        (["a", 108, CHAIN[0], "input,pool,output", metrics(evaluation(1, 1, 1, 1, 1))], "got 'pool'"),
        (["a", 108, "000000000", CHAIN[1], metrics(evaluation(1, 1, 1, 1, 1))], "no path"),
    ],
)
def test_damage_is_named(tmp_path: Path, record: list[object], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_nasbench101(Source(write(tmp_path, [record])))


def test_more_than_the_benchmark_holds_is_refused(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TableError, match="raise --max-gb"):
        read_nasbench101(Source(official, max_bytes=100))
    monkeypatch.setattr("gennas.eval.tables.formats.nasbench101.SIZE", 1)
    with pytest.raises(TableError, match="more than 1 different cells"):
        read_nasbench101(Source(official))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no records"):
        read_nasbench101(Source(write(tmp_path, [])))
