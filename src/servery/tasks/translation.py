"""Translation: what does this text say in the other language?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.translation import OverlapCounts, overlap_counts
from servery.tasks._text_answers import TextAnswers
from servery.tasks.task import Answer, Calibration, Judgement, Parameters
from servery.tasks.written import (
    HOW,
    Attention,
    Candidate,
    Written,
    outputs_of,
    texts_of,
    warnings_of,
    written_of,
)

WIDEST_BEAM = 16

_Beam = Annotated[int, msgspec.Meta(ge=1, le=WIDEST_BEAM)]
_Penalty = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class GenerateParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the Hub's clients call the search: `num_beams` is `beam_size`."""

    num_beams: _Beam | None = None
    length_penalty: _Penalty | None = None


class TranslationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        beam_size: Rows followed at a time; 1 takes the likeliest token each time. Null for the model's own.
        length_penalty: 0 prefers short texts, 1 hardly minds the length. Null for the model's own.
        alternatives: How many further texts to answer, fewer than `beam_size`.
        attention: Whether to answer where the model looked.
        src_lang: The language of the text, as the Hub's clients send it; another than the model's is refused.
        tgt_lang: The language that is wanted, likewise.
        generate_parameters: The search as the Hub's clients ask for it.
        clean_up_tokenization_spaces: Sent by the Hub's clients; there are no such spaces.
        truncation: Sent by the Hub's clients; nothing is cut off silently.
    """

    beam_size: _Beam | None = None
    length_penalty: _Penalty | None = None
    alternatives: Annotated[int, msgspec.Meta(ge=0, lt=WIDEST_BEAM)] = 0
    attention: bool = False
    src_lang: str | None = None
    tgt_lang: str | None = None
    generate_parameters: GenerateParameters | None = None
    clean_up_tokenization_spaces: bool | None = None
    truncation: Literal["do_not_truncate"] | None = None


class TranslationAnswer(Answer, frozen=True):
    """The translation.

    Attributes:
        text: The best text found.
        score: Mean chance of its tokens, from 0 to 1.
        alternatives: The next best texts, as many as were asked for and found.
        characters: Of the text that was read.
        warnings: What to know about the answer, by its code.
        attention: Where the model looked, a part for each sentence; null unless asked for.
    """

    text: str
    score: float
    alternatives: tuple[Candidate, ...] = ()
    characters: int = 0
    warnings: dict[str, str] = {}
    attention: tuple[Attention, ...] | None = None


class Translation(TextAnswers):
    """A text a text; `targets` are objects, (rows,), each a reference; `outputs` see `servery.tasks.written`."""

    name = "translation"
    title = {"en": "Translation", "zh": "翻译"}
    summary = "What does this text say in the other language?"
    primary_metric = "bleu"
    quality_title = "chrF of the row, from 0 to 1"
    parameters = TranslationParameters
    answer = TranslationAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is a text."""
        return target.kind is Kind.TEXT

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the references, objects, (rows,).

        Raises:
            DataError: One is missing.
        """
        references = dataset[dataset.target.name]
        missing = [int(dataset.line_numbers[row]) for row, text in enumerate(references) if not text]
        if missing:
            raise DataError(
                f"The target {dataset.target.name!r} is missing in {len(missing):,} rows, first line {missing[0]}.",
                param="target",
            )
        return np.asarray(references, object)

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return BLEU, chrF and the length of the translations beside that of the references."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Count once what each row shares with its reference; every choice of rows is then a sum."""
        return _CorpusJudgement(overlap_counts(texts_of(outputs), list(targets)))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the most frequent reference, of the frequent ones the longest, for every row."""
        counts = Counter(targets.tolist())
        most = max(counts.values())
        text = max(
            (text for text, count in counts.items() if count == most), key=lambda text: (len(text), text)
        )
        return outputs_of([Written((Candidate(text, 0.0),))] * rows)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the chrF of each row, from 0 to 1, float64, (rows,)."""
        return overlap_counts(texts_of(outputs), list(targets)).chrf_of_rows() / 100

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples with what is asked of the writer."""
        return [{**example, HOW: _how(parameters)} for example in examples]

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one translation a row."""
        with_attention = isinstance(parameters, TranslationParameters) and parameters.attention
        return [_answer(written_of(output), with_attention) for output in outputs]

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "translation"."""
        return "translation"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of translations, also for one text."""
        return [{"translation_text": a.text} for a in answers if isinstance(a, TranslationAnswer)]


@dataclass(frozen=True)
class _CorpusJudgement:
    counts: OverlapCounts

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        counts = self.counts
        return {
            "bleu": counts.bleu(rows),
            "chrf": counts.chrf(rows),
            "length_ratio": counts.length_ratio(rows),
        }

    def primary(self, rows: np.ndarray) -> float:
        return self.counts.bleu(rows)


def _how(parameters: Parameters) -> dict[str, Any]:
    """Return what is asked of the writer, by the names of WISHES; null where nothing is."""
    asked = parameters if isinstance(parameters, TranslationParameters) else TranslationParameters()
    hub = asked.generate_parameters or GenerateParameters()
    beam_size = asked.beam_size if asked.beam_size is not None else hub.num_beams
    penalty = asked.length_penalty if asked.length_penalty is not None else hub.length_penalty
    if beam_size is None and asked.alternatives:
        beam_size = max(asked.alternatives + 1, 5)
    return {
        "beam_size": beam_size,
        "length_penalty": penalty,
        "alternatives": asked.alternatives,
        "attention": asked.attention,
        "src_lang": asked.src_lang,
        "tgt_lang": asked.tgt_lang,
    }


def _answer(written: Written, with_attention: bool) -> TranslationAnswer:
    best, *others = written.candidates
    return TranslationAnswer(
        best.text,
        best.score,
        tuple(others),
        written.characters,
        warnings_of(written),
        written.attention if with_attention else None,
    )


TRANSLATION = Translation()
