"""A real llama.cpp server with a tiny model, and a double that misbehaves on purpose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gennas.testing.language_models import llama_server


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    return tmp_path_factory.mktemp("gguf")


@pytest.fixture(scope="session")
def llama(models: Path) -> Iterator[str]:
    with llama_server(models) as url:
        yield url


@pytest.fixture(scope="session")
def flat_llama(models: Path) -> Iterator[str]:
    """One that knows nothing and wants a key."""
    with llama_server(models, flat=True, key="the-right-key") as url:
        yield url


@dataclass
class Says:
    """One thing that the double does."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False  # the connection, without a word
    short: bool = False  # fewer bytes than it promises
    follows: bool = False  # the body is a function of the request


class Double:
    """A server that does what it is told, in order; the last thing again and again."""

    def __init__(self) -> None:
        self.script: list[Says] = [Says()]
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.times: list[float] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.serve(self, {})

            def do_POST(self) -> None:
                double.serve(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.requests.append((handler.path, body, dict(handler.headers)))
        self.times.append(time.monotonic())
        says = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        time.sleep(says.delay)
        if says.drop:
            handler.close_connection = True
            return
        found = says.body(body) if says.follows else says.body
        content = found if isinstance(found, bytes) else json.dumps(found).encode()
        try:
            handler.send_response(says.status)
            for name, value in says.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(content) + 10 * says.short))
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:  # the client has gone, as it should
            handler.close_connection = True


@pytest.fixture
def double() -> Iterator[Double]:
    made = Double()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def says() -> type[Says]:
    return Says
