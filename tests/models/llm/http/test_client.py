from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest

from gennas.errors import ConfigError
from gennas.models.llm import ServerError
from gennas.models.llm.http import Client


def client(double: Any, **settings: Any) -> tuple[Client, list[float]]:
    """A client that notes its pauses and does not wait."""
    pauses: list[float] = []
    return Client(double.url, sleep=pauses.append, **settings), pauses


def test_retry_after_is_respected(double: Any, says: Any) -> None:
    date = email.utils.format_datetime(email.utils.localtime())
    double.script = [
        says({"error": {"message": "slow down"}}, 429, {"Retry-After": "7"}),
        says({}, 503, {"Retry-After": date}),
        says({}, 429),
        says({"ok": 1}),
    ]
    one, pauses = client(double, wait=1.0)
    assert one.post("/x", {"a": 1}).content == {"ok": 1}
    assert pauses[0] == 7 and pauses[1] == pytest.approx(0, abs=1.5) and 2 <= pauses[2] <= 4
    assert [path for path, *_ in double.requests] == ["/x"] * 4 and double.requests[0][1] == {"a": 1}


def test_pauses_grow_and_end(double: Any, says: Any) -> None:
    double.script = [says({"error": {"message": "busy,\nreally"}}, 500)]
    one, pauses = client(double, wait=1.0, retries=3)
    with pytest.raises(ServerError, match=r"/x gave no answer after 4 of 4 tries: status 500: busy, really\."):
        one.post("/x", {})
    assert len(pauses) == 3 and all(2**i / 2 <= p <= 2**i for i, p in enumerate(pauses))


def test_a_pause_that_is_too_long_is_not_waited_for(double: Any, says: Any) -> None:
    double.script = [says({"error": "no credit"}, 429, {"Retry-After": "86400"})]
    one, pauses = client(double)
    with pytest.raises(ServerError, match=r"after 1 of 5 tries: status 429, asks to wait 86,400 s: no credit"):
        one.post("/x", {})
    assert pauses == []


def test_other_refusals_are_answers(double: Any, says: Any) -> None:
    double.script = [says({"error": {"message": "bad field"}}, 400)]
    one, pauses = client(double)
    response = one.post("/x", {})
    assert (response.status, response.message, pauses) == (400, "bad field", [])
    double.script = [says(b"<html>proxy</html>", 403)]
    assert one.post("/x", {}).message == "<html>proxy</html>"


@pytest.mark.parametrize("fault", ["drop", "short"])
def test_a_broken_connection_is_tried_again(double: Any, says: Any, fault: str) -> None:
    double.script = [says({"half": 1}, **{fault: True}), says({"ok": 1})]
    one, pauses = client(double)
    assert one.post("/x", {}).content == {"ok": 1} and len(pauses) == 1


def test_a_slow_server_is_given_up(double: Any, says: Any) -> None:
    double.script = [says({}, delay=5)]
    one, _ = client(double, timeout=0.2, retries=1)
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"no answer after 2 of 2 tries: timed out"):
        one.post("/x", {})
    assert time.monotonic() - start < 4


def test_nobody_there() -> None:
    with pytest.raises(ServerError, match=r"gave no answer after 1 of 1 tries: Connection refused"):
        Client("http://127.0.0.1:9", retries=0).get("/x")


def test_large_replies_are_refused_in_one_line(double: Any, says: Any) -> None:
    double.script = [says(b"{" + b" " * 10_000_001 + b"}")]
    one, _ = client(double)
    with pytest.raises(ServerError, match=r"/x: a reply of more than 10 MB was refused\.$"):
        one.post("/x", {})


@pytest.mark.parametrize("content", [b"", b"not json", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_told(double: Any, says: Any, content: bytes) -> None:
    double.script = [says(content)]
    with pytest.raises(ServerError, match=r"/x: expected a JSON object, got '.{0,330}'\.$"):
        client(double)[0].post("/x", {})


def test_the_circuit_opens_and_closes(double: Any, says: Any) -> None:
    double.script = [says({}, 500)]
    one, _ = client(double, retries=0, failures=2, cooldown=0.3)
    for _ in range(2):
        with pytest.raises(ServerError, match="gave no answer"):
            one.post("/x", {})
    with pytest.raises(ServerError, match=r"failed 2 times in a row; nothing is sent for another 0 s"):
        one.post("/x", {})
    assert len(double.requests) == 2
    time.sleep(0.35)
    double.script = [says({"ok": 1})]
    assert one.post("/x", {}).status == 200


def test_no_more_requests_at_a_time_than_allowed(double: Any, says: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    double.script = [says({}, delay=0.05)]
    one, _ = client(double, concurrency=2)
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: one.post("/x", {}), range(8)))
    assert time.monotonic() - start >= 4 * 0.05  # eight of .05 s, two at a time


def test_redirections_are_not_followed(double: Any, says: Any) -> None:
    double.script = [says({}, 302, {"Location": "http://127.0.0.1:9/elsewhere"})]
    one, _ = client(double, headers={"Authorization": "Bearer k"}, secrets=["k-e-y"])
    assert one.post("/x", {}).status == 302 and len(double.requests) == 1


def test_secrets_are_in_no_message(double: Any, says: Any) -> None:
    double.script = [says({"error": "Incorrect API key provided: k-e-y"}, 500)]
    one, _ = client(double, headers={"Authorization": "Bearer k-e-y"}, secrets=["k-e-y"], retries=0)
    with pytest.raises(ServerError, match=r"provided: \(hidden\)") as caught:
        one.post("/x", {})
    assert "k-e-y" not in repr(caught.value) + repr(caught.value.__context__) + repr(one)
    assert double.requests[0][2]["Authorization"] == "Bearer k-e-y"


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://x:99999999", "http://["])
def test_addresses(url: str) -> None:
    with pytest.raises(ConfigError, match="Expected a server's address like"):
        Client(url)


def test_keys_travel_encrypted_or_not_at_all() -> None:
    with pytest.raises(ConfigError, match=r"A key would travel to example\.org without encryption"):
        Client("http://example.org", secrets=["k"])
    with pytest.raises(ConfigError, match=r"address of example\.org without a password") as caught:
        Client("https://me:secret@example.org")
    assert "secret" not in str(caught.value)
    Client("https://example.org", secrets=["k"])
    Client("http://example.org", secrets=[""])
