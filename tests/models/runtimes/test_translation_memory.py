"""The translation memory: it finds what it knows, says how alike it is, and tells what it has never seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servery.errors import ArtifactError
from servery.models.predictor import Predictor
from servery.models.recipe import Made, find_recipe
from servery.models.runtime import find_runtime
from servery.tasks.translation import TranslationAnswer, TranslationParameters


@pytest.fixture
def memory(trained: Callable[..., Made]) -> Predictor:
    return trained(find_recipe("translation-memory", "text", "translation"), "translation").predictor


def asked(memory: Predictor, text: str, **parameters: Any) -> TranslationAnswer:
    (answer,) = memory.predict([{"en": text}], TranslationParameters(**parameters))
    assert isinstance(answer, TranslationAnswer)
    return answer


def test_a_text_it_knows_gets_its_own_translation(
    memory: Predictor, field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("text", "translation")
    for row in range(20):
        answer = asked(memory, rows["en"][row])
        assert answer.text == rows["zh"][row]
        assert answer.score == pytest.approx(1.0, abs=1e-3)
        assert not answer.warnings


def test_alternatives_are_less_and_less_alike(memory: Predictor) -> None:
    answer = asked(memory, "Mary saw a cat in the garden.", alternatives=3)
    scores = [answer.score, *(other.score for other in answer.alternatives)]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("text", "warning"), [("", "empty_text"), ("玛丽", "unlike_the_training"), ("😀", "unlike_the_training")]
)
def test_what_it_has_never_seen_is_told(memory: Predictor, text: str, warning: str) -> None:
    answer = asked(memory, text)
    assert warning in answer.warnings
    assert answer.score < 0.15


def test_a_torn_memory_is_refused(memory: Predictor, tmp_path: Path) -> None:
    options = memory.runtime.options()
    with pytest.raises(ArtifactError):
        find_runtime("translation_memory").load(tmp_path, options, 1)
    memory.runtime.save(tmp_path)
    (tmp_path / "texts.json").write_text('["one"]')
    with pytest.raises(ArtifactError, match="1 answers"):
        find_runtime("translation_memory").load(tmp_path, options, 1)
