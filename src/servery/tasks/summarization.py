"""Summarization: what does this text say, in short? Chosen from the text, or written anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.rouge import VARIANTS, rouge_rows, rouge_words
from servery.tasks._text_answers import TextAnswers
from servery.tasks.passages import best_apart, joined_passages, shortened, within
from servery.tasks.task import Answer, Calibration, Judgement, Parameters
from servery.tasks.written import (
    HOW,
    Candidate,
    Passage,
    Written,
    outputs_of,
    texts_of,
    warnings_of,
    written_of,
)

MOST_TRIVIAL = 200
"""References that are compared with each other to find the most typical one."""

WORTH_SHOWING = 0.6
"""A piece that fits a wanted length takes the place of a longer one only if its score is at least this share of it."""

_Length = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
_Beam = Annotated[int, msgspec.Meta(ge=1, le=16)]
_Penalty = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class GenerateParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the Hub's clients call the search and the length."""

    max_length: _Length | None = None
    max_new_tokens: _Length | None = None
    num_beams: _Beam | None = None
    length_penalty: _Penalty | None = None
    do_sample: Literal[False] | None = None


class SummarizationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        max_sentences: Pieces of the text that the summary is made of; null for as many as the model was trained for.
            A model that writes its summary takes no notice.
        max_length: Most words of the summary; a Chinese character is a word. Null for the model's own.
        beam_size: Of a model that writes: rows followed at a time. Null for the model's own.
        length_penalty: Of a model that writes: 0 prefers short texts, 1 hardly minds the length.
        generate_parameters: The search and the length as the Hub's clients ask for them.
        clean_up_tokenization_spaces: Sent by the Hub's clients; there are no such spaces.
        truncation: Sent by the Hub's clients; a text that is too long for a model is told by a warning.
    """

    max_sentences: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    max_length: _Length | None = None
    beam_size: _Beam | None = None
    length_penalty: _Penalty | None = None
    generate_parameters: GenerateParameters | None = None
    clean_up_tokenization_spaces: bool | None = None
    truncation: Literal["do_not_truncate", "longest_first", "only_first", "only_second"] | None = None

    @property
    def longest(self) -> int | None:
        """Most words, whichever way it was asked for."""
        hub = self.generate_parameters or GenerateParameters()
        return self.max_length or hub.max_length or hub.max_new_tokens


class SummaryAnswer(Answer, frozen=True):
    """The summary.

    Attributes:
        text: The summary.
        score: How good the model thinks it is, from 0 to 1: of chosen pieces the mean of their scores, of a text
            written anew the mean chance of its tokens.
        sentences: Where the pieces stand in the text, in its order; empty where the summary was written anew.
        characters: Of the text that was read.
        warnings: What to know about the answer, by its code.
    """

    text: str
    score: float
    sentences: tuple[Passage, ...] = ()
    characters: int = 0
    warnings: dict[str, str] = {}


class Summarization(TextAnswers):
    """A text a text; `targets` are objects, (rows,), each a tuple of references; `outputs`: `servery.tasks.written`."""

    name = "summarization"
    title = {"en": "Summarization", "zh": "文本摘要"}
    summary = "What does this text say, in short?"
    primary_metric = "rouge_l"
    quality_title = "ROUGE-L of the row, from 0 to 1"
    parameters = SummarizationParameters
    answer = SummaryAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is a text, or several of which each is right."""
        return target.kind in (Kind.TEXT, Kind.TEXTS)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the references, objects, (rows,), each a tuple of at least one text.

        Raises:
            DataError: A row has none, or they are no texts.
        """
        found = np.empty(len(dataset), object)
        for row, cell in enumerate(dataset[dataset.target.name]):
            listed = [cell] if isinstance(cell, str) else cell
            found[row] = tuple(text for text in listed or () if isinstance(text, str) and text.strip())
        missing = [int(dataset.line_numbers[row]) for row, told in enumerate(found) if not told]
        if missing:
            raise DataError(
                f"The target {dataset.target.name!r} has no summary in {len(missing):,} rows, first line {missing[0]}.",
                hint="a text, or a list of texts each of which is right",
                param="target",
            )
        return found

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return ROUGE-1, -2 and -L from 0 to 100, and the length beside that of the references."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Score each row once; every choice of rows is then a mean."""
        said = texts_of(outputs)
        lengths = [
            (len(rouge_words(text)), float(np.mean([len(rouge_words(right)) for right in rights])))
            for text, rights in zip(said, targets, strict=True)
        ]
        return _RowMeans(rouge_rows(said, list(targets)), np.array(lengths, np.float64).reshape(-1, 2))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return for every row the one reference that has most in common with the others."""
        some = [rights[0] for rights in targets[:MOST_TRIVIAL]]
        words = [frozenset(rouge_words(text)) for text in some]
        shared = [
            sum(2 * len(one & other) / max(len(one) + len(other), 1) for other in words) for one in words
        ]
        return outputs_of([Written((Candidate(some[int(np.argmax(shared))], 0.0),))] * rows)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the ROUGE-L of each row, float64, (rows,)."""
        return rouge_rows(texts_of(outputs), list(targets))[:, VARIANTS.index("rouge_l")]

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples with what is asked of a model that writes."""
        asked = parameters if isinstance(parameters, SummarizationParameters) else SummarizationParameters()
        hub = asked.generate_parameters or GenerateParameters()
        how = {
            "beam_size": asked.beam_size or hub.num_beams,
            "length_penalty": asked.length_penalty
            if asked.length_penalty is not None
            else hub.length_penalty,
            "most_tokens": asked.longest,
        }
        return [{**example, HOW: how} for example in examples]

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one summary a row, as long as was asked for."""
        asked = parameters if isinstance(parameters, SummarizationParameters) else SummarizationParameters()
        return [_answer(written_of(output), asked) for output in outputs]

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "summarization"."""
        return "summarization"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of summaries, also for one text."""
        return [{"summary_text": a.text} for a in answers if isinstance(a, SummaryAnswer)]


@dataclass(frozen=True)
class _RowMeans:
    """Scores of each row, float64, (rows, 3), and lengths of summary and references in words, float64, (rows, 2)."""

    scores: np.ndarray
    lengths: np.ndarray

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        means = (100 * self.scores[rows].mean(axis=0)).tolist()
        said, wanted = self.lengths[rows].sum(axis=0).tolist()
        return {**dict(zip(VARIANTS, means, strict=True)), "length_ratio": said / wanted if wanted else 0.0}

    def primary(self, rows: np.ndarray) -> float:
        return float(100 * self.scores[rows, VARIANTS.index("rouge_l")].mean())


def _answer(written: Written, asked: SummarizationParameters) -> SummaryAnswer:
    best, warnings = written.candidates[0], warnings_of(written)
    if written.characters and not best.text:
        warnings["no_words"] = "Nothing in the text can be a summary: it has no words."
    if not written.passages:
        return SummaryAnswer(best.text, best.score, (), written.characters, warnings)
    count = asked.max_sentences or written.count
    chosen = best_apart(written.passages, count)
    if asked.longest is not None:
        chosen = within(written.passages, count, asked.longest)
        least = WORTH_SHOWING * written.passages[0].score
        if not any(passage.score >= least for passage in chosen):
            chosen = [shortened(written.passages[0], asked.longest)]
            warnings["cut_off"] = (
                f"No good piece of the text is as short as {asked.longest} words; the best one was cut off."
            )
    score = round(float(np.mean([passage.score for passage in chosen])), 4)
    return SummaryAnswer(joined_passages(chosen), score, tuple(chosen), written.characters, warnings)


SUMMARIZATION = Summarization()
