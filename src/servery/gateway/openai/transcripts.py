"""A transcription in the formats that OpenAI's clients ask for: JSON, verbose JSON, plain text, and subtitles."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any

from servery.tasks.transcription import SpokenWord, TranscriptionAnswer

FORMATS = ("json", "text", "verbose_json", "srt", "vtt")
PAUSE_SECONDS = 0.6
LONGEST_SEGMENT_WORDS = 12
"""A segment ends at a pause, or before it fills more than two lines of a subtitle."""
UNDETERMINED = "und"
"""The language of a text whose language nobody told (ISO 639-2)."""


def usage_of(answer: TranscriptionAnswer) -> dict[str, Any]:
    """Return the usage of a model that is billed by the length of the recording."""
    return {"type": "duration", "seconds": answer.duration_seconds}


def verbose(
    answer: TranscriptionAnswer, language: str | None, granularities: Collection[str]
) -> dict[str, Any]:
    """Return the transcription with the times of its segments or words.

    Of Whisper's own figures, `compression_ratio` and `avg_logprob` are computed; a model here has no measure of silence
    and no token numbers: `no_speech_prob` is 0 and `tokens` is empty.
    """
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": language or UNDETERMINED,
        "duration": answer.duration_seconds,
        "text": answer.text,
        "usage": usage_of(answer),
    }
    if "segment" in granularities:
        body["segments"] = [_segment(place, words) for place, words in enumerate(segments_of(answer))]
    if "word" in granularities:
        body["words"] = [{"word": w.word, "start": w.start, "end": w.end} for w in answer.words]
    return body


def subtitles(answer: TranscriptionAnswer, format_: str) -> str:
    """Return the segments as SubRip ("srt") or WebVTT ("vtt").

    >>> word = SpokenWord("hello", 1.0, 1.5, -0.1)
    >>> print(subtitles(TranscriptionAnswer("hello", 2.0, (word,)), "srt"))
    1
    00:00:01,000 --> 00:00:01,500
    hello
    <BLANKLINE>
    """
    mark = "," if format_ == "srt" else "."
    blocks = ["WEBVTT\n"] if format_ == "vtt" else []
    for place, words in enumerate(segments_of(answer)):
        times = f"{_clock(words[0].start, mark)} --> {_clock(words[-1].end, mark)}"
        number = f"{place + 1}\n" if format_ == "srt" else ""
        blocks.append(f"{number}{times}\n{_text(words)}\n")
    return "\n".join(blocks)


def segments_of(answer: TranscriptionAnswer) -> list[list[SpokenWord]]:
    """Return the words in groups that are said in one go."""
    segments: list[list[SpokenWord]] = []
    for word in answer.words:
        last = segments[-1] if segments else []
        if not last or word.start - last[-1].end > PAUSE_SECONDS or len(last) == LONGEST_SEGMENT_WORDS:
            segments.append([])
        segments[-1].append(word)
    return segments


def _segment(place: int, words: list[SpokenWord]) -> dict[str, Any]:
    text = _text(words)
    return {
        "id": place,
        "seek": 0,
        "start": words[0].start,
        "end": words[-1].end,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": sum(word.log_probability for word in words) / len(words),
        "compression_ratio": len(text.encode()) / len(zlib.compress(text.encode())),
        "no_speech_prob": 0.0,
    }


def _text(words: list[SpokenWord]) -> str:
    return " ".join(word.word for word in words)


def _clock(seconds: float, mark: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{milliseconds:03}"
