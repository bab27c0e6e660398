"""Translation as a task: what it measures, answers and warns of."""

from typing import Any

import msgspec
import numpy as np
import pytest
import sacrebleu

from servery.data.building import build_dataset
from servery.data.columns import Column, Kind, Role
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.tasks.task import Calibration
from servery.tasks.translation import TRANSLATION, TranslationAnswer, TranslationParameters
from servery.tasks.written import HOW, Attention, Candidate, Written, outputs_of

RIGHT = np.array(["那只猫坐着。", "他喝茶。", "他喝茶。", "我不知道。"], object)
SAID = ["那只猫坐了。", "他喝茶。", "她喝咖啡。", "我不知道。"]


def outputs(texts: list[str], **more: Any) -> np.ndarray:
    return outputs_of([Written((Candidate(text, 0.5), Candidate("x", 0.1)), **more) for text in texts])


def test_the_metrics_are_sacrebleus_and_a_choice_of_rows_is_measured_alike() -> None:
    judgement = TRANSLATION.judge(RIGHT, outputs(SAID), Calibration())
    rows = np.array([0, 0, 2, 3])
    for chosen in (np.arange(4), rows):
        said, right = [SAID[row] for row in chosen], [list(RIGHT[chosen])]
        found = judgement.measure(chosen)
        assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, right, tokenize="zh").score)
        assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, right).score)
        assert judgement.primary(chosen) == found["bleu"]
    assert TRANSLATION.measure(RIGHT, outputs(SAID), Calibration()) == judgement.measure(np.arange(4))


def test_quality_is_between_none_and_all() -> None:
    quality = TRANSLATION.quality(RIGHT, outputs(SAID), Calibration())
    assert quality[1] == quality[3] == 1.0
    assert 0 < quality[2] < quality[0] < 1


def test_the_trivial_answer_is_the_most_frequent_one() -> None:
    trivial = TRANSLATION.trivial_outputs(RIGHT, 0, 3)
    answers = TRANSLATION.decode(trivial, (), Calibration(), TranslationParameters())
    assert [a.text for a in answers if isinstance(a, TranslationAnswer)] == ["他喝茶。"] * 3


def test_only_texts_are_targets_and_missing_ones_are_told() -> None:
    assert TRANSLATION.accepts(Column("zh", Kind.TEXT, Role.TARGET))
    assert not TRANSLATION.accepts(Column("label", Kind.CATEGORY, Role.TARGET))
    raw = RawTable({"en": object_array(["a", "b"]), "zh": object_array(["甲", " "])}, np.array([2, 3]))
    dataset = build_dataset(raw, "d", target="zh", kinds={"en": "text", "zh": "text"})
    dataset.values["zh"][1] = ""
    with pytest.raises(DataError, match="line 3"):
        TRANSLATION.encode_targets(dataset, ())


def test_answers_hold_what_was_asked_for_and_go_through_json() -> None:
    seen = Attention((" Tom", "."), ("汤", "姆"), ((0.9, 0.1), (0.8, 0.2)))
    rows = outputs(["汤姆"], characters=4, attention=(seen,))
    plain, full = (
        TRANSLATION.decode(rows, (), Calibration(), TranslationParameters(attention=asked))[0]
        for asked in (False, True)
    )
    assert isinstance(plain, TranslationAnswer)
    assert isinstance(full, TranslationAnswer)
    assert plain.attention is None
    assert full.attention == (seen,)
    assert plain.alternatives == (Candidate("x", 0.1),)
    assert msgspec.json.decode(msgspec.json.encode(full), type=TranslationAnswer) == full
    assert TRANSLATION.hub_answers([plain], frozenset({Kind.TEXT}), False) == [{"translation_text": "汤姆"}]
    assert TRANSLATION.units_of([plain, full]) == 8
    assert TRANSLATION.to_tensors([plain], (), ("text",))["text"][0].decode() == "汤姆"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"characters": 0}, "empty_text"),
        ({"characters": 9, "unknown": 2}, "unknown_characters"),
        ({"characters": 9, "is_foreign": True}, "unlike_the_training"),
        ({"characters": 9, "is_whole": False}, "unfinished"),
    ],
)
def test_what_is_odd_is_told(more: dict[str, Any], code: str) -> None:
    answers = TRANSLATION.decode(outputs(["x"], **more), (), Calibration(), TranslationParameters())
    assert list(TRANSLATION.notices(answers)) == [code]


@pytest.mark.parametrize(
    "body",
    [
        b'{"beam_size":0}',
        b'{"beam_size":17}',
        b'{"length_penalty":-1}',
        b'{"alternatives":16}',
        b'{"top_k":2}',
        b'{"generate_parameters":{"do_sample":true}}',
        b'{"truncation":"longest_first"}',
    ],
)
def test_parameters_out_of_bounds_are_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=TranslationParameters)


def test_parameters_reach_the_encoder() -> None:
    asked = msgspec.json.decode(
        b'{"alternatives":6,"generate_parameters":{"length_penalty":0.5}}', type=TranslationParameters
    )
    how = TRANSLATION.prepared([{"en": "a"}], asked)[0][HOW]
    assert (how["beam_size"], how["alternatives"], how["length_penalty"]) == (7, 6, 0.5)
