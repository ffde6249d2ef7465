"""Names with a sentence each, and options with their defaults."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.spaces import SPACES
from gennas.workbench.evaluators import EVALUATORS
from gennas.workbench.listing import KINDS, list_names, list_options


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "evaluators"])
def test_names_are_different_and_explained(kind) -> None:
    names = list_names(kind)
    assert names and all(name and sentence for name, sentence in names)
    if kind != "metrics":
        assert len({name for name, _ in names}) == len(names)


def test_metrics_say_where_they_come_from_and_which_way_is_better() -> None:
    found = list_names("metrics")
    assert found[-1] == ("…", "every numeric column of a table given with --table FILE")
    by_name = dict(found[:-1])
    assert {"val_accuracy", "params", "val_ece"} <= set(by_name)
    assert all(text.endswith(("(max)", "(min)")) for _, text in found[:-1])
    assert any(text.startswith("training: ") for _, text in found)
    assert any("tables: " in text for _, text in found)


def test_options_with_defaults_and_meanings() -> None:
    summary, options = list_options("spaces", "nasbench201")
    by_name = {option.name: option for option in options}
    assert summary and by_name["num_cells"].default == 5 and by_name["width"].default == 16
    assert by_name["num_cells"].meaning


@pytest.mark.parametrize("name", ["random", "generative", "regularized-evolution"])
def test_what_the_program_provides_is_no_option(name: str) -> None:
    _, options = list_options("strategies", name)
    assert not {"space", "objectives", "seed"} & {option.name for option in options}


def test_a_generators_options_are_its_settings() -> None:
    names = {option.name for option in list_options("generators", "diffusion")[1]}
    assert {"dim", "num_layers", "num_steps"} <= names


@pytest.mark.parametrize(
    ("kind", "name", "error", "complaint"),
    [
        ("spaces", "nasbench2O1", UnknownNameError, "Did you mean nasbench201"),
        ("metrics", "val_accuracy", ConfigError, "A metric has no options"),
        ("colours", "red", UnknownNameError, "Unknown kind 'colours'"),
    ],
)
def test_what_is_not_there(kind, name: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        list_options(kind, name)
    assert complaint in str(caught.value)


def test_an_unknown_kind_has_no_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean spaces"):
        list_names("space")  # type: ignore[arg-type]


def test_everything_registered_is_listed() -> None:
    assert [name for name, _ in list_names("spaces")] == list(SPACES)
    assert [name for name, _ in list_names("evaluators")] == list(EVALUATORS)
