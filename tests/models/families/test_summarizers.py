"""What summarizers refuse to learn from, and that an odd text among the training's does no harm."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.fields._field import find_field
from servery.models.recipe import find_recipe

RECIPES = ("lead", "textrank", "sentence-ranker", "phrase-ranker", "pointer-generator")


def rows_of(**columns: list[Any]) -> Dataset:
    raw = RawTable(
        {name: object_array(cells) for name, cells in columns.items()},
        np.arange(1, 1 + len(columns["summary"])),
    )
    kinds = dict.fromkeys(columns, "text")
    return build_dataset(raw, "rows", target="summary", kinds=kinds, roles={"text": "input"})


@pytest.mark.parametrize("name", RECIPES)
def test_more_than_one_text_is_refused_with_what_to_do(name: str, make_work: Callable[..., Any]) -> None:
    sample = find_field("text-summarization").offers[0].sample(12, 0)
    titles = [f"{text[:9]} and {text[-9:]}" for text in sample["text"]]
    rows = rows_of(text=list(sample["text"]), title=titles, summary=list(sample["summary"]))
    recipe = find_recipe(name, "text", "summarization")
    with pytest.raises(DataError, match="'text', 'title'"):
        recipe.make(make_work(recipe, "summarization", rows, rows))


@pytest.mark.parametrize("name", RECIPES[:4])
def test_empty_and_wordless_texts_among_the_training_do_no_harm(
    name: str, make_work: Callable[..., Any]
) -> None:
    sample = find_field("text-summarization").offers[0].sample(20, 0)
    texts, summaries = list(sample["text"]), list(sample["summary"])
    rows = rows_of(text=[*texts, "...", None, "😀"], summary=[*summaries, "nothing", "nothing", "nothing"])
    recipe = find_recipe(name, "text", "summarization")
    predictor = recipe.make(make_work(recipe, "summarization", rows, rows)).predictor
    answers = predictor.predict([{"text": texts[0]}, {"text": None}, {"text": "..."}])
    assert [bool(answer.text) for answer in answers] == [True, False, False]


def test_texts_without_any_word_teach_nothing(make_work: Callable[..., Any]) -> None:
    rows = rows_of(text=["...", "!!!"] * 4, summary=["a b"] * 8)
    recipe = find_recipe("phrase-ranker", "text", "summarization")
    with pytest.raises(DataError, match="has a word"):
        recipe.make(make_work(recipe, "summarization", rows, rows))
