"""A language model from a name or a few settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gennas.errors import ConfigError, GennasError
from gennas.models.llm import Backend, Question
from gennas.models.llm.connect import Connection, Model, model_of, model_settings

NOBODY = """
from gennas.models.llm import Answer, Reply
class Nobody:
    concurrency = 1
    def __init__(self, mood: str = "calm") -> None:
        self.name = mood
    def choose(self, state, questions):
        return [Answer.of([1.0] * len(q.options)) for q in questions]
    def complete(self, messages, grammar=None, draw=0):
        return Reply("")
class Thing:
    pass
"""


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    (tmp_path / "nobody.py").write_text(NOBODY)
    return f"{tmp_path / 'nobody.py'}:Nobody"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("llama.cpp", {"server": "llama.cpp"}),
        ("vllm:some/model", {"server": "vllm", "model": "some/model"}),
        ("local:models/tiny", {"local": "models/tiny"}),
        ("replay:runs/one", {"replay": "runs/one"}),
        ("mine.py:Model", {"class": "mine.py:Model"}),
    ],
)
def test_a_text_stands_for_a_mapping(text: str, same: dict[str, str]) -> None:
    assert model_of(text) == model_of(same) == model_of(model_settings(text))


def test_the_name_holds_what_changes_answers_and_nothing_else() -> None:
    here = {"server": "vllm", "model": "m", "parameters": {"temperature": 0.5}}
    moved = {**here, "url": "http://127.0.0.1:9", "key_variable": "MINE", "timeout": 3.0, "prices": "p.json"}
    assert model_of(here).name == model_of(moved).name
    assert model_of(here).name != model_of({**here, "parameters": {"temperature": 0.6}}).name
    assert model_of(here).name != model_of({**here, "model": "n"}).name


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("opena", "Did you mean openai"),
        (3, "Expected a model as server"),
        ({"server": "vllm", "local": "x"}, "Expected one of server"),
        ({"url": "http://127.0.0.1"}, "Expected one of server"),
        ({"server": ["vllm"]}, "Expected a text as server"),
        ({"server": "openai", "key": "sk-0123456789"}, "key_variable=NAME"),
        ({"server": "openai", "parameters": {"api_key": "sk-0123456789"}}, "key_variable=NAME"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(given: Any, says: str) -> None:
    with pytest.raises(GennasError, match=says) as caught:
        model_of(given)
    assert "\n" not in str(caught.value) and "sk-0123456789" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"server": "vllm", "modell": "x"}, "option of a server's model 'modell'. Did you mean model"),
        ({"server": "openai", "model": "m", "key_variable": "GENNAS_NOT_SET"}, "GENNAS_NOT_SET holds no key"),
        ({"local": "no-such-folder"}, "No language model 'no-such-folder'"),
        ("gennas.models.llm:NoSuch", "Cannot import"),
    ],
)
def test_what_cannot_be_made_says_why(given: Any, says: str) -> None:
    with pytest.raises(GennasError, match=says):
        model_of(given).backend()


def test_a_class_gets_its_options_and_must_be_a_model(nobody: str) -> None:
    assert model_of({"class": nobody, "mood": "wild"}).backend().name == "wild"
    with pytest.raises(ConfigError, match="Unknown option 'mod'"):
        model_of({"class": nobody, "mod": "wild"}).backend()
    with pytest.raises(ConfigError, match="name, concurrency, choose and complete"):
        model_of(nobody.replace("Nobody", "Thing")).backend()


def test_a_connection_is_made_when_it_is_asked(nobody: str) -> None:
    made: list[Model] = []

    def make() -> Backend:
        made.append(model)
        return model.backend()

    model = model_of(nobody)
    connection = Connection(model, make)
    assert connection.name == model.name and connection.concurrency == 1 and not made
    for _ in range(2):
        assert connection.choose("", [Question("?", ("a", "b"))])[0].probabilities is not None
    assert made == [model]


def test_prices_name_the_model(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"m": {"input": 1, "output": 2}}')
    price = model_of({"server": "vllm", "model": "m", "prices": str(file)}).price
    assert price is not None and price.output == 2.0 and model_of("vllm:m").price is None
    with pytest.raises(GennasError, match="price table"):
        _ = model_of({"server": "vllm", "model": "other", "prices": str(file)}).price
