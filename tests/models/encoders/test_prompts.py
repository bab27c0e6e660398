"""Prompts: the words pick the thing, the seed the noise."""

import numpy as np
import pytest

from servery.errors import ArtifactError, InputError
from servery.models.encoders.prompts import Prompts

ENCODER = Prompts("prompt", ("circle", "square"), noise_size=4, width=8, height=8)


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
    for change in ({"things": []}, {"noise_size": 0}, {"width": "x"}):
        with pytest.raises(ArtifactError):
            Prompts.restore({**ENCODER.state(), **change})
