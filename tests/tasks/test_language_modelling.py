"""What a language model is worth: chances of characters, summed by passages, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from servery.tasks.task import Calibration
from servery.tasks.text_generation import TEXT_GENERATION

NONE = Calibration()


def rows(*outputs: list[tuple[float, int]]) -> np.ndarray:
    made = np.empty(len(outputs), object)
    for place, output in enumerate(outputs):
        made[place] = np.array(output, np.float32)
    return made


def passages(*texts: str) -> np.ndarray:
    return np.array(texts, object)


def test_only_the_tokens_of_the_passage_count() -> None:
    # "ab" stands before, "cde" is asked for: two tokens, "c" and "de".
    outputs = rows([(-9.0, 4), (-9.0, 3), (np.log(0.5), 2), (np.log(0.25), 0)])
    found = TEXT_GENERATION.measure(passages("cde"), outputs, NONE)
    assert found["nats_per_character"] == pytest.approx(np.log(8) / 3)
    assert found["bits_per_character"] == pytest.approx(1.0)
    assert found["character_chance"] == pytest.approx(0.5)
    assert found["perplexity"] == pytest.approx(np.sqrt(8))


def test_rows_weigh_by_their_characters() -> None:
    outputs = rows([(np.log(0.5), 0)], [(np.log(0.25), 1), (np.log(0.25), 0)])
    found = TEXT_GENERATION.measure(passages("a", "bc"), outputs, NONE)
    assert found["nats_per_character"] == pytest.approx((np.log(2) + 2 * np.log(4)) / 3)
    judged = TEXT_GENERATION.judge(passages("a", "bc"), outputs, NONE)
    assert judged.measure(np.array([0, 0]))["nats_per_character"] == pytest.approx(np.log(2))
    assert judged.primary(np.array([1])) == pytest.approx(0.25)


def test_a_model_that_ignores_its_input_knows_how_frequent_characters_are() -> None:
    trivial = TEXT_GENERATION.trivial_outputs(passages("aaab", "aabb"), 0, 2)
    share = np.array([5, 3]) / 8
    found = TEXT_GENERATION.measure(passages("xyz", "a"), trivial, NONE)
    assert found["nats_per_character"] == pytest.approx(-(share * np.log(share)).sum())


def test_the_quality_of_a_row_is_the_chance_of_its_characters() -> None:
    outputs = rows([(np.log(0.5), 0)], [(np.log(0.25), 1), (np.log(1.0), 0)])
    assert TEXT_GENERATION.quality(passages("a", "bc"), outputs, NONE) == pytest.approx([0.5, 0.5])
