"""Language identification: which language is this text in?"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.tasks.classification import Classification, ClassificationAnswer
from servery.tasks.task import Answer, Calibration, Parameters

UNDETERMINED = "und"
"""The label of a text without a word, as in ISO 639-2."""
SECOND_SCRIPT_SHARE = 0.1
"""Share of the letters from which a second script is worth a word."""
READ_CHARACTERS = 5_000
"""Scripts are looked for within so many."""
_TOGETHER = ({"HIRAGANA", "KATAKANA", "CJK"}, {"HANGUL", "CJK"})
"""Scripts that one language mixes."""


class LanguageAnswer(ClassificationAnswer, frozen=True):
    """The codes of the languages by their scores, and what is odd about the text, by its code."""

    warnings: dict[str, str] = {}


class LanguageIdentification(Classification):
    """One language a row; labels are ISO 639-1 codes, and "und" for texts without words."""

    name = "language-identification"
    title = {"en": "Language identification", "zh": "语种识别"}
    summary = "Which language is this text in?"
    primary_metric = "accuracy"
    answer = LanguageAnswer
    has_operating_point = False

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the accuracy alone."""
        return float((self.scores(outputs, calibration).argmax(axis=1) == targets).mean())

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one answer a row, its languages from the best down."""
        answers = super().decode(outputs, labels, calibration, parameters)
        return [
            LanguageAnswer(a.label, a.score, a.labels, a.abstains)
            if isinstance(a, ClassificationAnswer)
            else a
            for a in answers
        ]

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with what is odd about their texts."""
        pairs = zip(answers, examples, strict=True)
        return [
            _warned(answer, example) if isinstance(answer, LanguageAnswer) else answer
            for answer, example in pairs
        ]

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Return what is odd about the texts."""
        given = [answer for answer in answers if isinstance(answer, LanguageAnswer)]
        return {code: message for answer in given for code, message in answer.warnings.items()}

    def accepts(self, target: Column) -> bool:
        """Whether the target is a category."""
        return target.kind is Kind.CATEGORY


def _warned(answer: LanguageAnswer, example: Mapping[str, Any]) -> LanguageAnswer:
    warnings = oddities(" ".join(value for value in example.values() if isinstance(value, str)))
    if answer.label == UNDETERMINED and not warnings:
        warnings = {"undecided": "Nothing in the text tells one language from the others; is it very short?"}
    return msgspec.structs.replace(answer, warnings=warnings)


def oddities(text: str) -> dict[str, str]:
    """Return why the language of a text may be hard to tell, by the code of the warning.

    >>> oddities("😀 12:30")
    {'no_words': 'The text has no words, so it is in no language.'}
    >>> list(oddities("I said 你好你好 to her")), oddities("今日は寒いですね")
    (['mixed_scripts'], {})
    """
    letters = [character for character in text[:READ_CHARACTERS] if character.isalpha()]
    if not letters:
        return {"no_words": "The text has no words, so it is in no language."}
    scripts = [unicodedata.name(letter, "?").split()[0] for letter in letters]
    found = {script for script in set(scripts) if scripts.count(script) >= SECOND_SCRIPT_SHARE * len(scripts)}
    if len(found) > 1 and not any(found <= together for together in _TOGETHER):
        names = " and ".join(sorted(name.capitalize() for name in found))
        return {"mixed_scripts": f"The text is in several scripts ({names}); one language is answered."}
    return {}


LANGUAGE_IDENTIFICATION = LanguageIdentification()
