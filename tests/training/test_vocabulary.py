from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.training.vocabulary import Vocabulary


def test_the_most_frequent_come_first_and_ties_in_their_order() -> None:
    known = Vocabulary.of("abracadabra")
    assert known.tokens == ("a", "b", "r", "c", "d") and len(known) == 6
    assert known.encode("bad!").tolist() == [2, 1, 5, 0]
    assert known.decode([2, 1, 0]) == ["b", "a", "�"]
    assert Vocabulary.of("abracadabra", size=3).tokens == ("a", "b")
    assert Vocabulary.of("abracadabra", least=2).tokens == ("a", "b", "r")


def test_words() -> None:
    known = Vocabulary.of(["to", "be", "or", "not", "to", "be"])
    assert known.encode(["to", "see", "or"]).tolist() == [2, 0, 4]


def test_characters_beyond_the_table_are_unknown() -> None:
    assert Vocabulary.of("aé").encode("é\U0001f600z").tolist() == [2, 0, 0]


def test_nothing_to_know() -> None:
    with pytest.raises(ConfigError, match="got an empty one"):
        Vocabulary.of("")
    with pytest.raises(ConfigError, match="at least 2 tokens"):
        Vocabulary.of("ab", size=1)
