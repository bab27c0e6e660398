"""What tasks beyond labels make of outputs: embedding, ranking, transcription and image generation."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from servery.data.audio import wav_of
from servery.data.columns import Kind
from servery.errors import InputError
from servery.tasks.image_generation import IMAGE_GENERATION, LARGEST_SEED, Drawing, ImageParameters
from servery.tasks.sentence_embedding import SENTENCE_EMBEDDING, EmbeddingParameters, similarities
from servery.tasks.task import Calibration, Parameters
from servery.tasks.text_ranking import TEXT_RANKING
from servery.tasks.transcription import TRANSCRIPTION

NONE = Calibration()


def test_a_vector_is_scaled_unless_it_is_wanted_as_it_is():
    outputs = np.array([[5, 3.0, 4.0], [2, 0.0, 0.0]], np.float32)
    scaled = SENTENCE_EMBEDDING.decode(outputs, (), NONE, EmbeddingParameters())
    assert scaled[0].embedding == pytest.approx((0.6, 0.8))
    assert scaled[1].embedding == (0.0, 0.0)
    assert [answer.tokens for answer in scaled] == [5, 2]
    assert SENTENCE_EMBEDDING.units_of(scaled) == 7
    as_made = SENTENCE_EMBEDDING.decode(outputs, (), NONE, EmbeddingParameters(normalize=False))
    assert as_made[0].embedding == (3.0, 4.0)
    # By hand: (0.6, 0.8) with (1, 0), and with a vector of zeros.
    others = SENTENCE_EMBEDDING.decode(np.array([[1, 2.0, 0.0]], np.float32), (), NONE, EmbeddingParameters())
    assert similarities([scaled[0], *others, scaled[1]]) == pytest.approx([0.6, 0.0])


def test_more_tokens_than_bytes_and_marks_are_never_reserved():
    assert SENTENCE_EMBEDDING.most_units([{"text": "猫"}, {"text": "cat"}]) == 3 + 2 + 3 + 2


def test_a_ranking_is_the_sigmoid_of_its_logit():
    outputs = np.array([[9, 0.0], [4, 2.0], [4, -800.0]], np.float32)
    answers = TEXT_RANKING.decode(outputs, (), Calibration(temperature=2.0), Parameters())
    assert [answer.score for answer in answers] == pytest.approx([0.5, 1 / (1 + np.exp(-1)), 0.0])
    assert TEXT_RANKING.units_of(answers) == 17


def frames(path: str, labels: str, hop: float = 0.1, padding: int = 0) -> np.ndarray:
    """Outputs whose best symbols are spelled: `_` is the blank, each frame `hop` seconds."""
    row = np.zeros((len(path) + padding, 2 + len(labels)), np.float32)
    row[: len(path), 0] = np.arange(1, len(path) + 1) * hop
    for place, symbol in enumerate(path):
        row[place, 1 + ("_" + labels).index(symbol)] = 5.0
    return row


@pytest.mark.parametrize(
    ("path", "text", "times"),
    [
        ("_aa_ab_", "aab", [(0.1, 0.6)]),
        ("aaa", "a", [(0.0, 0.3)]),
        ("_a__b__", "ab", [(0.1, 0.5)]),
        ("ab  ba", "ab ba", [(0.0, 0.2), (0.4, 0.6)]),
        (" a  _ b ", "a b", [(0.1, 0.2), (0.6, 0.7)]),
        ("____", "", []),
        ("   ", "", []),
    ],
)
def test_repeats_are_joined_and_blanks_left_out(path, text, times):
    labels = " ab"
    outputs = frames(path, labels, padding=3)[None]
    [answer] = TRANSCRIPTION.decode(outputs, tuple(labels), NONE, TRANSCRIPTION.parameters())
    assert answer.text == text
    found = [time for word in answer.words for time in (word.start, word.end)]
    assert found == pytest.approx([time for pair in times for time in pair])
    assert answer.duration_seconds == pytest.approx(len(path) * 0.1)
    # By hand: one logit of 5 beside three of 0.
    expected = 5 - np.log(np.exp(5) + 3)
    assert all(word.log_probability == pytest.approx(expected, abs=1e-3) for word in answer.words)


def test_seconds_begun_are_counted_whole_and_reserved_alike():
    recordings = [{"audio": wav_of(np.zeros(count), 8000)} for count in (8000, 4001)]
    assert TRANSCRIPTION.most_units(recordings) == 2
    assert TRANSCRIPTION.most_units(recordings[:1]) == 1
    [answer] = TRANSCRIPTION.decode(frames("a" * 10, "a")[None], ("a",), NONE, TRANSCRIPTION.parameters())
    assert TRANSCRIPTION.units_of([answer]) == 1
    assert TRANSCRIPTION.hub_answers([answer], frozenset({Kind.AUDIO}), False)["text"] == "a"


def test_each_picture_is_an_example_with_a_seed_of_its_own():
    asked = ImageParameters(n=3, seed=LARGEST_SEED)
    examples = IMAGE_GENERATION.prepared([{"prompt": "x"}], asked)
    assert [example["seed"] for example in examples] == [LARGEST_SEED, 0, 1]
    assert IMAGE_GENERATION.most_units(examples) == 3
    drawn = {
        example["seed"] for example in IMAGE_GENERATION.prepared([{"prompt": "x"}] * 9, ImageParameters())
    }
    assert len(drawn) == 9


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_numbers_from_0_to_1_become_a_png(channels, mode):
    outputs = np.linspace(-0.5, 1.5, channels * 6, dtype=np.float32).reshape(1, channels, 2, 3)
    [answer] = IMAGE_GENERATION.decode(outputs, (), NONE, ImageParameters())
    assert (answer.width, answer.height) == (3, 2)
    with Image.open(io.BytesIO(base64.b64decode(answer.image))) as picture:
        assert picture.mode == mode
        pixels = np.asarray(picture).reshape(2, 3, channels).transpose(2, 0, 1)
    assert np.array_equal(pixels, np.round(np.clip(outputs[0], 0, 1) * 255))


def test_transparency_comes_back_from_colours_times_alpha():
    outputs = np.zeros((1, 4, 1, 3), np.float32)
    outputs[0, :, 0, 1] = (0.4, 0.2, 0.0, 0.4)
    outputs[0, :, 0, 2] = (0.5, 0.25, 0.0, 1.0)
    [answer] = IMAGE_GENERATION.decode(outputs, (), NONE, ImageParameters())
    with Image.open(io.BytesIO(base64.b64decode(answer.image))) as picture:
        assert picture.mode == "RGBA"
        assert np.asarray(picture).tolist() == [[[0, 0, 0, 0], [255, 128, 0, 102], [128, 64, 0, 255]]]


def test_a_grid_joins_the_pictures_of_each_prompt():
    answers = IMAGE_GENERATION.decode(np.ones((6, 1, 2, 2), np.float32), (), NONE, ImageParameters())
    grids = IMAGE_GENERATION.gathered(answers, ImageParameters(n=3, grid=True))
    assert [(grid.width, grid.height, grid.images) for grid in grids] == [(5, 5, 3)] * 2
    assert IMAGE_GENERATION.units_of(grids) == 6
    assert IMAGE_GENERATION.gathered(answers, ImageParameters(n=3)) == answers


def test_a_picture_is_judged_by_the_real_one_that_it_looks_most_like():
    shades = [0, 0, 255, 255]
    targets = np.empty(4, object)
    for row, (prompt, shade) in enumerate(zip(["dark", "dark", "bright", "bright"], shades, strict=True)):
        stream = io.BytesIO()
        Image.new("L", (4, 4), shade).save(stream, "PNG")
        targets[row] = Drawing(prompt, stream.getvalue())
    outputs = np.ones((4, 1, 4, 4), np.float32) * np.array([0.1, 0.9, 0.8, 1.0])[:, None, None, None]
    measured = IMAGE_GENERATION.measure(targets, outputs, NONE)
    assert measured["nearest_real_share"] == 0.75
    assert measured["nearest_real_distance"] == pytest.approx((0.1 + 0.1 + 0.2 + 0.0) / 4, abs=1e-6)
    assert IMAGE_GENERATION.quality(targets, outputs, NONE).tolist() == [1, 0, 1, 1]
    mean = IMAGE_GENERATION.trivial_outputs(targets, 0, 3)
    assert mean.shape == (3, 1, 4, 4)
    assert mean == pytest.approx(np.full(mean.shape, 0.5), abs=1e-6)


def test_the_hubs_form_has_room_for_one_picture():
    answers = IMAGE_GENERATION.decode(np.zeros((2, 1, 2, 2), np.float32), (), NONE, ImageParameters())
    with pytest.raises(InputError, match="2 were asked for"):
        IMAGE_GENERATION.hub_answers(answers, frozenset({Kind.TEXT}), False)
