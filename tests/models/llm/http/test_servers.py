from __future__ import annotations

import pytest

from gennas.errors import UnknownNameError
from gennas.models.llm.http import SERVERS
from gennas.models.llm.http.dialects import CHOICES, TEXTS
from gennas.models.llm.http.servers import server_named


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_speaks_what_exists(name: str) -> None:
    server = server_named(name)
    assert server.choices is None or server.choices in CHOICES
    assert set(server.fields) <= set(TEXTS[server.texts].fields)
    assert server.url.startswith("http://127.0.0.1:") or server.needs_key


def test_an_unknown_server() -> None:
    with pytest.raises(UnknownNameError, match=r"server of language models 'llamacpp'.*llama\.cpp"):
        server_named("llamacpp")
