"""Transcription as something to learn: targets, metrics by hand, the model that ignores its input."""

from __future__ import annotations

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.tasks.task import Calibration
from servery.tasks.transcription import (
    TRANSCRIPTION,
    TranscriptionAnswer,
    TranscriptionParameters,
    plain,
    spelled,
)


def dataset(*texts: str) -> Dataset:
    values = {"audio": object_array([b"-"] * len(texts)), "text": object_array(list(texts))}
    raw = RawTable(values, np.arange(1, len(texts) + 1))
    return build_dataset(raw, "said", target="text", kinds={"text": "text", "audio": "identifier"})


def outputs_of(symbols: tuple[str, ...], *texts: str) -> np.ndarray:
    outputs = np.empty(len(texts), object)
    outputs[:] = [spelled(text, symbols) for text in texts]
    return outputs


def test_symbols_are_the_characters_of_the_texts_and_a_space() -> None:
    assert TRANSCRIPTION.labels_of(dataset("Go!", "Up, now.")) == (" ", "g", "n", "o", "p", "u", "w")
    assert TRANSCRIPTION.labels_of(dataset("客厅", "灯")) == (" ", "厅", "客", "灯")
    with pytest.raises(DataError, match="0 different characters"):
        TRANSCRIPTION.labels_of(dataset("?", "!"))


def test_what_is_spelled_is_read_with_its_times() -> None:
    symbols = (" ", "e", "s")
    (answer,) = TRANSCRIPTION.decode(
        outputs_of(symbols, "see s"), symbols, Calibration(), TranscriptionParameters()
    )
    assert isinstance(answer, TranscriptionAnswer)
    assert answer.text == "see s"
    assert [(word.word, word.start, word.end) for word in answer.words] == [
        ("see", 0.0, 5.0),
        ("s", 8.0, 9.0),
    ]
    assert answer.duration_seconds == 10.0


def test_metrics_are_ratios_of_sums_over_the_rows() -> None:
    said = dataset("one two three", "four", "five six")
    symbols = TRANSCRIPTION.labels_of(said)
    targets = TRANSCRIPTION.encode_targets(said, symbols)
    heard = outputs_of(symbols, "one two", "four", "five four six fix")
    metrics = TRANSCRIPTION.measure(targets, heard, Calibration())
    assert metrics["word_error_rate"] == pytest.approx(3 / 6)
    assert metrics["deletion_rate"] == pytest.approx(1 / 6)
    assert metrics["insertion_rate"] == pytest.approx(2 / 6)
    assert metrics["substitution_rate"] == 0
    assert metrics["word_accuracy"] == pytest.approx(3 / 6)
    assert metrics["exact_texts"] == pytest.approx(1 / 3)
    assert metrics["character_error_rate"] == pytest.approx((5 + 4 + 3) / 22)
    judge = TRANSCRIPTION.judge(targets, heard, Calibration())
    assert judge.primary(np.array([1, 1])) == 1.0
    assert judge.measure(np.array([0, 0]))["word_error_rate"] == pytest.approx(1 / 3)
    assert TRANSCRIPTION.quality(targets, heard, Calibration()).tolist() == pytest.approx([2 / 3, 1.0, 0.0])


def test_a_character_that_the_model_cannot_write_is_a_mistake() -> None:
    targets = TRANSCRIPTION.encode_targets(dataset("on", "off", "no"), (" ", "n", "o"))
    metrics = TRANSCRIPTION.measure(targets, outputs_of((" ", "n", "o"), "on", "o", "no"), Calibration())
    assert metrics["word_error_rate"] == pytest.approx(1 / 3)


def test_the_model_that_ignores_its_input_says_the_most_frequent_text() -> None:
    targets = TRANSCRIPTION.encode_targets(dataset("go up", "stop", "go up"), tuple(" goptsu"))
    outputs = TRANSCRIPTION.trivial_outputs(targets, 7, 2)
    answers = TRANSCRIPTION.decode(outputs, tuple(" goptsu"), Calibration(), TranscriptionParameters())
    assert [answer.text for answer in answers if isinstance(answer, TranscriptionAnswer)] == [
        "go up",
        "go up",
    ]


def test_texts_are_written_plainly() -> None:
    assert plain("It’s  FINE — ok?") == "it's fine ok"
    assert plain("把客厅的灯打开。") == "把客厅的灯打开"


def test_only_a_recording_without_a_word_is_noticed() -> None:
    silent, spoken = (
        TranscriptionAnswer("", 1.0, ()),
        TRANSCRIPTION.decode(
            outputs_of((" ", "a"), "a"), (" ", "a"), Calibration(), TranscriptionParameters()
        )[0],
    )
    assert TRANSCRIPTION.notices([spoken]) == {}
    assert set(TRANSCRIPTION.notices([spoken, silent])) == {"no_speech"}
