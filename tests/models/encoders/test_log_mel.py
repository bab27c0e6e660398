"""Spectrograms: where a tone's energy lands, what length and rate do to it, and what is refused."""

import numpy as np
import pytest

from servery.data.audio import wav_of
from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoders.log_mel import FIRST_FLOOR, FLOOR, LogMel, mel_filters

RATE = 8000
ENCODER = LogMel("audio", RATE, frame=256, hop=128, bands=24, max_seconds=2.0)


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> bytes:
    return wav_of(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate), rate)


def heard(content: bytes) -> np.ndarray:
    return ENCODER.encode([{"audio": content}])["bands"][0]


@pytest.mark.parametrize("hertz", [200, 440, 1000, 3000])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(hertz):
    filters = mel_filters(
        RATE, 256, 24
    )  # a second look at the same thing: the line of the spectrum it falls on
    line = round(hertz / (RATE / 256))
    assert heard(tone(hertz))[10].argmax() in np.argsort(filters[line])[-2:]


def test_the_power_of_a_sine_is_what_it_is_by_hand():
    # The window's mean is a half, so a line's amplitude is half the sine's: (0.5 / 2) ** 2, on two lines at most.
    assert np.exp(heard(tone(1000))[10].max()) == pytest.approx(0.0625, rel=0.3)


def test_silence_is_the_floor_everywhere():
    assert np.allclose(heard(wav_of(np.zeros(2000), RATE)), np.log(FLOOR))


@pytest.mark.parametrize("rate", [8001, 16_000, 22_050, 44_100, 191_999])
def test_recordings_of_other_rates_look_alike(rate):
    reference, other = heard(tone(700)), heard(tone(700, rate=rate))
    assert abs(len(reference) - len(other)) <= 1
    inner = slice(2, min(len(reference), len(other)) - 2)
    loud = reference[inner] > np.log(1e-3)
    assert np.abs(other[inner] - reference[inner])[loud].max() < 0.2


def test_a_row_is_the_same_alone_and_beside_a_longer_one():
    together = ENCODER.encode([{"audio": tone(500, 0.2)}, {"audio": tone(500, 1.0)}])
    alone = ENCODER.encode([{"audio": tone(500, 0.2)}])
    count = alone["bands"].shape[1]
    assert np.array_equal(together["bands"][0, :count], alone["bands"][0])
    assert together["ends"][0, count:].max() == 0.0
    assert alone["ends"][0, -1] == pytest.approx(0.2)
    assert ENCODER.sizes([{"audio": tone(500, 0.2)}, {"audio": tone(500, 1.0)}]) == [count, 63]


def test_the_shortest_recording_has_a_frame():
    batch = ENCODER.encode([{"audio": wav_of(np.zeros(1), RATE)}])
    assert batch["bands"].shape == (1, 1, 24)
    assert batch["ends"][0, 0] > 0


def test_what_is_too_long_is_refused_or_cut():
    long = [{"audio": tone(500, 2.5)}]
    with pytest.raises(TooLongError, match=r"2\.5 seconds; this model reads 2"):
        ENCODER.encode(long)
    assert ENCODER.encode(long, cut=True)["ends"].max() == pytest.approx(2.0)


def test_what_is_no_recording_is_refused():
    for value in (None, "text", b"hello", b"RIFF\0\0\0\0WAVE"):
        with pytest.raises(InputError, match="'audio'"):
            ENCODER.encode([{"audio": value}])


def test_soft_speech_is_heard_as_well_as_loud():
    loud, soft = (heard(wav_of(level * np.sin(np.arange(4000) * 0.7), RATE)) for level in (0.5, 0.005))
    sounding = loud > np.log(1e-4)
    assert sounding.any()
    assert np.allclose((loud - soft)[sounding], 2 * np.log(100), atol=0.2)


def test_a_model_saved_without_a_floor_hears_as_it_did():
    state = ENCODER.state()
    del state["floor"]
    assert LogMel.restore(state).floor == FIRST_FLOOR


def test_the_state_comes_back_and_a_torn_one_is_refused():
    state = ENCODER.state()
    again = LogMel.restore(state)
    assert np.array_equal(again.encode([{"audio": tone(900)}])["bands"], [heard(tone(900))])
    for change in ({"rate": 0}, {"hop": 0}, {"bands": "x"}, {"frame": 10**6}):
        with pytest.raises(ArtifactError):
            LogMel.restore({**state, **change})
