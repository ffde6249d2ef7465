"""`gennas proxies correlate`: files, joins, baselines, and one line for bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from gennas.cli.main import main
from gennas.eval.proxies import Protocol, make_proxies, noise_batch, score_network
from gennas.eval.proxies.combine import LogRank
from gennas.spaces import MacroChain, NASBench201, TaskSpec
from gennas.workbench.correlate import baselines_of

SPACE = NASBench201(num_cells=1, width=4)
OPTIONS = ["--space-option", "num_cells=1", "--space-option", "width=4"]


@pytest.fixture
def files(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Path, pd.DataFrame]:
    archs = dict.fromkeys(SPACE.to_text(a) for a in SPACE.sample(90, rng))
    frame = pd.DataFrame({"arch": list(archs)})
    frame["jacov"], frame["ntk"] = rng.normal(size=(2, len(frame)))
    frame["acc"] = 80 + frame["jacov"] - frame["ntk"] + frame["arch"].str.count("nor_conv_3x3")
    frame.drop(columns="acc").assign(protocol="p").to_csv(tmp_path / "scores.csv", index=False)
    shuffled = frame.sample(frac=1, random_state=0)[["arch", "acc"]]
    shuffled.assign(note="a text").to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "scores.csv", tmp_path / "table.csv", frame


def test_scores_in_a_file(files: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys) -> None:
    scores, table, frame = files
    out = tmp_path / "c.csv"
    command = ["proxies", "correlate", "--scores", scores, "--table", table, "--target", "acc", "--resamples", 20]
    assert main([*map(str, command), *OPTIONS, "--combine", "jacov+ntk", "--out", str(out)]) == 0
    assert f"{len(frame)} architectures" in capsys.readouterr().out
    found = pd.read_csv(out).set_index("score")
    assert list(found.index[:4]) == ["params", "flops", "trainable_layers", "log-rank(params, jacov)"]
    counts = baselines_of(SPACE, frame["arch"].tolist())
    assert found.loc["params", "kendall"] == pytest.approx(kendalltau(counts["params"], frame["acc"])[0])
    pair = LogRank().fit({"a": counts["params"], "b": frame["jacov"]})
    expected = kendalltau(pair.score({"a": counts["params"], "b": frame["jacov"]}), frame["acc"])[0]
    assert found.loc["log-rank(params, jacov)", "kendall"] == pytest.approx(expected)
    # less ntk is better, so it is turned round, alone and in a combination
    assert found.loc["ntk", "kendall"] == pytest.approx(kendalltau(-frame["ntk"], frame["acc"])[0])
    assert found.loc["log-rank(jacov, ntk)", "kendall"] > found.loc["jacov", "kendall"]
    assert (found["kendall_low"] <= found["kendall"]).all() and (found["target"] == "acc").all()


def test_a_sample_of_the_table_is_scored(files: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys) -> None:
    out = tmp_path / "c.csv"
    command = ["proxies", "correlate", "--table", str(files[1]), "--target", "acc", "--n", "12", "--resamples", "5"]
    protocol = ["--protocol", "batch_size=4", "--protocol", "input_shape=[3,8,8]"]
    assert main([*command, *OPTIONS, *protocol, "--proxies", "synflow", "--out", str(out)]) == 0
    found = pd.read_csv(out)
    assert {"params", "flops", "trainable_layers", "log-rank(params, jacov)", "synflow", "jacov"} == set(found["score"])
    assert (found["n"] == 12).all() and found["protocol"].str.contains("target acc").all()
    assert "noise x4" in capsys.readouterr().out


@pytest.mark.parametrize("space", [SPACE, MacroChain(max_depth=3, widths=(8, 16))])
def test_baselines_are_those_of_the_networks(space, rng: np.random.Generator) -> None:
    archs = list(space.sample(90, rng))  # a sum over decisions in the first space only
    found = baselines_of(space, [space.to_text(a) for a in archs])
    batch = noise_batch(Protocol(batch_size=2))
    for i in (0, 40, 89):
        net = space.build(archs[i], TaskSpec("image", (3, 32, 32), 10))
        expected = score_network(net, make_proxies(list(found)), batch)
        assert {name: column[i] for name, column in found.items()} == {n: s.value for n, s in expected.items()}


def test_bad_input_is_one_line(files: tuple[Path, Path, pd.DataFrame], tmp_path: Path, capsys) -> None:
    scores, table, frame = map(str, files[:2]), str(files[1]), files[2]
    path = next(scores)
    frame.drop(columns="acc").assign(protocol=["p", "q"] * (len(frame) // 2) + ["p"] * (len(frame) % 2)).to_csv(
        tmp_path / "mixed.csv", index=False
    )
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "other.csv", index=False)
    pd.concat([frame, frame]).to_csv(tmp_path / "twice.csv", index=False)
    given = ["--table", table, "--target", "acc", *OPTIONS]
    for args, reason in (
        (["--scores", path], "--table"),
        (["--table", table, "--target", "accuracy"], "no column 'accuracy'"),
        ([*given, "--scores", str(tmp_path / "mixed.csv")], "never pooled"),
        ([*given, "--scores", str(tmp_path / "other.csv")], "join"),
        ([*given, "--scores", str(tmp_path / "twice.csv")], "twice"),
        ([*given, "--scores", path, "--combine", "jacov+swap"], "swap"),
    ):
        assert main(["proxies", "correlate", *args]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and reason in lines[0], lines
