"""Recordings: what their head says of length and rate, and their samples; wav by ourselves, the rest by libsndfile."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from servery.errors import MissingExtraError

LOWEST_RATE, HIGHEST_RATE = 1_000, 192_000
MOST_CHANNELS = 8
ENDINGS = frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus"})
MOST_FRAMES = 30_000_000
"""Ten minutes at 48,000 a second: 120 MB when decoded."""
BLOCK_FRAMES = 2**16
MOST_CHUNKS = 64
"""Chunks of a wav file that are looked at to find its samples."""
UNTOLD_BYTES = 0xFFFFFFFF
"""What a program writes as a wav's length when it does not know it yet, e.g. into a pipe."""
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
_ENCODINGS = {
    (PCM, 8): "u1",
    (PCM, 16): "<i2",
    (PCM, 24): "",
    (PCM, 32): "<i4",
    (FLOAT, 32): "<f4",
    (FLOAT, 64): "<f8",
}
_COMPRESSED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3"}


@dataclass(frozen=True)
class Recording:
    """What the head of a recording says.

    Attributes:
        format: "WAV", "FLAC", "Ogg" or "MP3".
        rate: Samples a second of each channel.
        channels: Number of channels.
        frames: Samples of each channel.
    """

    format: str
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.rate


@dataclass(frozen=True)
class _Wav:
    recording: Recording
    encoding: tuple[int, int]
    start: int
    size: int


def format_of(content: bytes) -> str | None:
    """Return the format that bytes begin like, or None; nothing is decoded.

    >>> format_of(b"fLaC...."), format_of(b"hello")
    ('FLAC', None)
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "WAV"
    # An MP3 may begin with its first frame: eleven bits of 1, a version, and the bits 01 for layer III.
    if len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2:
        return "MP3"
    return next((name for start, name in _COMPRESSED.items() if content.startswith(start)), None)


def fault_of(content: bytes) -> str | None:
    """Return why bytes are no readable recording, or None; all of it is decoded.

    Raises:
        MissingExtraError: It is compressed, and the part that decodes it is not installed.

    >>> fault_of(b"hello")
    'no WAV, FLAC, Ogg or MP3 recording'
    """
    try:
        samples_of(content, math.inf)
    except ValueError as error:
        return str(error)
    return None


def described(content: bytes) -> Recording:
    """Return what the head of a recording says; no sample is decoded.

    Raises:
        ValueError: Not a recording, or its head is torn or lies about its length.
        MissingExtraError: It is compressed, and the part that decodes it is not installed.
    """
    format_ = format_of(content)
    if format_ is None:
        raise ValueError("no WAV, FLAC, Ogg or MP3 recording")
    if format_ == "WAV":
        return _wav(content).recording
    sound = _sound_library()
    try:
        info = sound.info(io.BytesIO(content))
    except sound.LibsndfileError as error:
        raise ValueError(f"a torn {format_} recording ({error.error_string})") from error
    return _checked(Recording(format_, info.samplerate, info.channels, info.frames))


def samples_of(content: bytes, most_seconds: float) -> tuple[np.ndarray, int]:
    """Return the samples of a recording, its channels mixed into one, and their rate.

    Args:
        content: An encoded recording.
        most_seconds: Decoding stops here, whatever the head says.

    Returns:
        float32, mostly from -1 to 1, (samples,), and samples a second.

    Raises:
        ValueError: Not a recording, or a torn one.
        MissingExtraError: It is compressed, and the part that decodes it is not installed.
    """
    recording = described(content)
    is_whole = recording.seconds <= most_seconds
    most = recording.frames if is_whole else math.ceil(most_seconds * recording.rate)
    blocks = _wav_blocks if recording.format == "WAV" else _other_blocks
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, and are refused
        # Block by block: only one channel of the whole is ever in memory.
        mixed = np.concatenate(
            [_mixed(block) for block in blocks(content, most)] or [np.zeros(1, np.float32)]
        )
    if not np.isfinite(mixed).all():
        raise ValueError("a recording with samples that are no numbers")
    return mixed, recording.rate


def _mixed(block: np.ndarray) -> np.ndarray:
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def _other_blocks(content: bytes, frames: int) -> Iterator[np.ndarray]:
    sound = _sound_library()
    try:
        with sound.SoundFile(io.BytesIO(content)) as file:
            yield from file.blocks(BLOCK_FRAMES, frames=frames, dtype="float32", always_2d=True)
    except sound.LibsndfileError as error:
        raise ValueError(f"a torn recording ({error.error_string})") from error


def _sound_library() -> ModuleType:
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError.named("audio") from error
    return soundfile  # type: ignore[no-any-return]


def _checked(recording: Recording) -> Recording:
    if not LOWEST_RATE <= recording.rate <= HIGHEST_RATE:
        raise ValueError(f"a recording of {recording.rate:,} samples a second")
    if not 1 <= recording.channels <= MOST_CHANNELS:
        raise ValueError(f"a recording of {recording.channels} channels")
    if recording.frames < 1:
        raise ValueError("a recording without samples")
    if recording.frames > MOST_FRAMES:
        raise ValueError(
            f"a recording that declares {recording.frames:,} samples; {MOST_FRAMES:,} are read at most"
        )
    return recording


def _wav(content: bytes) -> _Wav:
    """Read the head of a wav file.

    Source: Microsoft and IBM (1991), Multimedia programming interface and data specifications 1.0, chapter 3;
    WAVE_FORMAT_EXTENSIBLE: the first two bytes of the sub-format are the format.
    """
    form: tuple[int, int, int, int] | None = None
    for name, start, size in _chunks(content):
        if name == b"fmt ":
            form = _wav_format(content[start : start + min(size, 40)])
        elif name == b"data":
            if form is None:
                raise ValueError("a wav recording whose samples come before their format")
            return _wav_data(form, start, size, len(content))
    raise ValueError("a wav recording without samples")


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    place = 12
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(content):
            return
        name, size = struct.unpack_from("<4sI", content, place)
        yield name, place + 8, size
        place += 8 + size + size % 2  # chunks begin at even places
    raise ValueError(f"a wav recording of more than {MOST_CHUNKS} chunks")


def _wav_format(chunk: bytes) -> tuple[int, int, int, int]:
    if len(chunk) < 16:
        raise ValueError("a torn wav recording")
    format_, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if format_ == EXTENSIBLE and len(chunk) >= 26:
        (format_,) = struct.unpack_from("<H", chunk, 24)
    if (format_, bits) not in _ENCODINGS:
        raise ValueError(
            f"a wav recording of format {format_} with {bits} bits; PCM of 8, 16, 24, 32 or float is read"
        )
    return format_, channels, rate, bits


def _wav_data(form: tuple[int, int, int, int], start: int, size: int, length: int) -> _Wav:
    format_, channels, rate, bits = form
    if size == UNTOLD_BYTES:
        size = length - start
    if size > length - start:
        raise ValueError(
            f"a wav recording that declares {size:,} bytes of samples and has {length - start:,}"
        )
    frames = size // max(channels * bits // 8, 1)
    return _Wav(_checked(Recording("WAV", rate, channels, frames)), (format_, bits), start, size)


def _wav_blocks(content: bytes, frames: int) -> Iterator[np.ndarray]:
    wav = _wav(content)
    bytes_a_frame = wav.recording.channels * wav.encoding[1] // 8
    for first in range(0, frames, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, frames - first) * bytes_a_frame
        raw = np.frombuffer(content, np.uint8, count, wav.start + first * bytes_a_frame)
        yield _numbers(raw, *wav.encoding).reshape(-1, wav.recording.channels)


def _numbers(raw: np.ndarray, format_: int, bits: int) -> np.ndarray:
    if bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    numbers = raw.view(_ENCODINGS[format_, bits]).astype(np.float32)
    if format_ == FLOAT:
        return numbers
    return numbers / 128 - 1 if bits == 8 else numbers / np.float32(2 ** (bits - 1))


def wav_of(samples: np.ndarray, rate: int) -> bytes:
    """Return samples as a wav file of one channel and 16 bits.

    Args:
        samples: From -1 to 1, (samples,).
        rate: Samples a second.

    >>> described(wav_of(np.zeros(800), 8000)).seconds
    0.1
    """
    data = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, PCM, 1, rate, 2 * rate, 2, 16
    )
    return bytes(head + struct.pack("<4sI", b"data", len(data)) + data)
