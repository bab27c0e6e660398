"""Recordings on every road: commands told apart, long recordings told while they are heard, and bad ones."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from huggingface_hub import InferenceClient, close_session
from openai import OpenAI

from servery.data.audio import wav_of
from servery.gateway.listening import STRETCH_SECONDS, settled
from servery.tasks.transcription import SpokenWord

Call = Callable[..., httpx.Response]
RAW = {"content-type": "audio/wav"}
SENTENCE = " ".join(["bad cab", "deaf bee", "a bag", "head", "fed cage"] * 6)
"""About 23 seconds in tones."""


@pytest.fixture
def small(house: ModuleType) -> Any:
    return house.load_room("openai_models")


@pytest.fixture
def speech(house: ModuleType) -> Any:
    return house.load_room("speech_models")


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=home.secrets["app"], max_retries=0) as made:
        yield made


def test_the_hub_client_tells_recordings_apart(server: Any, home: Any, speech: Any) -> None:
    client = InferenceClient(f"{server.url}/v1/models/beeps", token=home.secrets["app"])
    try:
        for hertz, label in ((400, "low"), (3000, "high")):
            found = client.audio_classification(speech.beep(hertz))
            assert found[0].label == label
            assert sum(element.score for element in found) == pytest.approx(1.0)
    finally:
        close_session()


def test_a_command_is_asked_raw_in_base64_and_several_at_once(call: Call, speech: Any) -> None:
    low, high = speech.beep(400), speech.beep(3000)
    raw = call("POST", "/v1/models/beeps/predict", content=low, headers=RAW).json()
    assert raw["task"] == "audio-classification"
    assert raw["outputs"][0]["label"] == "low"
    inputs = [base64.b64encode(recording).decode() for recording in (low, high)]
    several = call("POST", "/v1/models/beeps/predict", json={"inputs": inputs}).json()
    assert [answer["label"] for answer in several["outputs"]] == ["low", "high"]


def test_other_rates_and_channels_give_the_same_answer(call: Call, speech: Any) -> None:
    stereo = io.BytesIO()
    tone = np.sin(2 * np.pi * 3000 * np.arange(15_435) / 44_100)
    soundfile.write(stereo, np.stack([tone, 0.1 * tone], axis=1), 44_100, format="FLAC")
    for recording in (speech.beep(3000, rate=16_000), stereo.getvalue()):
        answer = call("POST", "/v1/models/beeps/predict", content=recording, headers=RAW)
        assert answer.json()["outputs"][0]["label"] == "high"


def torn_flac() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 8000, format="FLAC")
    return stream.getvalue()[:6000]


def without_a_rate() -> bytes:
    return wav_of(np.zeros(100), 8000)[:24] + struct.pack("<I", 0) + wav_of(np.zeros(100), 8000)[28:]


@pytest.mark.parametrize(
    ("recording", "status", "words"),
    [
        (without_a_rate(), 422, "a recording of 0 samples a second"),
        (torn_flac(), 422, "torn"),
        (wav_of(np.zeros(8000), 8000)[:9000], 422, "declares"),
        (wav_of(np.zeros(31 * 8000), 8000), 422, "lasts 31.0 seconds"),
        (b"hello, I am a text", 415, "no WAV, FLAC, Ogg or MP3"),
    ],
    ids=["0 Hz", "torn flac", "shorter than declared", "too long", "no recording"],
)
@pytest.mark.parametrize("model", ["beeps", "tones"])
def test_a_bad_recording_is_refused_with_what_is_wrong(
    call: Call, model: str, recording: bytes, status: int, words: str
) -> None:
    answer = call("POST", f"/v1/models/{model}/predict", content=recording, headers=RAW)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_an_hour_is_refused_by_its_head_alone(call: Call) -> None:
    hour = io.BytesIO()
    soundfile.write(hour, np.zeros(3600 * 1000), 1000, format="FLAC")
    answer = call("POST", "/v1/models/tones/predict", content=hour.getvalue(), headers=RAW)
    assert answer.json()["error"]["message"].startswith("The recording at /inputs lasts 3,600.0 seconds")
    assert answer.status_code == 422


def test_silence_is_an_empty_text_with_a_warning(call: Call, client: OpenAI) -> None:
    silence = wav_of(0.005 * np.random.default_rng(1).standard_normal(8000), 8000)
    told = call("POST", "/v1/models/tones/predict", content=silence, headers=RAW).json()
    assert told["outputs"][0]["text"] == ""
    assert [warning["code"] for warning in told["warnings"]] == ["no_speech"]
    raw = client.audio.transcriptions.with_raw_response.create(model="tones", file=("a.wav", silence))
    assert raw.headers["x-warnings"] == "no_speech"
    assert raw.parse().text == ""


def test_a_beam_may_be_asked_for_and_hears_the_same_in_clear_speech(call: Call, small: Any) -> None:
    inputs = base64.b64encode(small.spoken("bad cab")).decode()
    for width in (1, 4):
        body = {"inputs": inputs, "parameters": {"beam_width": width}}
        told = call("POST", "/v1/models/tones/predict", json=body).json()["outputs"][0]
        assert told["text"] == "bad cab"
    body = {"inputs": inputs, "parameters": {"beam_width": 1000}}
    assert call("POST", "/v1/models/tones/predict", json=body).status_code == 422


def test_a_long_recording_is_told_in_stretches_and_reads_as_if_heard_at_once(
    client: OpenAI, small: Any
) -> None:
    file = ("long.wav", small.spoken(SENTENCE))
    whole = client.audio.transcriptions.create(model="tones", file=file)
    assert whole.text == SENTENCE
    with client.audio.transcriptions.with_streaming_response.create(
        model="tones", file=file, stream=True
    ) as response:
        events = list(response.parse())
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) == len(SENTENCE.split())
    assert "".join(deltas) == events[-1].text == SENTENCE


def test_a_stream_that_cannot_begin_has_its_status(call: Call) -> None:
    body = {"model": "tones", "file": base64.b64encode(b"no recording").decode(), "stream": True}
    answer = call("POST", "/v1/audio/transcriptions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "/file"


def word(start: float, end: float) -> SpokenWord:
    return SpokenWord("a", start, end, 0.0)


def test_a_word_that_may_go_on_is_heard_again_from_the_pause_before_it() -> None:
    told, start = settled([word(1.0, 1.4), word(7.4, 7.9)], 0.0, STRETCH_SECONDS, False)
    assert told == [word(1.0, 1.4)]
    assert start == pytest.approx((1.4 + 7.4) / 2)


def test_silence_moves_on_and_the_end_tells_all() -> None:
    assert settled([], 0.0, STRETCH_SECONDS, False) == ([], STRETCH_SECONDS - 1.0)
    assert settled([word(19.0, 19.9)], 12.0, 20.0, True) == ([word(19.0, 19.9)], 20.0)


def test_a_word_as_long_as_a_stretch_is_told_rather_than_heard_for_ever() -> None:
    long = word(0.1, 7.9)
    assert settled([long], 0.0, STRETCH_SECONDS, False) == ([long], STRETCH_SECONDS)


def test_servery_s_own_stream_tells_words_with_their_times_and_ends_with_the_answer(
    call: Call, small: Any
) -> None:
    headers = {**RAW, "accept": "text/event-stream"}
    told = call("POST", "/v1/models/tones/predict", content=small.spoken(SENTENCE), headers=headers)
    assert told.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in told.text.strip().split("\n\n")]
    names = [lines[0] for lines in events]
    assert names == ["event: piece"] * len(SENTENCE.split()) + ["event: answer"]
    values = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    words = [value["piece"] for value in values[:-1]]
    assert values[-1]["outputs"][0]["words"] == words
    assert values[-1]["outputs"][0]["text"] == SENTENCE
    assert values[-1]["usage"]["audio_seconds"] == math.ceil(values[-1]["outputs"][0]["duration_seconds"])
    starts = [word["start"] for word in words]
    assert starts == sorted(starts)
    assert starts[-1] > 2 * STRETCH_SECONDS


def test_a_stream_tells_one_recording(call: Call, small: Any) -> None:
    two = [base64.b64encode(small.spoken("bad")).decode()] * 2
    headers = {"accept": "text/event-stream"}
    answer = call("POST", "/v1/models/tones/predict", json={"inputs": two}, headers=headers)
    assert answer.status_code == 422
    assert "a stream tells one" in answer.text
