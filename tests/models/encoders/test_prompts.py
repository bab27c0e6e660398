"""Prompts: the words pick the thing, the seed the noise."""

import numpy as np
import pytest

from servery.errors import ArtifactError, InputError
from servery.models.encoders.prompts import Prompts

ENCODER = Prompts("prompt", ("circle", "square"), noise=4, width=8, height=8)


def test_the_words_pick_the_thing_and_the_seed_the_noise():
    batch = ENCODER.encode(
        [
            {"prompt": "A CIRCLE!", "seed": 1},
            {"prompt": "two squares", "seed": 1},
            {"prompt": "circle", "seed": 2},
        ]
    )
    assert batch["thing"].tolist() == [0, 1, 0]
    assert batch["noise"].dtype == np.float32
    assert np.array_equal(batch["noise"][0], batch["noise"][1])
    assert not np.array_equal(batch["noise"][0], batch["noise"][2])
    unseeded = ENCODER.encode([{"prompt": "circle"}] * 2)["noise"]
    assert not np.array_equal(unseeded[0], unseeded[1])


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"prompt": "a dragon"}, "circle, square. The prompt names none"),
        ({"prompt": ""}, "names none"),
        ({"prompt": "circled"}, "names none"),
        ({"prompt": "a circle and a square"}, "'circle' and 'square'"),
        ({"prompt": 7}, "expected a text"),
        ({"prompt": "circle", "steps": 3}, "draws at once"),
        ({"prompt": "circle", "guidance_scale": 3.0}, "leave guidance_scale out|draws at once"),
        ({"prompt": "circle", "width": 9}, "9 x 8"),
    ],
)
def test_what_cannot_be_drawn_is_refused(example, words):
    with pytest.raises(InputError, match=words):
        ENCODER.encode([example])


def test_the_state_comes_back_and_a_torn_one_is_refused():
    again = Prompts.restore(ENCODER.state())
    example = [{"prompt": "square", "seed": 3}]
    assert np.array_equal(again.encode(example)["noise"], ENCODER.encode(example)["noise"])
    for change in ({"things": []}, {"noise": [0]}, {"noise": [2**30]}, {"width": "x"}):
        with pytest.raises(ArtifactError):
            Prompts.restore({**ENCODER.state(), **change})


TILES = Prompts(
    "category",
    ("mon/statues", "dngn/statues", "dngn/wall", "dngn", "mon"),
    (4, 8, 8),
    8,
    8,
    draws_in_steps=True,
)


@pytest.mark.parametrize(
    ("prompt", "thing"),
    [
        ("dngn/wall", 2),
        ("DNGN  wall", 2),
        ("a wall", 2),
        ("walls", 2),
        ("a statue of mon", 0),
        ("dngn statue", 1),
        ("dngn", 3),
    ],
)
def test_the_last_part_of_a_name_is_enough_and_more_words_decide(prompt, thing):
    assert TILES.encode([{"category": prompt}])["thing"].tolist() == [thing]


def test_of_several_things_none_is_guessed():
    with pytest.raises(InputError, match="'mon/statues' and 'dngn/statues'"):
        TILES.encode([{"category": "a statue"}])


def test_a_misspelled_thing_is_told_what_is_nearest():
    with pytest.raises(InputError) as caught:
        TILES.encode([{"category": "dngn/wal"}])
    assert caught.value.hint == "Did you mean 'dngn/wall'?"
    assert caught.value.param == "/category"


def test_a_row_of_a_data_set_gets_anything_where_its_prompt_was_never_learned_but_a_request_does_not():
    rows = [{"category": "new", "seed": seed} for seed in range(40)]
    assert set(TILES.encode(rows, cut=True)["thing"].tolist()) == set(range(5))
    with pytest.raises(InputError):
        TILES.encode([{"category": "new", "seed": 1, "width": None}], cut=True)


def test_without_a_prompt_the_seed_picks():
    rows = [{"category": None, "seed": seed} for seed in range(40)]
    things = TILES.encode(rows)["thing"]
    assert set(things.tolist()) == set(range(5))
    assert np.array_equal(things, TILES.encode(rows)["thing"])
