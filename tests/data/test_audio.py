"""Recordings: every encoding of a wav, the formats of libsndfile, and heads that lie."""

import io
import struct
import time
import tracemalloc
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.data.audio import MOST_FRAMES, described, format_of, samples_of, wav_of

RATE = 8000
SOUND = 0.6 * np.sin(np.arange(RATE // 4) / 3)


def written(subtype: str, format_: str = "WAV", channels: int = 1) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([SOUND] * channels, axis=1), RATE, format=format_, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("format_", ["WAV", "WAVEX"])
@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [
        ("PCM_U8", 1e-2),
        ("PCM_16", 1e-4),
        ("PCM_24", 1e-6),
        ("PCM_32", 1e-6),
        ("FLOAT", 1e-6),
        ("DOUBLE", 1e-6),
    ],
)
def test_every_encoding_of_a_wav_is_read_as_libsndfile_wrote_it(subtype, tolerance, format_, channels):
    content = written(subtype, format_, channels)
    recording = described(content)
    assert (recording.format, recording.rate, recording.channels) == ("WAV", RATE, channels)
    assert recording.seconds == pytest.approx(0.25)
    samples, rate = samples_of(content, 10.0)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert np.abs(samples - SOUND).max() < tolerance


@pytest.mark.parametrize(
    ("subtype", "format_", "name", "tolerance"),
    [("PCM_16", "FLAC", "FLAC", 1e-4), ("VORBIS", "OGG", "Ogg", 0.1), ("OPUS", "OGG", "Ogg", 0.1)],
)
def test_compressed_recordings_are_read(subtype, format_, name, tolerance):
    content = written(subtype, format_)
    assert described(content).format == format_of(content) == name
    samples, _ = samples_of(content, 10.0)
    assert np.abs(samples[: len(SOUND)] - SOUND).mean() < tolerance


def test_an_mp3_is_read():
    samples, rate = samples_of(written("MPEG_LAYER_III", "MP3"), 10.0)
    assert rate == RATE
    assert np.abs(samples).max() == pytest.approx(0.6, abs=0.1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-32767, 32767), min_size=1, max_size=300), st.sampled_from([1000, 44_100]))
def test_what_is_written_is_read_back(numbers, rate):
    samples = np.array(numbers) / 32767
    read, found = samples_of(wav_of(samples, rate), 10.0)
    assert found == rate
    assert np.abs(read - samples).max() < 1e-4
    with wave.open(io.BytesIO(wav_of(samples, rate))) as file:
        assert file.getnframes() == len(numbers)


def test_decoding_stops_at_the_longest_time():
    for content in (wav_of(SOUND, RATE), written("PCM_16", "FLAC")):
        samples, _ = samples_of(content, 0.1)
        assert len(samples) == 800


def test_chunks_around_the_samples_are_passed_over():
    content = bytearray(wav_of(SOUND, RATE))
    content[36:36] = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert described(bytes(content)).frames == len(SOUND)


def test_a_wav_from_a_pipe_does_not_know_its_length():
    content = bytearray(wav_of(SOUND, RATE))
    content[40:44] = b"\xff" * 4
    assert described(bytes(content)).frames == len(SOUND)


def head(size: int, **changes: int) -> bytes:
    told = {"format": 1, "channels": 1, "rate": RATE, "bits": 16, **changes}
    form = struct.pack("<HHIIHH", told["format"], told["channels"], told["rate"], 0, 0, told["bits"])
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", size)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no WAV"),
        (b"RIFF\0\0\0\0WAVE", "without samples"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "before their format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "torn"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 70, "more than 64 chunks"),
        (head(10) + b"ab", "declares 10 bytes of samples and has 2"),
        (head(0), "without samples"),
        (head(2, format=85) + b"ab", "format 85"),
        (head(2, bits=12) + b"ab", "12 bits"),
        (head(2, channels=0) + b"ab", "0 channels"),
        (head(200, channels=99) + bytes(200), "99 channels"),
        (head(2, rate=0) + b"ab", "0 samples a second"),
        (head(2, rate=10**9) + b"ab", "1,000,000,000 samples a second"),
        (b"fLaC" + bytes(50), "torn FLAC"),
        (b"OggS" + bytes(50), "torn Ogg"),
        (b"ID3" + bytes(50), "torn MP3"),
    ],
)
def test_a_torn_or_lying_head_is_refused(content, words):
    with pytest.raises(ValueError, match=words):
        described(content)


def test_numbers_that_are_none_are_refused():
    for value in (np.nan, np.inf, 1e300):
        stream = io.BytesIO()
        soundfile.write(stream, np.array([0.0, value]), RATE, format="WAV", subtype="DOUBLE")
        with pytest.raises(ValueError, match="no numbers"):
            samples_of(stream.getvalue(), 1.0)


def test_a_small_file_of_a_very_long_recording_is_refused_without_decoding_it():
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", samplerate=RATE, channels=1, format="FLAC") as file:
        for _ in range(8):
            file.write(np.zeros(MOST_FRAMES // 7, np.float32))
    assert len(stream.getvalue()) < 2**20
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ValueError, match="declares 34,285,712 samples"):
        described(stream.getvalue())
    assert time.perf_counter() - started < 0.05
    assert tracemalloc.get_traced_memory()[1] < 2**20 + len(stream.getvalue())
    tracemalloc.stop()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", head(10)[:36], b"fLaC", b"OggS", b"ID3"]),
)
def test_any_bytes_are_read_or_refused(rest, start):
    try:
        samples, _ = samples_of(start + rest, 1.0)
    except ValueError:
        return
    assert len(samples) > 0
