"""What scripts/fuzz feeds with files: tables, JSON, checkpoints, pickles, archives."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import pickle
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_edits import edited_bytes, edited_json, edited_text, edited_value
from fuzz_texts import EXECUTED, SPACE, Expressions, Surface

from gennas.eval.hardware.predictor_file import load_predictor, save_predictor
from gennas.eval.hardware.predictors import LookupPredictor
from gennas.eval.tables import read_rows, read_table
from gennas.eval.tables.formats import Source
from gennas.eval.tables.formats.pickles import load_pickle
from gennas.eval.tables.unpickle import load_numbers
from gennas.generators.conditions import ConditionScale
from gennas.generators.trained import SpaceSource, TrainedGenerator, generator_class
from gennas.search import Archive, Objective
from gennas.search.stored import read_meta
from gennas.search.trial import Origin, Proposal, Trial
from gennas.training import Task, TrainConfig, Trainer
from gennas.training.checkpoint import load_module, read_note, save_module
from gennas.workbench.chosen import best_text
from gennas.workbench.directory import read_config
from gennas.workbench.other_runs import read_labels
from gennas.workbench.problem import load_architecture


class Tables(Surface):
    """Tables of the user's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import pandas as pd

        texts = [SPACE.to_text(a) for a in SPACE.sample(8, np.random.default_rng(0))]
        frame = pd.DataFrame(
            {"arch": texts, "acc": np.linspace(0.1, 0.9, 8), "latency (ms)": range(8), "note": ["x"] * 8}
        )
        packed = io.BytesIO()
        frame.to_parquet(packed)
        csv = frame.to_csv(index=False).encode()
        self.files: dict[str, bytes] = {
            "t.csv": csv,
            "t.tsv": frame.to_csv(index=False, sep="\t").encode(),
            "u.csv": b"# about\n" + csv.decode().encode("utf-16"),
            "t.json": frame.to_json(orient="records").encode(),
            "t.jsonl": frame.to_json(orient="records", lines=True).encode(),
            "c.json": json.dumps(frame.to_dict("list")).encode(),
            "t.parquet": packed.getvalue(),
            "t.csv.gz": csv,
            "t.jsonl.gz": frame.to_json(orient="records", lines=True).encode(),
            "t.txt": "\n".join(texts).encode(),
            "b.csv": bz2.compress(csv),
        }

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        name = rng.choice(list(self.files))
        content, path = self.files[name], self.place() / name
        if name.endswith(".json"):
            content = edited_json(content, rng)
        elif name.endswith(".parquet") or rng.random() < 0.4:
            content = edited_bytes(content, rng)
        else:
            content = edited_text(content.decode("latin1"), Expressions.samples, rng).encode("latin1", "replace")
        if name.endswith(".gz"):
            content = gzip.compress(content, 1) if rng.random() < 0.7 else edited_bytes(gzip.compress(content, 1), rng)
        path.write_bytes(content)
        yield content
        match rng.randrange(3):
            case 0 if name != "t.txt":
                read_table(path, SPACE)
            case 1 if name != "t.txt":
                read_table(
                    path,
                    SPACE,
                    metrics=["acc"],
                    duplicates=rng.choice(("error", "first")),
                    arch_format=rng.choice((None, "nni")),
                )  # type: ignore[arg-type]
            case _:
                read_rows(path, SPACE, optional=["acc"])


class Json(Surface):
    """JSON files that gennas writes itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        arch = SPACE.sample(1, np.random.default_rng(0))[0]
        (folder / "run").mkdir()
        best = {"text": SPACE.to_text(arch), "key": arch.key, "metrics": {"acc": 0.5}}
        (folder / "run" / "summary.json").write_text(json.dumps({"best": best, "n_evals": 3, "stopped": "budget"}))
        (folder / "arch.json").write_text(arch.to_json())
        self.kinds = ("diffusion", "autoregressive", "latent")
        for kind in self.kinds:
            scales = (ConditionScale("acc", "max", (0.1, 0.2)),)
            made = generator_class(kind)(SPACE.schema, SPACE.legal, num_conditions=1)
            TrainedGenerator(made, SPACE, SpaceSource("nasbench201"), scales, frozenset([arch.key])).save_pretrained(
                folder / kind
            )

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        own = self.place()
        match rng.randrange(5):
            case 0:
                path = own / "run" / "summary.json"
                with damaged(path, edited_json, rng) as content:
                    yield content
                    best_text(own / "run") if rng.random() < 0.5 else load_architecture(str(path), SPACE)
            case 1:
                with damaged(own / "arch.json", edited_json, rng) as content:
                    yield content
                    load_architecture(str(own / "arch.json"), SPACE)
            case _:
                folder = own / rng.choice(self.kinds)
                path = rng.choice(sorted(folder.rglob("*.json")))
                with damaged(path, edited_json, rng) as content:
                    yield str(path.relative_to(own)), content
                    found = TrainedGenerator.from_pretrained(folder, rng.choice((None, SPACE)))
                    if rng.random() < 0.2:
                        found.generator.sample(2, np.full(found.generator.num_conditions, np.nan))


class Checkpoints(Surface):
    """Weights."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        x, y = torch.randn(12, 1, 4, 4), torch.arange(12) % 2
        self.trainer = Trainer(
            Task.from_tensors("tiny", train=(x, y), test=(x, y), validation=(x, y), num_outputs=2),
            TrainConfig(epochs=1, batch_size=12, device="cpu", select="best", schedule_epochs=1),
        )
        self.trainer.fit(self.network(), save_to=folder)
        save_module(self.network(), folder / "net.safetensors", {"arch": "text"})
        archs = SPACE.sample(30, np.random.default_rng(0))
        predictor = LookupPredictor()
        predictor.fit(archs, 1.0 + (archs.decisions == 3).sum(1))
        save_predictor(predictor, folder / "latency.npz")
        generator_class("diffusion")(SPACE.schema, SPACE.legal, num_conditions=0).save_pretrained(folder / "diffusion")

    @staticmethod
    def network() -> torch.nn.Module:
        """A small one with buffers."""
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 2))

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        own = self.place()
        kind = rng.randrange(7)
        name = (
            "net.safetensors",
            "net.safetensors",
            "state.safetensors",
            "state.safetensors",
            "state.safetensors",
            "latency.npz",
            "",
        )[kind]
        path = own / name if name else next((own / "diffusion").rglob("*.safetensors"))
        with damaged(path, edited_tensors if path.suffix != ".npz" else edited_bytes, rng) as content:
            yield name, content[:2000]
            match kind:
                case 0:
                    load_module(self.network(), path)
                case 1:
                    read_note(path)
                case 2 | 3 | 4:
                    self.trainer.fit(self.network(), resume_from=own)
                case 5:
                    load_predictor(path, SPACE.schema)
                case _:
                    generator_class("diffusion").from_pretrained(own / "diffusion", SPACE.schema, SPACE.legal)


def edited_tensors(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file with edits of its bytes, of its header, or of the JSON text in that."""
    if rng.random() < 0.3:
        return edited_bytes(content, rng)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    about = header.get("__metadata__", {})
    if "gennas" in about and rng.random() < 0.7:
        about["gennas"] = edited_json(about["gennas"].encode(), rng).decode("utf-8", "replace")
    elif rng.random() < 0.4 and (names := [n for n in header if n != "__metadata__"]):
        name, tensor = rng.choice(names), None  # the same bytes as numbers of another type or shape, or not at all
        tensor = header.pop(name)
        match rng.randrange(4):
            case 0:
                header[name] = {**tensor, "shape": [int(np.prod(tensor["shape"]))]}
            case 1:
                other = {"F32": "I32", "I64": "F64", "U8": "I8"}.get(tensor["dtype"], "U8")
                header[name] = {**tensor, "dtype": other}
            case 2:
                header[f"{name}{rng.choice(('.x', '', ' '))}"] = tensor
            case _:
                header[rng.choice(("optimizer.x.y", "optimizer.99.step", "kept.a", "rng.cpu", "network.0.weight"))] = (
                    tensor
                )
    else:
        header = edited_value(header, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


class Pickles(Surface):
    """Other people's pickles."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        numbers = {"acc": [0.5, np.float64(0.25)], "n": (1, np.int64(3)), "text": "abc"}
        table = {"meta": {"x": [np.arange(3.0), {"a": torch.ones(2, 2)}]}, "list": [1, None, True, b"x"]}
        packed, older = io.BytesIO(), io.BytesIO()
        torch.save(table, packed)
        torch.save(table, older, _use_new_zipfile_serialization=False)
        plain = [pickle.dumps(numbers, protocol) for protocol in range(2, 6)]
        self.samples = [
            *plain,
            packed.getvalue(),
            older.getvalue(),
            bz2.compress(plain[2]),
            gzip.compress(plain[1], mtime=0),
        ]

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        own = self.place()
        path, canary = own / "a.pickle", own / "canary"
        content = rng.choice(self.samples)
        if rng.random() < 0.5:
            content = _hidden(canary, rng)
        if rng.random() < 0.7:
            content = edited_bytes(content, rng)
        path.write_bytes(content)
        yield content
        try:
            load_pickle(Source(path), path) if rng.random() < 0.6 else load_numbers(path)
        finally:
            if canary.exists():
                canary.unlink()
                EXECUTED.append("a pickle wrote a file")


class _Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _hidden(canary: Path, rng: random.Random) -> bytes:
    """A pickle, or torch file, that would write a file if it were read by an unrestricted reader."""
    code = f"open({str(canary)!r}, 'w').close()"
    call = rng.choice(
        (
            _Call(os.system, f"touch {canary}"),
            _Call(exec, code),
            _Call(eval, code),
            _Call(open, str(canary), "w"),
            _Call(getattr, _Call(__import__, "os"), "getcwd"),
            _Call(os.mkdir, str(canary)),
            _Call(map, exec, [code]),
            _Call(np.load, str(canary)),
            _Call(np.dtype, _Call(exec, code)),
            _Call(torch.load, str(canary)),
        )
    )
    value = rng.choice((call, {"acc": [0.5, call]}, (call, call), {"a": np.float64(1), "b": call}))
    if rng.random() < 0.2:
        names = rng.choice(
            (b"os\nsystem", b"posix\nsystem", b"builtins\nexec", b"numpy.core.multiarray\nscalar.__globals__")
        )
        return b"c" + names + b"\n(S'touch " + str(canary).encode() + b"'\ntR."
    if rng.random() < 0.4:
        file = io.BytesIO()
        torch.save(value, file, _use_new_zipfile_serialization=rng.random() < 0.7)
        return file.getvalue()
    return pickle.dumps(value, rng.randrange(2, 6))


class Archives(Surface):
    """A run's archive."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        archive = Archive(folder / "archive.sqlite", SPACE)
        archive.claim(f"nasbench201 {SPACE.schema.fingerprint} table")
        archive.set_meta(
            "config", json.dumps({"space": "nasbench201", "table": "t.csv", "objective": ["acc:max"], "budget": 5})
        )
        archive.set_meta("told", "[0, 1, 2]")
        archive.set_meta(
            "metrics", json.dumps({"acc": {"name": "acc", "direction": "max", "unit": "", "bounds": [0, 1]}})
        )
        archs = SPACE.sample(6, np.random.default_rng(0))
        for i, arch in enumerate(archs[:4]):  # type: ignore[arg-type]
            proposal = Proposal(arch, Origin("mutation", ("p",), 1, {"note": 1}), id=i, seed=i)
            archive.add(Trial(proposal, "ok", {"acc": 0.1 * i}, {"seconds": 1.0}, "", {"loss": [1.0, 0.5]}))
        archive.add_asked([Proposal(archs[5], Origin("random"), id=7, seed=3)], 4)
        archive.add_round(3, {"validity": 1.0})
        archive.save_snapshot(3, {"weights": np.arange(3.0), "names": ["a", None]})
        archive.replace(Trial(Proposal(archs[1], Origin("random"), id=1), "failed", error="went wrong"))
        archive.close()
        with closing(sqlite3.connect(folder / "archive.sqlite")) as db:
            tables = ("meta", "trials", "rounds", "snapshot", "asked", "curves", "attempts")
            self.cells = [
                (table, column, row)
                for table in tables
                for _, column, *_ in db.execute(f"PRAGMA table_info({table})").fetchall()
                for (row,) in db.execute(f"SELECT rowid FROM {table}").fetchall()
            ]

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        own = self.place()
        path = own / "archive.sqlite"
        sound = path.read_bytes()
        try:
            if rng.random() < 0.35:
                path.write_bytes(content := edited_bytes(sound, rng))
                yield len(content)
            else:
                yield self._change(path, rng)
            self._read(own, path, rng)
        finally:
            for left in own.glob("archive.sqlite-*"):
                left.unlink()
            path.write_bytes(sound)

    def _change(self, path: Path, rng: random.Random) -> Any:
        table, column, row = rng.choice(self.cells)
        with closing(sqlite3.connect(path)) as db:
            (old,) = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
            new: Any = rng.choice((None, -1, 1e300, "", "x", b"\xff", 2**62, "[]", "{}", "null", "[" * 3000, "NaN"))
            if isinstance(old, str) and old[:1] in ("[", "{") and rng.random() < 0.8:
                new = edited_json(old.encode(), rng).decode("utf-8", "replace")
            elif isinstance(old, bytes) and rng.random() < 0.8:
                new = edited_tensors(old, rng)
            try:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, row))
            except (sqlite3.IntegrityError, OverflowError):
                pass
            else:
                db.commit()
        return table, column, row, new

    @staticmethod
    def _read(own: Path, path: Path, rng: random.Random) -> None:
        match rng.randrange(5):
            case 0:
                read_config(own)
            case 2:
                read_labels(str(path), SPACE, Objective("acc"))
            case 1:
                read_meta(path, "config", "seal")
        archive = Archive(path, SPACE, read_only=rng.random() < 0.5)
        try:
            for read in (
                archive.trials,
                archive.rounds,
                archive.asked,
                archive.attempts,
                archive.snapshot,
                archive.to_dataframe,
                archive.__len__,
                lambda: archive.num_charged,
                lambda: archive.meta_value("told", list[int]()),
                lambda: archive.meta_value("metrics", dict[str, Any]()),
            ):
                read()
        finally:
            archive.close()


@contextmanager
def damaged(path: Path, edit: Callable[[bytes, random.Random], bytes], rng: random.Random) -> Iterator[bytes]:
    """A file with edits inside of the block, and sound again after it."""
    sound = path.read_bytes()
    content = edit(sound, rng)
    path.write_bytes(content)
    try:
        yield content
    finally:
        path.write_bytes(sound)
