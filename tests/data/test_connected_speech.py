"""Sequences made of recordings of single words: seeded, of one speaker, every recording once in a round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servery.data.audio import samples_of, wav_of
from servery.data.building import build_dataset
from servery.data.connected_speech import ConnectedSpeech
from servery.data.splits import split
from servery.errors import DataError

RATE = 8000
WORD_SAMPLES = 800


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Twenty takes of three words of two speakers; the tone says the word, its loudness the take."""
    rows = [
        {"word": word, "speaker": speaker, "take": take, "audio": tone(400 * (word + 1), 0.2 + take / 50)}
        for speaker in ("ann", "bob")
        for take in range(20)
        for word in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "words.parquet")
    return tmp_path / "words.parquet"


def tone(hertz: float, loudness: float, rate: int = RATE) -> bytes:
    return wav_of(loudness * np.sin(2 * np.pi * hertz * np.arange(WORD_SAMPLES) / RATE), rate)


def test_the_same_file_gives_the_same_sequences(words: Path) -> None:
    made = ConnectedSpeech("word", "speaker", "take")
    one, again = made.read(words), made.read(words)
    assert {name: list(cells) for name, cells in one.values.items()} == {
        name: list(cells) for name, cells in again.values.items()
    }
    assert one.facts["made"] == "joined from 120 recordings of single words"


def test_a_text_has_a_word_for_each_recording_and_no_more_than_asked(words: Path) -> None:
    table = ConnectedSpeech("word", "speaker", "take", fewest_words=2, most_words=4, rounds=2).read(words)
    lengths = [len(text.split()) for text in table.values["text"]]
    assert min(lengths) >= 2
    assert max(lengths) <= 4
    # Two rounds of 120 recordings; what is left of a block's round may be a single word, which is no sequence.
    assert 240 - 2 * 8 <= sum(lengths) <= 240
    for audio, count in zip(table.values["audio"], lengths, strict=True):
        samples, _ = samples_of(audio, 60.0)
        silence = len(samples) - count * WORD_SAMPLES
        assert (count + 1) * 0.05 * RATE - count - 1 <= silence <= (count + 1) * 0.4 * RATE


def test_what_is_said_stands_in_the_sound(words: Path) -> None:
    quiet = ConnectedSpeech("word", "speaker", "take", noise_decibels=(-60.0, -60.0))
    table = quiet.read(words)
    for audio, text in list(zip(table.values["audio"], table.values["text"], strict=True))[:10]:
        samples, _ = samples_of(audio, 60.0)
        loud = np.abs(samples) > 0.05
        edges = np.flatnonzero(np.diff(np.convolve(loud, np.ones(100), "same") > 0))
        heard = []
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            spectrum = np.abs(np.fft.rfft(samples[start:end]))
            heard.append(round(np.fft.rfftfreq(end - start, 1 / RATE)[spectrum.argmax()] / 400) - 1)
        assert heard == [int(word) for word in text.split()]


def test_blocks_of_takes_stay_apart_so_that_validation_shares_no_recording(words: Path) -> None:
    table = ConnectedSpeech("word", "speaker", "take").read(words)
    assert set(table.values["block"]) == {"takes 0 to 4", "takes 5 to 9", "takes 10 to 14", "takes 15 to 19"}
    parts = np.where(table.values["block"] == "takes 0 to 4", "test", "train").astype(object)
    with_parts = {**table.values, "part": parts}
    roles = {"speaker": "ignored", "block": "group"}
    dataset = build_dataset(
        type(table)(with_parts, table.line_numbers),
        "joined",
        target="text",
        kinds={"text": "text"},
        roles=roles,
    )
    found = split(dataset)
    blocks = [set(part["block"]) for part in found.parts.values()]
    assert not blocks[0] & blocks[1]
    assert blocks[2] == {"takes 0 to 4"}


def test_recordings_of_different_rates_are_not_joined(tmp_path: Path) -> None:
    rows = [{"word": 0, "speaker": "ann", "take": n, "audio": tone(400, 0.5, 8000 * (n + 1))} for n in (0, 1)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "words.parquet")
    with pytest.raises(DataError, match="2 rates"):
        ConnectedSpeech("word", "speaker", "take").read(tmp_path / "words.parquet")
