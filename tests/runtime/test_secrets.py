import pytest

from gennas.runtime.secrets import redacted, without_secrets


@pytest.mark.parametrize(
    "name", ["api_key", "API_KEY", "wandb_api_key", "apikey", "password", "client_secret", "hf_token", "token"]
)
def test_secrets_are_hidden(name: str) -> None:
    assert redacted({"a": {name: "xyz"}}) == {"a": {name: "(hidden)"}}


@pytest.mark.parametrize("name", ["max_tokens", "tokenizer", "key", "seed", "num_keys"])
def test_harmless_names_are_kept(name: str) -> None:
    assert redacted({name: "xyz"}) == {name: "xyz"}


def test_secrets_that_are_not_set_stay_none() -> None:
    assert redacted({"api_key": None}) == {"api_key": None}


def test_secrets_in_texts() -> None:
    assert without_secrets("key k-1, k-1 and k-2", ["k-1", "k-2", ""]) == "key (hidden), (hidden) and (hidden)"
