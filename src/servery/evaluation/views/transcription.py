"""Of transcriptions: which words are mistaken, and what a model sees and hears in some recordings, frame by frame."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, DASHES, INK, SOFT, draw
from servery.evaluation.view import Case, View
from servery.metrics.word_confusions import word_confusions
from servery.models.encoders.log_mel import LogMel
from servery.tasks._ctc import best_path
from servery.tasks.task import LearnableTask
from servery.tasks.transcription import TranscriptionAnswer, frames_of

MOST_MISTAKES = 12
SHOWN_RECORDINGS = 4
LONGEST_SHOWN_SECONDS = 8.0
DARKEST = 0.85
"""Opacity of the loudest place of a spectrogram, so that words stay readable on it."""


class Word(msgspec.Struct, frozen=True):
    """A word and when it was heard, in seconds."""

    word: str
    start: float
    end: float


class Peak(msgspec.Struct, frozen=True):
    """A symbol, when it was surest, in seconds, and how sure, from 0 to 1."""

    symbol: str
    second: float
    chance: float


class Recording(msgspec.Struct, frozen=True):
    """What a model saw and heard in one recording.

    Attributes:
        line: Its line in the data.
        said: What was said.
        heard: What was heard.
        seconds: Its length.
        levels: The spectrogram, a byte a place, (frames, bands), in base64.
        bands: Number of bands.
        words: The words with their times.
        peaks: The symbols with their times.
    """

    line: int
    said: str
    heard: str
    seconds: float
    levels: str
    bands: int
    words: tuple[Word, ...]
    peaks: tuple[Peak, ...]


class Found(msgspec.Struct, frozen=True):
    """What the view keeps.

    Attributes:
        rows: Test recordings.
        words: Words said in them.
        substitutions: Words taken for others.
        deletions: Words missed.
        insertions: Words heard where none was said.
        mistakes: The most frequent: said, heard, how often, how often it was said.
        recordings: Some recordings, those with mistakes first.
    """

    rows: int
    words: int
    substitutions: int
    deletions: int
    insertions: int
    mistakes: tuple[tuple[str, str, int, int], ...]
    recordings: tuple[Recording, ...]


class TranscriptionView(View):
    """The words that are mistaken, and spectrograms with the words under them."""

    name = "transcription"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is transcription."""
        return task.name == "transcription"

    def look(self, case: Case) -> Found:
        """Compare every test row, and look closely at a few."""
        answers = case.predictor.decode(case.outputs)
        heard = [answer.text for answer in answers if isinstance(answer, TranscriptionAnswer)]
        said = [target.text for target in case.targets]
        mistakes, spoken = word_confusions(zip(said, heard, strict=True))
        quality = case.task.quality(case.targets, case.outputs, case.predictor.calibration)
        return Found(
            rows=len(said),
            words=spoken.total(),
            substitutions=sum(n for one, other, n in mistakes if one and other),
            deletions=sum(n for _, other, n in mistakes if not other),
            insertions=sum(n for one, _, n in mistakes if not one),
            mistakes=tuple((one, other, n, spoken[one]) for one, other, n in mistakes[:MOST_MISTAKES]),
            recordings=tuple(_recording(case, row, answers[row]) for row in _shown(quality)),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the confusions of words and a picture for each recording."""
        kept = msgspec.convert(found, Found)
        pictures = [_picture(place, recording) for place, recording in enumerate(kept.recordings)]
        return [_mistakes(kept), *pictures]


def _shown(quality: np.ndarray) -> list[int]:
    """Return two of the worst rows, if any has a mistake, and rows without one."""
    order = np.argsort(quality, kind="stable").tolist()
    wrong = [row for row in order if quality[row] < 1][: SHOWN_RECORDINGS // 2]
    right = [row for row in order if quality[row] >= 1]
    return [*wrong, *right[: SHOWN_RECORDINGS - len(wrong)]]


def _recording(case: Case, row: int, answer: Any) -> Recording:
    encoder, labels = case.predictor.encoder, case.predictor.signature.labels
    assert isinstance(encoder, LogMel)
    bands = encoder.encode([case.test.example(row)], cut=True)["bands"][0]
    bands = bands[: int(LONGEST_SHOWN_SECONDS * encoder.rate / encoder.hop)]
    low, high = float(bands.min()), float(bands.max())
    levels = (255 * (bands - low) / max(high - low, 1e-6)).astype(np.uint8)
    ends, chances = frames_of(case.outputs[row], case.predictor.calibration.temperature)
    peaks = [
        Peak(
            labels[found.symbol - 1],
            round(float(ends[found.first]), 3),
            round(float(np.exp(found.log_chance)), 3),
        )
        for found in best_path(chances)
    ]
    return Recording(
        line=int(case.test.line_numbers[row]),
        said=case.targets[row].text,
        heard=answer.text,
        seconds=round(len(bands) * encoder.hop / encoder.rate, 3),
        levels=base64.b64encode(levels.tobytes()).decode("ascii"),
        bands=encoder.bands,
        words=tuple(Word(w.word, w.start, w.end) for w in answer.words),
        peaks=tuple(peak for peak in peaks if peak.symbol != " "),
    )


def _mistakes(found: Found) -> Figure:
    parts: Mapping[str, int] = {
        "taken for another": found.substitutions,
        "missed": found.deletions,
        "heard where none was": found.insertions,
    }
    errors = sum(parts.values())
    rate = errors / max(found.words, 1)
    shares = ", ".join(f"{count:,} {name}" for name, count in parts.items())
    sentence = (
        f"Of {found.words:,} words in {found.rows:,} recordings {errors:,} went wrong ({rate:.1%}): {shares}."
    )

    def paint(axes: Any) -> None:
        names, counts = list(parts), list(parts.values())
        axes.barh(range(len(names)), counts, height=0.5, color=ACCENT)
        for place, count in enumerate(counts):
            axes.text(count, place, f" {count:,}", va="center")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_xlim(0, 1.15 * max(*counts, 1))
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    rows = tuple(
        (one or "(nothing)", other or "(nothing)", f"{count:,}", f"{said:,}" if one else "")
        for one, other, count, said in found.mistakes
    )
    return Figure(
        "Words mistaken",
        sentence,
        draw(paint, 4.8, 1.7, "word-mistakes"),
        ("Said", "Heard", "Times", "Times said"),
        rows,
    )


def _picture(place: int, recording: Recording) -> Figure:
    levels = np.frombuffer(base64.b64decode(recording.levels), np.uint8).reshape(-1, recording.bands)
    is_right = recording.said == recording.heard
    verdict = "heard rightly" if is_right else f"heard as “{recording.heard or '(nothing)'}”"
    sentence = (
        f"Line {recording.line}: “{recording.said}”, {verdict}. Above, how loud each band of pitch is over time, low "
        "below, with the words where they were heard; below it, how sure the model was of each symbol."
    )

    def paint(axes: Any) -> None:
        axes.set_axis_off()
        above = axes.inset_axes((0, 0.42, 1, 0.58))
        below = axes.inset_axes((0, 0, 1, 0.34), sharex=above)
        _spectrogram(above, levels, recording)
        _peaks(below, recording.peaks)
        above.set_xlim(0, recording.seconds)

    rows = tuple((word.word, f"{word.start:.2f}", f"{word.end:.2f}") for word in recording.words)
    title = f"What it sees and hears, recording {place + 1}"
    legend = (Key("word, from its first to its last symbol", "accent"), Key("symbol", "ink", DASHES[0]))
    return Figure(
        title, sentence, draw(paint, 7.2, 3.2, f"recording-{place}"), ("Word", "From s", "To s"), rows, legend
    )


def _spectrogram(axes: Any, levels: np.ndarray, recording: Recording) -> None:
    # Grey of changing opacity is readable on a light page and on a dark one.
    shade = np.full((*levels.T.shape, 4), 0.5)
    shade[..., 3] = DARKEST * levels.T / 255
    extent = (0, recording.seconds, 0, recording.bands)
    axes.imshow(shade, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    for word in recording.words:
        axes.axvspan(word.start, word.end, color=ACCENT, alpha=0.18, linewidth=0)
        axes.text(
            (word.start + word.end) / 2, recording.bands * 0.98, word.word, ha="center", va="top", color=INK
        )
    axes.set_yticks([])
    axes.tick_params(labelbottom=False)
    axes.grid(visible=False)


def _peaks(axes: Any, peaks: Sequence[Peak]) -> None:
    for peak in peaks:
        axes.plot([peak.second, peak.second], [0, peak.chance], color=SOFT, linewidth=1.2)
        axes.text(peak.second, peak.chance + 0.04, peak.symbol, ha="center", va="bottom", color=INK)
    axes.set_ylim(0, 1.35)
    axes.set_yticks([0, 1])
    axes.set_xlabel("seconds")
    axes.grid(axis="x", visible=False)


TRANSCRIPTION_VIEW = TranscriptionView()
