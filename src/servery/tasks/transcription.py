"""Transcription: what is said in a recording, and when?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.audio import described
from servery.data.columns import Column, Kind, Role
from servery.tasks._scores import texts
from servery.tasks.task import Answer, Calibration, Parameters, Task

BLANK = 0
"""Place of the symbol that stands for nothing, before those in `labels`."""


class SpokenWord(msgspec.Struct, frozen=True):
    """A word, when it begins and ends, in seconds, and the mean log-probability of its symbols."""

    word: str
    start: float
    end: float
    log_probability: float


class TranscriptionParameters(Parameters, frozen=True):
    """What a caller may ask. The Hub's client sends `return_timestamps`; the words' times are always answered."""

    return_timestamps: bool | str | None = None


class TranscriptionAnswer(Answer, frozen=True):
    """What was said, how long the recording is, and when each word was said."""

    text: str
    duration_seconds: float
    words: tuple[SpokenWord, ...]


class Transcription(Task):
    """A text a recording.

    `labels` are the symbols, one character each; a space parts the words.
    `outputs` are float32, (rows, frames, 2 + symbols): when the frame ends, in seconds, 0 in the padding behind the
    recording; then a logit for the blank and one for each symbol.
    """

    name = "transcription"
    title = {"en": "Transcription", "zh": "语音转写"}
    summary = "What is said in a recording, and when?"
    unit = "audio_seconds"
    parameters = TranscriptionParameters
    answer = TranscriptionAnswer

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one text a row: the best symbol of each frame, repeats joined, blanks left out.

        Source: Graves et al. (2006), Connectionist temporal classification, section 3.2 (best path decoding).
        """
        return [_read(row, labels, calibration.temperature) for row in outputs]

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


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds - 1e-3))  # the ends of frames are float32: a second may come as 1.0000001


def _hub_shape(answer: TranscriptionAnswer) -> dict[str, Any]:
    chunks = [{"text": spoken.word, "timestamp": [spoken.start, spoken.end]} for spoken in answer.words]
    return {"text": answer.text, "chunks": chunks}


def _read(row: np.ndarray, labels: Sequence[str], temperature: float) -> TranscriptionAnswer:
    ends = row[:, 0].astype(np.float64)
    heard = int(np.count_nonzero(ends))
    ends, logits = ends[:heard], row[:heard, 1:].astype(np.float64) / temperature
    if not heard:
        return TranscriptionAnswer("", 0.0, ())
    best = logits.argmax(axis=1)
    peaks = logits.max(axis=1, keepdims=True)
    chances = -np.log(np.exp(logits - peaks).sum(axis=1))  # log-probability of the best symbol
    is_new = np.append(True, best[1:] != best[:-1])
    firsts = np.flatnonzero(is_new & (best != BLANK))
    changes = np.append(np.flatnonzero(is_new), heard)
    lasts = changes[np.searchsorted(changes, firsts, side="right")] - 1
    starts = np.append(0.0, ends[:-1])
    words: list[SpokenWord] = []
    symbols: list[tuple[str, int, int]] = []
    for first, last in [*zip(firsts.tolist(), lasts.tolist(), strict=True), (-1, -1)]:
        symbol = labels[best[first] - 1] if first >= 0 else " "
        if symbol != " ":
            symbols.append((symbol, first, last))
        elif symbols:
            words.append(_word(symbols, starts, ends, chances))
            symbols = []
    return TranscriptionAnswer(
        " ".join(spoken.word for spoken in words), round(float(ends[-1]), 3), tuple(words)
    )


def _word(
    symbols: list[tuple[str, int, int]], starts: np.ndarray, ends: np.ndarray, chances: np.ndarray
) -> SpokenWord:
    return SpokenWord(
        "".join(symbol for symbol, _, _ in symbols),
        round(float(starts[symbols[0][1]]), 3),
        round(float(ends[symbols[-1][2]]), 3),
        round(float(np.mean([chances[first] for _, first, _ in symbols])), 4),
    )


TRANSCRIPTION = Transcription()
