"""Training spectrograms: padded batch by batch, changed at random in ways that leave what is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from servery.data.audio import wav_of
from servery.models.encoders.log_mel import LogMel
from servery.models.families._spectrograms import SpectrogramExamples, SpeechAugmentation

RATE = 8000
QUIET = {
    "speed": 0.0,
    "pitch": 0.0,
    "gain_decibels": 0.0,
    "noise_share": 0.0,
    "hole_seconds": 0.0,
    "hole_bands": 0.0,
}


@pytest.fixture
def encoder() -> LogMel:
    return LogMel("audio", RATE, 200, 80, 20, 10.0)


@pytest.fixture
def rows() -> list[dict[str, bytes]]:
    chance = np.random.default_rng(0)
    return [{"audio": wav_of(chance.uniform(-0.5, 0.5, 800 * n), RATE)} for n in (3, 1, 2, 5)]


def changed(
    encoder: LogMel, rows: list[dict[str, bytes]], seed: int = 0, **asked: float
) -> dict[str, torch.Tensor]:
    augment = SpeechAugmentation.of({**QUIET, **asked}, encoder)
    inputs = SpectrogramExamples(encoder, rows, np.zeros(len(rows), np.int64)).inputs(np.arange(len(rows)))
    return augment(inputs, torch.Generator().manual_seed(seed))


def test_a_batch_is_what_the_encoder_gives(encoder: LogMel, rows: list[dict[str, bytes]]) -> None:
    examples = SpectrogramExamples(encoder, rows, np.arange(4))
    batch, targets = examples.batch(np.array([2, 0]), 0, 0, 0)
    expected = encoder.encode([rows[2], rows[0]])
    is_heard = expected["ends"] > 0
    assert np.allclose(batch["ends"].numpy(), expected["ends"], atol=1e-6)
    assert np.array_equal(batch["bands"].numpy()[is_heard], expected["bands"][is_heard])
    assert targets.tolist() == [2, 0]


def test_no_change_asked_for_is_no_change(encoder: LogMel, rows: list[dict[str, bytes]]) -> None:
    before = SpectrogramExamples(encoder, rows, np.arange(4)).inputs(np.arange(4))
    after = changed(encoder, rows)
    assert torch.equal(after["bands"], before["bands"])
    assert torch.allclose(after["ends"], before["ends"], atol=0.011)


def test_faster_is_shorter_and_slower_longer_by_no_more_than_asked(
    encoder: LogMel, rows: list[dict[str, bytes]]
) -> None:
    lengths = np.array([30, 10, 20, 50])
    seen = [(changed(encoder, rows, seed, speed=0.2)["ends"] > 0).sum(dim=1).numpy() for seed in range(20)]
    ratios = np.stack(seen) / lengths
    assert ratios.min() >= 1 / 1.2 - 0.06
    assert ratios.max() <= 1 / 0.8 + 0.06
    assert ratios.std() > 0.05


def test_louder_is_the_same_everywhere_and_noise_fills_the_quiet(encoder: LogMel) -> None:
    quiet = [
        {
            "audio": wav_of(
                np.concatenate([np.zeros(4000), 0.5 * np.random.default_rng(0).standard_normal(4000)]), RATE
            )
        }
    ]
    before = SpectrogramExamples(encoder, quiet, np.zeros(1, np.int64)).inputs(np.arange(1))["bands"]
    louder = changed(encoder, quiet, gain_decibels=6.0)["bands"] - before
    assert louder.std() < 1e-4
    assert 0 < abs(louder.mean()) <= 6 / 4.34
    noisy = changed(encoder, quiet, noise_share=1.0)["bands"] - before
    assert noisy[0, :45].mean() > 2.0
    assert noisy[0, 55:].max(dim=1).values.mean() < 12.0
    assert noisy[0, 55:].min() > -1e-4


def test_holes_are_as_wide_as_asked_and_no_wider(encoder: LogMel, rows: list[dict[str, bytes]]) -> None:
    before = SpectrogramExamples(encoder, rows, np.arange(4)).inputs(np.arange(4))["bands"]
    for seed in range(10):
        after = changed(encoder, rows, seed, hole_seconds=0.08, hole_bands=0.2)["bands"]
        differs = (after != before).numpy()
        whole_frames, whole_bands = differs.all(axis=2).sum(axis=1), differs[3, :50].all(axis=0).sum()
        assert whole_frames.max() <= 9
        assert whole_bands <= 4
    assert differs.any()


def test_chance_follows_from_the_seed(encoder: LogMel, rows: list[dict[str, bytes]]) -> None:
    asked = {"speed": 0.1, "pitch": 0.1, "noise_share": 0.5, "hole_seconds": 0.1, "hole_bands": 0.2}
    one, again, other = (changed(encoder, rows, seed, **asked)["bands"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert one.shape != other.shape or not torch.equal(one, other)


def test_a_hole_is_filled_with_the_recording_s_own_mean_however_long_its_neighbours(
    encoder: LogMel, rows: list[dict[str, bytes]]
) -> None:
    before = SpectrogramExamples(encoder, rows, np.zeros(4, np.int64)).inputs(np.arange(4))["bands"]
    for seed in range(5):
        after = changed(encoder, rows, seed, hole_seconds=0.08, hole_bands=0.3)["bands"]
        for row, length in enumerate((30, 10, 20, 50)):
            own = before[row, :length].mean(dim=0)
            is_hole = (after[row, :length] != before[row, :length]).numpy()
            filled = np.broadcast_to(own.numpy(), is_hole.shape)[is_hole]
            assert np.allclose(after[row, :length].numpy()[is_hole], filled, atol=1e-4)
