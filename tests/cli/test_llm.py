"""``gennas llm``, and what a search with a language model says of bad input: one line, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gennas.cli.main import main
from gennas.models.llm import Transcript

NOBODY = """
from gennas.models.llm import Answer, Reply, Usage
class Nobody:
    name, concurrency = "nobody", 1
    def choose(self, state, questions):
        return [Answer.of([1.0] * len(q.options), Usage(5, 1)) for q in questions]
    def complete(self, messages, grammar=None, draw=0):
        return Reply("")
def score(arch):
    return float(arch.decisions.sum())
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(NOBODY)
    return str(tmp_path / "mine.py")


def search(mine: str, out: Path, *words: str) -> int:
    base = ["search", "--space", "nasbench201", "--evaluator", f"{mine}:score", "--budget", "14", "--out", str(out)]
    return main([*base, *words])


def test_from_a_search_to_its_replay(mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert search(mine, run, "--strategy", "llm", "--model", f"{mine}:Nobody") == 0
    assert main(["llm", "show", str(run)]) == 0
    assert "valid before repair" in capsys.readouterr().out
    assert main(["llm", "show", str(run), "--call", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["call"] == "choose"
    file = tmp_path / "calls.jsonl"
    assert main(["llm", "export", str(run), "--out", str(file)]) == 0
    assert len(Transcript(file)) > 30
    for source in (run, file):
        again = tmp_path / f"again-{source.name}"
        assert search(mine, again, "--strategy", "llm", "--model", f"replay:{source}") == 0
        found = [json.loads((folder / "summary.json").read_text()) for folder in (run, again)]
        assert found[0]["best"] == found[1]["best"] and found[0]["llm_tokens"] == found[1]["llm_tokens"] > 0
    assert "Language model" in (run / "report.html").read_text()


def test_probe_proposes(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["llm", "probe", "--model", f"{mine}:Nobody", "--n", "2"]) == 0
    assert capsys.readouterr().out.count("|nor_conv") + 1 and main(["llm", "probe"]) == 2


def test_a_limit_of_tokens_ends_a_search_cleanly(mine: str, tmp_path: Path) -> None:
    words = ("--strategy", "llm", "--model", f"{mine}:Nobody", "--limit", "llm_tokens=100")
    assert search(mine, tmp_path / "run", *words, "--budget", "90") == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert found["stopped"] == "limit" and found["n_evals"] < 20 and found["llm_tokens"] >= 100


def test_a_limit_of_dollars_ends_a_search_cleanly(mine: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"mine.py:Nobody": {"input": 100, "output": 500}}))  # .001 dollars a question
    words = ("--strategy", "llm", "--model", f"{mine}:Nobody", "--model-option", f"prices={prices}")
    assert search(mine, tmp_path / "run", *words, "--limit", "llm_usd=0.02", "--budget", "90") == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert found["stopped"] == "limit" and found["n_evals"] == 11  # 8 random ones, .012 dollars a round
    assert found["llm_usd"] == pytest.approx(0.001 * found["llm_calls"]) and 0.02 <= found["llm_usd"] < 0.02 + 0.013
    assert search(mine, tmp_path / "run", *words, "--limit", "llm_usd=0.03", "--budget", "90") == 0  # more money
    more = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert more["stopped"] == "limit" and 0.03 <= more["llm_usd"] < 0.03 + 0.013 and more["n_evals"] > 11


def test_a_model_without_a_chat_template_is_one_line(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = {letter: i for i, letter in enumerate(["</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    bpe = Tokenizer(models.BPE(letters, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", pad_token="</s>")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(letters), max_position_embeddings=4096, **sizes))
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "model")
    words = ("--strategy", "llm", "--model", f"local:{tmp_path / 'model'}")
    capsys.readouterr()  # what writing it said
    assert search(mine, tmp_path / "run", *words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "gennas: Model 'model' has no chat template. Give chat=False" in error
    assert not (tmp_path / "run" / "archive.sqlite").exists()
    assert search(mine, tmp_path / "run", *words, "--model-option", "chat=False", "--budget", "9") == 0


class Server(ThreadingHTTPServer):
    """Refuses or floods, as it is told."""

    status, body = 200, b"{}"


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.server, Server)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    made = Server(("127.0.0.1", 0), Handler)
    Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()


KEY = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    ("words", "status", "body", "says"),
    [
        (["--model", "opena:x"], 200, b"", "Did you mean openai"),
        (["--model", "compatible:x"], 401, {"error": {"message": f"bad key {KEY}"}}, "refuses the key of MINE"),
        (["--model", "compatible:nope"], 404, {"error": {"message": "no such model"}}, "has no model 'nope'"),
        (["--model", "compatible:x"], 400, {"error": {"message": "exceeds the context size"}}, "Show less"),
        (["--model", "compatible:x"], 200, b"[" + b" " * 10_000_001 + b"]", "10"),
        (["--model", "compatible:x", "--model-option", "prices=PRICES"], 200, b"{}", "price table"),
        (["--model", "local:no-such-folder"], 200, b"", "No language model"),
        (["--model", "compatible:x", "--strategy-option", "method=histroy"], 200, b"", "history"),
        (["--model", "compatible:x", "--strategy", "random"], 200, b"", "Unknown option 'model' of strategy 'random'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str], status: int, body: Any, says: str, server: Server, mine: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MINE", KEY)
    (tmp_path / "prices.json").write_text('{"other": {"input": 1, "output": 1}}')
    server.status, server.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()
    words = [w.replace("PRICES", str(tmp_path / "prices.json")) for w in words]
    if words[1].startswith("compatible"):
        url = f"http://127.0.0.1:{server.server_address[1]}"
        words += ["--model-option", f"url={url}", "--model-option", "key_variable=MINE", "--model-option", "retries=0"]
    out = tmp_path / "run"
    assert search(mine, out, "--strategy", "llm", *words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error and KEY not in error
    assert not (out / "archive.sqlite").exists()


def test_wandb_has_the_calls_by_prompt(mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = tmp_path / "run"
    assert search(mine, run, "--strategy", "llm", "--model", f"{mine}:Nobody", "--track", "wandb") == 0
    (file,) = run.rglob("llm/prompts*.table.json")
    table = json.loads(file.read_text())
    assert table["columns"][:3] == ["prompt", "version", "calls"] and table["data"][0][0] == "history"
