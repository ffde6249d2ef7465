"""A small client for JSON over HTTP: time-outs, bounded retries, a circuit breaker, limits."""

from __future__ import annotations

import email.utils
import http.client
import json
import math
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gennas.errors import ConfigError, reason_of, shown
from gennas.models.llm.backend import ServerError, UnavailableError
from gennas.runtime.secrets import without_secrets

__all__ = ["Client", "Response"]

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Response:
    """What a server answered: its status, the JSON object, and seconds on the wall's clock, waits included."""

    status: int
    content: dict[str, Any]
    seconds: float = 0.0

    @property
    def message(self) -> str:
        """The server's own words about an error, in one line."""
        found = self.content.get("error", self.content.get("detail", self.content.get("message", "")))
        if isinstance(found, Mapping):
            found = found.get("message", found)
        return " ".join(str(found).split())[:300]


@dataclass
class Client:
    """Posts JSON to one server.

    A request that fails on the way, or with a status that says "later", is repeated up to ``retries`` times. Between
    tries the client waits as ``Retry-After`` says, or ``wait`` seconds, doubled each time, times a random number of
    .5 to 1. After ``failures`` requests in a row that failed for good the circuit opens: for ``cooldown`` seconds every
    request is refused at once, then one is let through. Redirections are not followed: no key goes elsewhere.

    Args:
        url: where the server is, such as ``http://127.0.0.1:8080``.
        headers: sent with every request.
        secrets: what is blacked out in every message.
        timeout: seconds without a sign of the server, after which a try has failed.
        retries: further tries.
        wait: seconds before the first of these.
        longest_wait: longest of these pauses; a server that asks for a longer one has failed.
        max_bytes: largest reply that is read.
        concurrency: requests at a time.
        failures: requests in a row that open the circuit.
        cooldown: seconds that it stays open.
        sleep: how to wait.

    Raises:
        ConfigError: the address is none, or a key would travel without encryption.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Collection[str] = ()
    timeout: float = 120.0
    retries: int = 4
    wait: float = 1.0
    longest_wait: float = 60.0
    max_bytes: int = 10_000_000
    concurrency: int = 4
    failures: int = 5
    cooldown: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            ok = False
        if ok and (parts.username or parts.password):
            raise ConfigError(f"Expected the address of {parts.hostname} without a password; give a key by its name.")
        if not ok:
            raise ConfigError(
                f"Expected a server's address like http://127.0.0.1:8080, got {shown(self._say(self.url))}."
            )
        if any(self.secrets) and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigError(f"A key would travel to {parts.hostname} without encryption: use https://.")
        self.url = self.url.rstrip("/")
        self._slots, self._lock = threading.Semaphore(self.concurrency), threading.Lock()
        self._failed, self._open_until = 0, 0.0
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def get(self, path: str) -> Response:
        """Fetch a path, see :meth:`post`."""
        return self.post(path, None)

    def post(self, path: str, body: Mapping[str, Any] | None) -> Response:
        """Send a body and return the answer, also one whose status says that the request was wrong.

        Raises:
            UnavailableError: no usable answer after all tries, or an open circuit.
            ServerError: a reply that is too large, or no JSON object.
        """
        start = time.monotonic()
        self._admit()
        tries = 1 + self.retries
        with self._slots:
            for attempt in range(tries):
                found, pause = self._once(path, body)
                if isinstance(found, Response) and found.status not in _AGAIN:
                    self._count(failed=False)
                    return Response(found.status, found.content, time.monotonic() - start)
                pause = self.wait * 2**attempt * random.uniform(0.5, 1) if math.isnan(pause) else pause
                if attempt + 1 == tries or pause > self.longest_wait:
                    break
                self.sleep(pause)
        self._count(failed=True)
        status = found.status if isinstance(found, Response) else None
        if isinstance(found, Response):
            asks = f", asks to wait {pause:,.0f} s" if pause > self.longest_wait else ""
            found = f"status {found.status}{asks}{': ' if found.message else ''}{found.message}"
        words = f"{self.url}{path} gave no answer after {attempt + 1} of {tries} tries: {found}."
        raise UnavailableError(self._say(words), status)

    def _once(self, path: str, body: Mapping[str, Any] | None) -> tuple[Response | str, float]:
        """One try: an answer or what went wrong, and seconds to wait as the server says (NaN: it does not)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self.headers}
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with self._opener.open(request, timeout=self.timeout) as reply:
                return self._read(reply, path), math.nan
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error, path), _seconds(error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:  # refused, reset, timed out, cut off
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            return reason_of(reason if isinstance(reason, BaseException) else error), math.nan

    def _read(self, reply: Any, path: str) -> Response:
        status = int(reply.status)
        try:
            content = self._body(reply)
        except (OSError, http.client.HTTPException):
            if status < 400:
                raise
            content = b""  # the status says enough
        if len(content) > self.max_bytes:
            raise ServerError(f"{self.url}{path}: a reply of more than {self.max_bytes / 1e6:g} MB was refused.")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return Response(status, found)
        if status >= 300:
            return Response(status, {"message": content[:300].decode(errors="replace")})
        raise ServerError(
            self._say(f"{self.url}{path}: expected a JSON object, got {content[:80].decode(errors='replace')!r}.")
        )

    def _body(self, reply: Any) -> bytes:
        """The body, or more of it than allowed, within the time-out."""
        content, deadline = b"", time.monotonic() + self.timeout
        while len(content) <= self.max_bytes and (part := reply.read1(65536)):
            content += part
            if time.monotonic() > deadline:
                raise TimeoutError(f"the reply was not there after {self.timeout:g} s")
        if len(content) <= self.max_bytes and reply.length:
            raise http.client.IncompleteRead(content, reply.length)
        return content

    def _admit(self) -> None:
        with self._lock:
            left = self._open_until - time.monotonic()
            if left > 0:
                raise UnavailableError(
                    f"{self.url} failed {self._failed} times in a row; nothing is sent for another {left:.0f} s."
                )

    def _count(self, failed: bool) -> None:
        with self._lock:
            self._failed = self._failed + 1 if failed else 0
            if self._failed >= self.failures:
                self._open_until = time.monotonic() + self.cooldown

    def _say(self, text: str) -> str:
        return without_secrets(text, self.secrets)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _seconds(value: str | None) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or a date; NaN where it asks for none."""
    if value is None:
        return math.nan
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else math.nan
