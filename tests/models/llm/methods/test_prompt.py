"""Prompts: sandboxed, versioned, and closed against what data says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennas.errors import ConfigError
from gennas.models.llm.methods.prompt import Ours, Prompt, load_prompt, quoted


@given(st.text())
def test_nothing_that_data_says_leaves_its_place(text: str) -> None:
    shown = quoted(text)
    assert "<" not in shown and ">" not in shown and len(shown) <= 200 and shown.isprintable()
    assert Prompt("one", "<d>{{ text }}</d>").render({"text": text}).count("</d>") == 1


def test_what_gennas_composed_keeps_its_lines() -> None:
    assert Prompt("one", "{{ card }}").render({"card": Ours("1: 0=a\n2: 0=b")}) == "1: 0=a\n2: 0=b"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ values.__init__.__globals__ }}",
        "{{ missing }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'x' * 10 }}{% include '../prompt.py' %}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(text: str) -> None:
    with pytest.raises(ConfigError, match=r"The prompt mine cannot be filled in: .*It may use: values\."):
        Prompt("mine", text).render({"values": {"a": 1}})


def test_a_template_with_a_mistake_is_refused_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.j2"
    file.write_text("{% if %}")
    with pytest.raises(ConfigError, match=r"is no Jinja2 template"):
        load_prompt(str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="Cannot read the prompt"):
        load_prompt(str(file))
    with pytest.raises(ConfigError, match="Cannot read"):
        load_prompt("no-such-prompt")
    with pytest.raises(ConfigError, match="more than 200,000"):
        Prompt("long", "{% for i in range(500) %}" + "x" * 500 + "{% endfor %}").render({})


def test_the_hash_is_of_all_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gennas.models.llm.methods.prompt.FOLDER", tmp_path)
    (tmp_path / "part.j2").write_text("one")
    (tmp_path / "whole.j2").write_text('{% include "part" %} and more')
    before = load_prompt("whole")
    assert before.render({}) == "one and more" and before.hash == load_prompt("whole").hash
    (tmp_path / "part.j2").write_text("two")
    assert load_prompt("whole").hash != before.hash
