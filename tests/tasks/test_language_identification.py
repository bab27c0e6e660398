"""Language identification as a task, and the library behind it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError, DataError
from servery.fields._field import find_field
from servery.models.encoders.utf8 import Utf8
from servery.models.families.language_detector import LINGUA
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Made, Work
from servery.models.runtime import find_runtime
from servery.models.runtimes.lingua import known_languages
from servery.tasks.language_identification import LANGUAGE_IDENTIFICATION, LanguageAnswer, oddities
from servery.training.trainer import Trainer

SAMPLE = find_field("machine-translation").offers[1].sample


def made(**settings: Any) -> Made:
    rows = SAMPLE(200, 0)
    hyperparameters = {**LINGUA.defaults, "accuracy": "low", **settings}
    budget = Budget(None, 1)
    loop = Trainer(None, 0, budget, device="cpu")
    return LINGUA.make(
        Work(LANGUAGE_IDENTIFICATION, "machine-translation", rows, rows, hyperparameters, 0, budget, loop)
    )


@pytest.fixture(scope="module")
def detector() -> Predictor:
    return made().predictor


def answered(detector: Predictor, *texts: str) -> list[LanguageAnswer]:
    answers = detector.predict([{"text": text} for text in texts])
    return [answer for answer in answers if isinstance(answer, LanguageAnswer)]


def test_it_knows_more_than_seventy_languages_and_nearly_all_of_the_sample(detector: Predictor) -> None:
    assert len(known_languages()) >= 70
    rows = SAMPLE(200, 1)
    targets = LANGUAGE_IDENTIFICATION.encode_targets(rows, detector.signature.labels)
    outputs = detector.outputs(list(rows.examples()))
    assert (outputs.argmax(axis=1) == targets).mean() > 0.93
    assert outputs.dtype == np.float32
    assert outputs.shape == (200, len(known_languages()) + 1)


@pytest.mark.parametrize(
    ("text", "label", "code"),
    [
        ("", "und", "no_words"),
        ("😀 12:30 !!", "und", "no_words"),
        ("我不知道他住在哪里。", "zh", None),
        ("اين المكتبة من فضلك؟", "ar", None),
        ("Der Zug fährt morgen früh um acht ab.", "de", None),
        ("我说 good morning 大家好你好", "zh", "mixed_scripts"),
    ],
)
def test_odd_texts_get_a_sensible_answer_with_a_warning(
    detector: Predictor, text: str, label: str, code: str | None
) -> None:
    (answer,) = answered(detector, text)
    assert code is None or list(answer.warnings) == [code]
    assert code == "mixed_scripts" or answer.label == label
    assert list(LANGUAGE_IDENTIFICATION.notices([answer])) == list(answer.warnings)


def test_a_language_without_a_word_of_its_own_is_left_undetermined(detector: Predictor) -> None:
    (answer,) = answered(detector, "ⴰⵣⵓⵍ")
    assert answer.label == "und"
    assert "undecided" in answer.warnings


@pytest.mark.parametrize("text", ["今日は寒いですね", "한국어 漢字", "plain words", "Привет, как дела"])
def test_scripts_that_belong_together_are_no_oddity(text: str) -> None:
    assert oddities(text) == {}


def test_a_long_text_is_read_from_its_beginning(detector: Predictor) -> None:
    long = "Il treno parte alle otto di mattina. " * 3000
    assert answered(detector, long)[0].label == "it"
    assert Utf8(["text"]).encode([{"text": long}])["bytes"].shape[1] == 2000


def test_only_the_languages_of_the_data_are_told_apart_if_asked() -> None:
    labels = made(languages="data").predictor.signature.labels
    assert set(labels) == {*SAMPLE(200, 0)["language"], "und"}


def test_unknown_codes_and_settings_are_refused() -> None:
    rows = SAMPLE(40, 0)
    rows.values["language"][3] = "klingon"
    with pytest.raises(DataError, match="klingon"):
        LINGUA.make(
            Work(
                LANGUAGE_IDENTIFICATION,
                "x",
                rows,
                rows,
                dict(LINGUA.defaults),
                0,
                Budget(None, 1),
                Trainer(None),
            )
        )
    with pytest.raises(DataError, match="high or low"):
        made(accuracy="perfect")
    for options in ({}, {"labels": ["en", "xx"], "accuracy": "low"}, {"labels": ["en"], "accuracy": "no"}):
        with pytest.raises(ArtifactError):
            find_runtime("lingua").load(Path(), options, 1)
