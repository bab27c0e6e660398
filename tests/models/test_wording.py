"""What texts were like: other scripts and other languages are told, and the same ones are not."""

import json
from collections.abc import Callable
from typing import Any

from servery.data.columns import Column, Kind, Role
from servery.models.notices import of_inputs, unfamiliar
from servery.models.recipe import find_recipe
from servery.models.signature import Signature
from servery.models.wording import Wording

RECIPE = find_recipe("tfidf-linear", "text", "classification")


def test_a_model_remembers_what_its_texts_were_like(
    make_work: Callable[..., Any], field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("text", "classification")
    signature = RECIPE.make(make_work(RECIPE, "classification", rows, rows)).predictor.signature
    again = Signature.from_dict(json.loads(json.dumps(signature.to_dict())))
    assert again == signature
    name = again.inputs[0].name
    told = [unfamiliar([{name: text}], again) for text in rows[name]]
    assert sum(map(bool, told)) <= 0.05 * len(told)
    assert unfamiliar([{name: "مرحبا بالعالم"}], again).keys() == {"unseen_script"}
    german = "Das Wetter ist heute leider wieder ziemlich schlecht"
    assert unfamiliar([{name: german}], again).keys() == {"unlike_the_training"}


def test_many_scripts_are_learned_and_a_rare_one_is_not() -> None:
    texts = ["all is well"] * 300 + ["一切都好"] * 300 + ["всё хорошо"]
    assert Wording.of(texts).scripts == ("CJK", "LATIN")


def test_a_table_s_note_may_stay_empty() -> None:
    note, age = Column("note", Kind.TEXT, Role.INPUT), Column("age", Kind.NUMBER, Role.INPUT)
    assert of_inputs([{"note": "", "age": 3.0}], Signature("x", "", (note, age))) == {}
    assert of_inputs([{"note": ""}], Signature("x", "", (note,))).keys() == {"empty_text"}
