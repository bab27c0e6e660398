"""Plans: what is written can be read, and a wrong plan says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.errors import DataError
from servery.pipeline.plan import Plan

words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)
names = st.text("abcdefghij_", min_size=1, max_size=10)


@given(
    name=words,
    data=words,
    seed=st.integers(0, 2**31),
    kinds=st.dictionaries(words, words, max_size=3),
    hyperparameters=st.dictionaries(
        names, st.one_of(st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6), st.booleans(), words), max_size=4
    ),
)
def test_a_plan_comes_back_from_toml_as_it_was(
    name: str, data: str, seed: int, kinds: dict[str, str], hyperparameters: dict[str, object]
) -> None:
    plan = Plan(name, "sentiment-analysis", data, seed=seed, kinds=kinds, hyperparameters=hyperparameters)
    assert Plan.from_toml(plan.to_toml()) == plan


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(DataError, match="recipy"):
        Plan.from_toml('name = "a"\nfield = "b"\ndata = "c"\nrecipy = "lstm"\n')


def test_a_missing_key_is_named() -> None:
    with pytest.raises(DataError, match="'field'"):
        Plan.from_toml('name = "a"\ndata = "c"\n')


def test_a_file_that_is_no_toml_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("{json: no}")
    with pytest.raises(DataError, match="not TOML"):
        Plan.read(path)


def test_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(DataError, match="seed"):
        Plan.from_toml('name = "a"\nfield = "b"\ndata = "c"\nseed = "seven"\n')
