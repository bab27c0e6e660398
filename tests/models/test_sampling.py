"""Choosing the next token: worked by hand, and against the chances that are asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from servery.errors import NonFiniteError
from servery.models.sampling import Chooser, likeliest, log_chances
from servery.tasks.generated_text import TextGenerationParameters

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


def drawn(count: int = 4000, logits: np.ndarray = LOGITS, **parameters: object) -> Counter[int]:
    chooser = Chooser(TextGenerationParameters(seed=1, **parameters), [])  # type: ignore[arg-type]
    return Counter(chooser.choose(logits) for _ in range(count))


def test_tokens_come_as_often_as_their_chances() -> None:
    counts = drawn()
    assert [round(counts[token] / 4000, 1) for token in range(4)] == [0.5, 0.3, 0.2, 0.0] or all(
        abs(counts[token] / 4000 - chance) < 0.03 for token, chance in enumerate((0.5, 0.3, 0.15, 0.05))
    )


def test_temperature_zero_takes_the_likeliest() -> None:
    assert drawn(temperature=0.0) == {0: 4000}


def test_a_temperature_near_zero_does_not_overflow_and_takes_the_likeliest() -> None:
    assert drawn(temperature=1e-300) == {0: 4000}


def test_a_temperature_of_two_draws_by_the_root_of_the_chances() -> None:
    counts = drawn(temperature=2.0)
    roots = np.sqrt([0.5, 0.3, 0.15, 0.05])
    assert all(abs(counts[token] / 4000 - share) < 0.03 for token, share in enumerate(roots / roots.sum()))


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ({"top_k": 1}, {0}),
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 100}, {0, 1, 2, 3}),
        ({"top_p": 0.0}, {0}),
        ({"top_p": 0.4}, {0}),
        ({"top_p": 0.6}, {0, 1}),
        ({"top_p": 0.94}, {0, 1, 2}),
        ({"top_k": 3, "top_p": 0.5}, {0}),
        ({"logit_bias": {"3": 100.0}}, {3}),
        ({"logit_bias": {"0": -100.0, "999": 5.0}}, {1, 2, 3}),
    ],
)
def test_only_those_that_are_left_are_drawn(parameters: dict[str, object], left: set[int]) -> None:
    assert drawn(**parameters).keys() == left


def test_frequency_and_presence_are_taken_off_for_what_the_answer_has() -> None:
    logits = np.array([1.0, 0.7, -9.0], np.float32)
    frequent = Chooser(TextGenerationParameters(temperature=0, frequency_penalty=0.2), [0, 0, 0])
    assert [frequent.choose(logits) for _ in range(5)] == [0, 0, 1, 0, 1]
    present = Chooser(TextGenerationParameters(temperature=0, presence_penalty=0.5), [])
    assert [present.choose(logits) for _ in range(3)] == [0, 1, 0]


def test_repetition_counts_the_prompt_too() -> None:
    logits = np.array([2.0, 1.5, -1.0], np.float32)
    chooser = Chooser(TextGenerationParameters(temperature=0, repetition_penalty=1.5), [0])
    assert [chooser.choose(logits) for _ in range(2)] == [1, 0]


def test_any_whole_number_is_a_seed() -> None:
    for seed in (0, -1, 2**63 - 1, -(2**63)):
        made = [Chooser(TextGenerationParameters(seed=seed), []) for _ in range(2)]
        assert made[0].choose(LOGITS) == made[1].choose(LOGITS)
        assert made[0].seed == seed


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(wrong: float) -> None:
    with pytest.raises(NonFiniteError):
        Chooser(TextGenerationParameters(), []).choose(np.array([0.0, wrong], np.float32))


def test_the_likeliest_come_from_the_best_down() -> None:
    chances = log_chances(np.array([0.0, 3.0, 3.0, -1e4, 1.0], np.float32))
    assert np.exp(chances).sum() == pytest.approx(1)
    assert likeliest(chances, 3) == [1, 2, 4]
    assert likeliest(chances, 0) == []
    assert likeliest(chances, 20) == [1, 2, 4, 0, 3]
