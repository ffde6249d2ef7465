"""A search that is killed at random moments pays for nothing twice, and ends in the archive of one that was not."""

from __future__ import annotations

import hashlib
import json
import multiprocessing as mp
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.search import Archive
from gennas.search.transcript import CALL, SUGGESTION
from gennas.spaces import NASBench201

KILLS = 12
BUDGET = 40
PARAMETERS = {"temperature": 1.0, "seed": 7}

EVALUATOR = """
import time
def score(arch):
    time.sleep(0.01)
    return float(arch.decisions.sum())
"""


class Counting:
    """A server of chat completions that writes by a hash of the request, counts, and stops answering when it is told.

    Whoever waits for an answer while it holds is not answered, and is not charged.
    """

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.sent: dict[str, float] = {}
        self.held, self.released, self.hold_at = threading.Event(), threading.Event(), 10**9
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.answer(self, body)

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        request = hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=8).hexdigest()
        probing = "hello" in body["messages"][-1]["content"]
        if not probing:
            if sum(self.paid.values()) >= self.hold_at:
                self.held.set()
                self.released.wait(60)
                return
            self.paid[request] += 1
        digits = "".join(str(int(c, 16) % 5) for c in request)[:6]
        content = {"choices": [{"message": {"content": digits}, "finish_reason": "stop"}]}
        content |= {"usage": {"prompt_tokens": 100, "completion_tokens": 6}}
        data = json.dumps(content).encode()
        try:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            return
        self.sent[request] = time.monotonic()


@pytest.fixture
def server() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.server.shutdown()


def run(out: str, evaluator: str, url: str) -> None:
    from gennas import SearchConfig, run_search

    model = {"server": "compatible", "model": "counted", "url": url, "parameters": PARAMETERS, "retries": 0}
    settings = {"space": "nasbench201", "evaluator": evaluator, "budget": BUDGET, "out": out}
    strategy = {"strategy": "llm", "strategy_option": {"model": model, "round_size": 3}}
    run_search(SearchConfig.from_dict(settings | strategy), report=False)


def outcome(out: Path) -> tuple[list[Any], list[str], list[str]]:
    """Everything that an archive holds but times."""
    archive = Archive(out / "archive.sqlite", NASBench201(), read_only=True)
    trials = [
        (t.arch.key, t.status, dict(t.metrics), t.proposal.origin, t.proposal.seed,
         {k: v for k, v in t.cost.items() if "seconds" not in k})
        for t in archive.trials()
    ]  # fmt: skip
    calls = []
    for _, text in archive.records(CALL):
        record = json.loads(text)
        record["seconds"] = record["reply"]["seconds"] = 0
        calls.append(json.dumps(record))
    suggestions = sorted(text for _, text in archive.records(SUGGESTION))
    archive.close()
    return trials, sorted(calls), suggestions


@pytest.mark.slow
def test_killed_at_random_moments_it_never_pays_twice(server: Counting, tmp_path: Path) -> None:
    evaluator = tmp_path / "mine.py"
    evaluator.write_text(EVALUATOR)
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["gennas", "gennas.workbench.run", "gennas.search", "gennas.eval.tables"])
    arguments = (f"{evaluator}:score", server.url)

    def start(out: Path) -> Any:
        process = context.Process(target=run, args=(str(out), *arguments))
        process.start()
        return process

    whole = start(tmp_path / "whole")
    whole.join(120)
    assert whole.exitcode == 0
    expected, requests = outcome(tmp_path / "whole"), dict(server.paid)
    assert len(expected[0]) == BUDGET and set(requests.values()) == {1}
    server.paid.clear()
    rng, kills, in_flight = np.random.default_rng(0), 0, Counter[str]()
    while kills < KILLS:
        server.held.clear()
        server.released.clear()
        at_request = kills % 2 == 0
        server.hold_at = sum(server.paid.values()) + int(rng.integers(0, 4)) if at_request else 10**9
        process = start(tmp_path / "parts")
        if at_request:
            assert server.held.wait(60)
            time.sleep(rng.uniform(0.1, 0.3))  # what was answered is kept by now
        else:  # whenever it is: while it starts, evaluates, writes or waits
            before = sum(server.paid.values())
            while process.is_alive() and sum(server.paid.values()) == before and rng.random() < 0.995:
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 0.1))
        process.kill()
        now = time.monotonic()
        process.join(30)
        server.released.set()
        assert process.exitcode == -9, "it was at its end before it was killed"
        kills += 1
        if not at_request:  # answers that were on their way, or not kept yet
            in_flight.update(request for request, sent in server.sent.items() if now - sent < 0.1)
    server.hold_at = 10**9
    last = start(tmp_path / "parts")
    last.join(120)
    assert last.exitcode == 0
    assert outcome(tmp_path / "parts") == expected
    again = Counter({request: n - 1 for request, n in server.paid.items() if n > 1})
    assert set(server.paid) == set(requests)
    print(f"{kills} kills, {len(requests)} requests, {sum(again.values())} were in flight at a kill and asked again")
    assert again <= in_flight and sum(again.values()) <= 4 * kills  # four requests at a time
