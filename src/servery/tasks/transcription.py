"""Transcription: what is said in a recording, and when?"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.audio import described
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.transcripts import Edits, character_edits, word_edits
from servery.tasks._ctc import BLANK as BLANK
from servery.tasks._ctc import Heard, beam_search, best_path, log_chances
from servery.tasks._rows import refuse_rows
from servery.tasks._scores import texts
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters

MOST_SYMBOLS = 8_000
WIDEST_BEAM = 32
SURE = 10.0
"""Logit of a symbol that is spelled out rather than heard."""


class SpokenWord(msgspec.Struct, frozen=True):
    """A word, when it begins and ends, in seconds, and the mean log-probability of its symbols."""

    word: str
    start: float
    end: float
    log_probability: float


class TranscriptionParameters(Parameters, frozen=True):
    """What a caller may ask. The Hub's client sends `return_timestamps`; the words' times are always answered.

    Attributes:
        return_timestamps: Without effect.
        beam_width: Beginnings of texts that are followed at once; 1 reads the best symbol of each frame.
    """

    return_timestamps: bool | str | None = None
    beam_width: Annotated[int, msgspec.Meta(ge=1, le=WIDEST_BEAM)] = 1


class TranscriptionAnswer(Answer, frozen=True):
    """What was said, how long the recording is, and when each word was said."""

    text: str
    duration_seconds: float
    words: tuple[SpokenWord, ...]


@dataclass(frozen=True)
class Transcript:
    """What is right for a recording: the text, and the symbols that a model spells it with."""

    text: str
    symbols: tuple[str, ...]


class Transcription(LearnableTask):
    """A text a recording.

    `labels` are the symbols, one character each; a space parts the words.
    `outputs` are float32, (rows, frames, 2 + symbols): when the frame ends, in seconds, 0 in the padding behind the
    recording; then a logit for the blank and one for each symbol. Of many recordings they are objects, (rows,), each
    such an array.
    `targets` are objects, (rows,), each a `Transcript`.
    """

    name = "transcription"
    title = {"en": "Transcription", "zh": "语音转写"}
    summary = "What is said in a recording, and when?"
    unit = "audio_seconds"
    primary_metric = "word_accuracy"
    quality_title = "share of words heard rightly"
    parameters = TranscriptionParameters
    answer = TranscriptionAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target holds texts; few different ones may look like categories."""
        return target.kind in (Kind.TEXT, Kind.CATEGORY)

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return every character of the texts as `plain` writes them, and the space.

        Raises:
            DataError: There are none, or far too many.
        """
        found = {character for text in dataset[dataset.target.name] for character in plain(text or "")}
        if not found or len(found) > MOST_SYMBOLS:
            raise DataError(
                f"The texts in '{dataset.target.name}' have {len(found):,} different characters; "
                f"from 1 to {MOST_SYMBOLS:,} can be learned.",
                param="target",
            )
        return tuple(sorted(found | {" "}))

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return every row's text as `plain` writes it, objects, (rows,).

        A character that is none of `labels` stays: the model cannot write it, and that is a mistake.

        Raises:
            DataError: A text is missing.
        """
        cells = dataset[dataset.target.name]
        refuse_rows(dataset, {row: "no text" for row, cell in enumerate(cells) if not isinstance(cell, str)})
        symbols = tuple(labels)
        targets = np.empty(len(cells), object)
        targets[:] = [Transcript(plain(cell), symbols) for cell in cells]
        return targets

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one text a row: of the best path, or with a beam of the likeliest symbols."""
        width = parameters.beam_width if isinstance(parameters, TranscriptionParameters) else 1
        return [_read(row, labels, calibration.temperature, width) for row in outputs]

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric; those of words are left out where no word was said."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(
        self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration
    ) -> TranscriptionJudgement:
        """Return the edits of each row, ready to be summed."""
        return TranscriptionJudgement.of(targets, _texts(targets, outputs, calibration))

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return one minus the word error rate of each row, not below 0, float64, (rows,)."""
        words = self.judge(targets, outputs, calibration).words
        return np.array([1 - min(edits.errors / max(edits.units, 1), 1.0) for edits in words])

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the most frequent text, spelled out, for every row."""
        (text, _), *_ = Counter(target.text for target in targets).most_common(1)
        outputs = np.empty(rows, object)
        outputs[:] = [spelled(text, targets[0].symbols)] * rows
        return outputs

    def notices(self, answers: Sequence[Answer]) -> dict[str, str]:
        """Say so where nothing was heard."""
        silent = [a for a in answers if isinstance(a, TranscriptionAnswer) and not a.words]
        return {"no_speech": "Nothing was heard in the recording."} if silent else {}

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "text"."""
        return (Column("text", Kind.TEXT, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the texts, (rows,)."""
        return {"text": texts([answer.text for answer in answers if isinstance(answer, TranscriptionAnswer)])}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "automatic-speech-recognition"."""
        return "automatic-speech-recognition"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return {"text", "chunks"} for one recording, a list of them for several."""
        rows = [_hub_shape(answer) for answer in answers if isinstance(answer, TranscriptionAnswer)]
        return rows if is_batch else rows[0]

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return the seconds that the recordings' heads tell, begun ones whole."""
        recordings = [v for example in examples for v in example.values() if isinstance(v, bytes)]
        return _whole(sum(described(recording).seconds for recording in recordings))

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return the seconds that were heard, begun ones whole."""
        return _whole(sum(a.duration_seconds for a in answers if isinstance(a, TranscriptionAnswer)))


@dataclass(frozen=True)
class TranscriptionJudgement:
    """The edits of every row; its metrics are ratios of their sums.

    Attributes:
        words: In words.
        characters: In characters.
    """

    words: tuple[Edits, ...]
    characters: tuple[Edits, ...]
    _sums: np.ndarray

    @classmethod
    def of(cls, targets: Sequence[Transcript] | np.ndarray, heard: Sequence[str]) -> TranscriptionJudgement:
        """Compare what was heard with what was said."""
        pairs = [(target.text, text) for target, text in zip(targets, heard, strict=True)]
        words = tuple(word_edits(*pair) for pair in pairs)
        characters = tuple(character_edits(*pair) for pair in pairs)
        rows = [
            (w.units, w.substitutions, w.deletions, w.insertions, c.units, c.errors, w.errors == 0)
            for w, c in zip(words, characters, strict=True)
        ]
        return cls(words, characters, np.array(rows, np.float64).reshape(-1, 7))

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        said, *edits, characters, character_errors, right = self._sums[rows].sum(axis=0).tolist()
        metrics = {"exact_texts": right / max(len(rows), 1)}
        if said:
            substituted, deleted, inserted = (count / said for count in edits)
            rate = substituted + deleted + inserted
            metrics |= {
                "word_accuracy": 1 - rate,
                "word_error_rate": rate,
                "substitution_rate": substituted,
                "deletion_rate": deleted,
                "insertion_rate": inserted,
                "character_error_rate": character_errors / max(characters, 1),
            }
        return metrics

    def primary(self, rows: np.ndarray) -> float:
        """Return the word accuracy on these rows; 0 where no word was said."""
        said, *edits = self._sums[rows, :4].sum(axis=0).tolist()
        return float(1 - sum(edits) / said) if said else 0.0


def plain(text: str) -> str:
    """Return a text as models write it: lower case, one space between words, no marks.

    >>> plain(" Turn  on, please! ")
    'turn on please'
    """
    kept = [c if c.isalnum() or c in "'’" else " " for c in unicodedata.normalize("NFKC", text).casefold()]
    return " ".join("".join(kept).replace("’", "'").split())


def spelled(text: str, symbols: Sequence[str]) -> np.ndarray:
    """Return outputs that say a text, a second a frame, blanks between, float32, (frames, 2 + symbols)."""
    places = [symbols.index(character) + 1 for character in text if character in symbols]
    row = np.zeros((max(2 * len(places), 1), 2 + len(symbols)), np.float32)
    row[:, 0] = np.arange(1, len(row) + 1)
    row[:, 1 + BLANK] = SURE
    row[np.arange(0, 2 * len(places), 2), 1 + np.array(places, int)] = 2 * SURE
    return row


def frames_of(row: np.ndarray, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return when each frame of one row ends, in seconds, and the logarithms of the chances of blank and symbols."""
    ends = row[:, 0].astype(np.float64)
    heard = int(np.count_nonzero(ends))
    return ends[:heard], log_chances(row[:heard, 1:] / temperature)


def _texts(targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> list[str]:
    rows = zip(targets, outputs, strict=True)
    return [_read(row, target.symbols, calibration.temperature).text for target, row in rows]


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds - 1e-3))  # the ends of frames are float32: a second may come as 1.0000001


def _hub_shape(answer: TranscriptionAnswer) -> dict[str, Any]:
    chunks = [{"text": spoken.word, "timestamp": [spoken.start, spoken.end]} for spoken in answer.words]
    return {"text": answer.text, "chunks": chunks}


def _read(row: np.ndarray, labels: Sequence[str], temperature: float, width: int = 1) -> TranscriptionAnswer:
    if not np.count_nonzero(row[:, 0]):
        return TranscriptionAnswer("", 0.0, ())
    ends, chances = frames_of(row, temperature)
    heard = best_path(chances) if width == 1 else beam_search(chances, width)
    starts = np.append(0.0, ends[:-1])
    words: list[SpokenWord] = []
    symbols: list[Heard] = []
    for found in [*heard, None]:
        if found is not None and labels[found.symbol - 1] != " ":
            symbols.append(found)
        elif symbols:
            words.append(_word(symbols, labels, starts, ends))
            symbols = []
    text = " ".join(spoken.word for spoken in words)
    return TranscriptionAnswer(text, round(float(ends[-1]), 3), tuple(words))


def _word(symbols: list[Heard], labels: Sequence[str], starts: np.ndarray, ends: np.ndarray) -> SpokenWord:
    return SpokenWord(
        "".join(labels[found.symbol - 1] for found in symbols),
        round(float(starts[symbols[0].first]), 3),
        round(float(ends[symbols[-1].last]), 3),
        round(float(np.mean([found.log_chance for found in symbols])), 4),
    )


TRANSCRIPTION = Transcription()
