"""OpenAI's transcriptions by the unmodified `openai` client, and hostile forms and recordings."""

from __future__ import annotations

import base64
import io
import re
import time
import wave
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile
from openai import OpenAI

Call = Callable[..., httpx.Response]
WORDS = "bad cab"


@pytest.fixture
def small(house: ModuleType) -> Any:
    return house.load_room("openai_models")


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


def test_a_recording_is_transcribed_in_every_format(client: OpenAI, small: Any) -> None:
    file = ("words.wav", small.spoken(WORDS))
    create = client.audio.transcriptions.create
    told = create(model="tones", file=file)
    assert told.text == WORDS
    assert told.usage is not None
    assert told.usage.type == "duration"
    assert told.usage.seconds == pytest.approx(7 * 0.11 + 0.1, abs=0.01)
    assert create(model="tones", file=file, response_format="text") == WORDS + "\n"
    srt = create(model="tones", file=file, response_format="srt")
    assert srt.startswith("1\n00:00:00,0")
    assert WORDS in srt
    assert create(model="tones", file=file, response_format="vtt").startswith("WEBVTT\n\n00:00:00.0")


def test_verbose_json_has_the_times_of_words_and_segments(client: OpenAI, small: Any) -> None:
    file = ("words.wav", small.spoken(WORDS))
    told = client.audio.transcriptions.create(
        model="tones",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
    )
    assert told.words is not None
    assert [word.word for word in told.words] == WORDS.split()
    # The first letter begins after 50 ms of silence; a letter takes 110 ms, its gap included.
    assert told.words[0].start == pytest.approx(0.05, abs=0.02)
    assert told.words[1].start == pytest.approx(0.05 + 4 * 0.11, abs=0.02)
    assert told.words[1].end == pytest.approx(0.05 + 7 * 0.11 - 0.03, abs=0.03)
    assert told.segments is not None
    assert [segment.text for segment in told.segments] == [WORDS]
    assert told.duration == pytest.approx(0.87, abs=0.01)
    assert told.language == "en"
    plain = client.audio.transcriptions.create(model="tones", file=file, response_format="verbose_json")
    assert plain.words is None
    assert plain.segments is not None


def test_words_come_as_events(client: OpenAI, small: Any) -> None:
    events = list(
        client.audio.transcriptions.create(model="tones", file=("a.wav", small.spoken(WORDS)), stream=True)
    )
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(e.delta for e in events if e.type == "transcript.text.delta") == WORDS
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == WORDS


@pytest.mark.parametrize("format_", ["FLAC", "OGG", "MP3"])
def test_compressed_recordings_of_other_rates_are_read(client: OpenAI, small: Any, format_: str) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, small.speech(WORDS, rate=22_050), 22_050, format=format_)
    told = client.audio.transcriptions.create(model="tones", file=(f"a.{format_}", stream.getvalue()))
    assert told.text == WORDS


def test_what_has_no_effect_is_said_and_what_cannot_be_is_refused(client: OpenAI, small: Any) -> None:
    file = ("a.wav", small.spoken("bed"))
    raw = client.audio.transcriptions.with_raw_response.create(model="tones", file=file, prompt="Hi.")
    assert raw.headers["x-warnings"] == "prompt_ignored"
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.audio.transcriptions.create(model="tones", file=file, temperature=0.5)
    with pytest.raises(openai.BadRequestError, match="include"):
        client.audio.transcriptions.create(model="tones", file=file, include=["logprobs"])
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(openai.BadRequestError, match="No model here translates"),
    ):
        client.audio.translations.create(model="tones", file=file)


def test_a_recording_in_json_is_transcribed_too(call: Call, small: Any) -> None:
    body = {"model": "tones", "file": base64.b64encode(small.spoken("cab")).decode()}
    assert call("POST", "/v1/audio/transcriptions", json=body).json()["text"] == "cab"


def form(*parts: bytes, boundary: bytes = b"x", end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\ntones'
FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
FORM = "multipart/form-data; boundary=x"


def riff(data_bytes: int, samples: bytes = b"\x80" * 100, rate: int = 8000) -> bytes:
    """A wav of 8 bits whose head says what it likes."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(samples)
    whole = bytearray(stream.getvalue())
    whole[40:44] = data_bytes.to_bytes(4, "little")
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "content_type", "status", "words"),
    [
        (form(MODEL), "text/plain", 415, "expected multipart/form-data"),
        (form(MODEL), "multipart/form-data", 400, "no boundary"),
        (form(MODEL), f"multipart/form-data; boundary={'y' * 71}", 400, "no boundary"),
        (b"", FORM, 400, "does not begin with the boundary"),
        (form(MODEL, boundary=b"y"), FORM, 400, "does not begin with the boundary"),
        (form(MODEL, FILE + b"RIFF", end=b""), FORM, 400, "torn"),
        (b"--x\r\nContent-Disposition: form-data", FORM, 400, "torn"),
        (b"--x" + b"--x" * 9, FORM, 400, "send one recording"),
        (b"--xy\r\n", FORM, 400, "torn"),
        (form(b"X-Long: " + b"a" * 5000 + b"\r\n\r\n1"), FORM, 413, "head of a part"),
        (form(*[MODEL] * 65), FORM, 413, "more than 64 parts"),
        (form(b"\r\nnameless"), FORM, 400, "no name"),
        (form(b'Content-Disposition: attachment; name="a"\r\n\r\n1'), FORM, 400, "no name"),
        (
            form(MODEL, b'Content-Disposition: form-data; name="prompt"\r\n\r\n' + b"a" * 70_000),
            FORM,
            413,
            "prompt",
        ),
        (
            form(MODEL, b'Content-Disposition: form-data; name="prompt"\r\n\r\n\xff'),
            FORM,
            400,
            "one recording",
        ),
        (form(MODEL, FILE, FILE), FORM, 400, "2 parts named 'file'"),
        (form(MODEL, MODEL, FILE), FORM, 400, "stands twice"),
        (form(FILE), FORM, 400, "model"),
        (form(MODEL, FILE), FORM, 415, "empty"),
        (form(MODEL, FILE + b"hello there"), FORM, 415, "no WAV, FLAC, Ogg or MP3"),
        (form(MODEL, FILE + b"RIFF\x00\x00\x00\x00WAVE"), FORM, 400, "without samples"),
        (form(MODEL, FILE + b"fLaC" + b"\x00" * 100), FORM, 400, "torn FLAC"),
        (form(MODEL, FILE + b"OggS" + b"\x00" * 100), FORM, 400, "torn Ogg"),
        (form(MODEL, FILE + riff(10**9)), FORM, 400, "declares 1,000,000,000 bytes of samples and has 100"),
        (form(MODEL, FILE + riff(100, rate=1)), FORM, 400, "1 samples a second"),
        (form(MODEL, FILE + riff(0)), FORM, 400, "without samples"),
        (form(MODEL, FILE + riff(700_000, b"\x80" * 700_000, rate=1000)), FORM, 400, "700.0 seconds"),
        (form(MODEL, FILE + riff(100)[:30]), FORM, 400, "torn wav|without samples"),
    ],
)
def test_hostile_forms_and_recordings_are_refused_at_once(
    call: Call, content: bytes, content_type: str, status: int, words: str
) -> None:
    started = time.perf_counter()
    answer = call("POST", "/v1/audio/transcriptions", content=content, headers={"content-type": content_type})
    took_ms = (time.perf_counter() - started) * 1000
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert re.search(words, f"{error['message']} {error['hint']} {error['param']}"), error
    assert took_ms < 50 + 1000  # the machine is shared; the server's own time is below
    assert float(answer.headers["server-timing"].partition("total;dur=")[2].split(",")[0]) < 50


def test_a_flac_that_declares_a_billion_samples_is_refused_without_decoding_it(
    call: Call, small: Any
) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(8000), 8000, format="FLAC")
    hostile = bytearray(stream.getvalue())
    # STREAMINFO: the last 36 bits before the checksum are the number of samples (RFC 9639, section 8.2).
    hostile[21] |= 0x0F
    hostile[22:26] = b"\xff" * 4
    body = {"model": "tones", "file": base64.b64encode(bytes(hostile)).decode()}
    answer = call("POST", "/v1/audio/transcriptions", json=body)
    assert answer.status_code == 400
    assert "declares" in answer.text
