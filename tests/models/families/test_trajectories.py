"""What forecasters of tracks promise: a turned scene has a turned answer, padding and the past are handled right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from servery.data.scenes import Scene
from servery.errors import ArtifactError, InputError
from servery.fields.offers.autonomous_driving_trajectories import sample
from servery.models.encoders.scenes import Scenes
from servery.models.families._track_examples import TrackExamples
from servery.models.runtimes.constant_velocity import ConstantVelocity
from servery.nn.network import build_network
from servery.tasks.tracks import guesses_of
from servery.tasks.trajectory_prediction import TRAJECTORY_PREDICTION

ARGUMENTS = {
    "steps": 8,
    "horizon": 5,
    "hidden_size": 8,
    "has_neighbours": True,
    "heads": 2,
    "modes": 3,
    "scale": 0.5,
    "fastest": 1.0,
    "dropout": 0.0,
}
ENCODER = Scenes("scene", 8, 0.4)


def scene(tracks: np.ndarray, step: float = 0.4) -> dict[str, str]:
    return {"scene": str(Scene(step, tuple(f"a{n}" for n in range(len(tracks))), tracks))}


@pytest.fixture
def tracks() -> np.ndarray:
    chance = np.random.default_rng(0)
    walked = chance.normal(0.4, 0.1, (3, 8, 2)).cumsum(axis=1) + chance.normal(0, 3, (3, 1, 2))
    walked[2, :5] = np.nan
    return walked


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("track_forecaster", ARGUMENTS).eval()


def guesses(network: torch.nn.Module, *examples: dict[str, str]) -> list[np.ndarray]:
    batch = {name: torch.from_numpy(array) for name, array in ENCODER.encode(examples).items()}
    with torch.inference_mode():
        return [guesses_of(row) for row in network(**batch).numpy()]


def test_a_turned_and_moved_scene_has_a_turned_answer(network: torch.nn.Module, tracks: np.ndarray) -> None:
    cosine, sine = math.cos(1.1), math.sin(1.1)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    [one], [other] = guesses(network, scene(tracks)), guesses(network, scene(tracks @ turn + [500_000, 9]))
    assert np.abs(one).max() > 0.1
    # Positions half a million metres away are written to tenths of a millimetre: headings differ a little.
    assert np.abs(one @ turn - other).max() < 1e-3


def test_neighbours_matter_and_padding_does_not(network: torch.nn.Module, tracks: np.ndarray) -> None:
    [all_three] = guesses(network, scene(tracks))
    [alone] = guesses(network, scene(tracks[:1]))
    assert np.abs(all_three[0] - alone[0]).max() > 1e-4
    many = np.concatenate([tracks, tracks + 20, tracks - 20])
    padded, _ = guesses(network, scene(tracks[:1]), scene(many))
    assert np.abs(padded[0] - alone[0]).max() < 1e-5


def test_an_agent_that_vanished_is_no_neighbour_and_goes_nowhere(
    network: torch.nn.Module, tracks: np.ndarray
) -> None:
    vanished = tracks[2:].copy()
    vanished[:, -1] = np.nan
    vanished[:, :-1] = tracks[2:, 1:]
    [with_it] = guesses(network, scene(np.concatenate([tracks[:2], vanished])))
    [without] = guesses(network, scene(tracks[:2]))
    assert np.abs(with_it[:2] - without).max() < 1e-5
    assert not with_it[2].any()


def test_constant_velocity_goes_on_and_its_modes_turn_as_the_training_tracks_did(tracks: np.ndarray) -> None:
    left = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 0.5], [2.0, 2.0]]])
    runtime = ConstantVelocity.fit(np.array([*[left] * 9, None], object)[:9], 1, 2.0, 0)
    [row] = runtime.run(ENCODER.encode([scene(tracks)]))
    went = guesses_of(row)
    assert went[0, 0] == pytest.approx(np.outer([1, 2], tracks[0, -1] - tracks[0, -2]), abs=1e-4)
    ratio = complex(*went[0, 1, 1]) / complex(*went[0, 0, 1])
    assert ratio == pytest.approx(1 + 1j, abs=1e-3)


def test_augmentation_changes_past_and_future_alike() -> None:
    rows = sample(40, 0)
    targets = TRAJECTORY_PREDICTION.encode_targets(rows, ())
    encoder = Scenes("scene", 8, 0.4)
    examples = TrackExamples(encoder.encode(list(rows.examples())), targets, shaking=0.3)
    chosen = np.arange(40)
    plain = TrackExamples(encoder.encode(list(rows.examples())), targets)
    inputs, wanted = examples.batch(chosen, 0, 1, 2)
    as_they_were, were = plain.batch(chosen, 0, 1, 2)
    again, _ = examples.batch(chosen, 0, 1, 2)
    assert torch.equal(inputs["positions"], again["positions"])
    now, then = inputs["positions"][:, :, -1], as_they_were["positions"][:, :, -1]
    moved = now.abs().sum(dim=2) > 0.5
    factor = now[moved] / then[moved]
    future = wanted["futures"][moved][:, -1] / were["futures"][moved][:, -1]
    usual = were["futures"][moved][:, -1].abs().amin(dim=1) > 0.1
    assert torch.allclose(factor[usual], future[usual], rtol=1e-3)
    assert {True, False} == set((factor[:, 1] < 0).tolist())
    assert inputs["seen"].sum() < as_they_were["seen"].sum()
    assert torch.equal(inputs["seen"][:, :, -1], as_they_were["seen"][:, :, -1])


def test_a_scene_of_other_steps_and_a_torn_state_are_refused(tracks: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"0\.1 s; the model learned 0\.4 s"):
        ENCODER.encode([scene(tracks, 0.1)])
    assert Scenes.restore(ENCODER.state()).state() == ENCODER.state()
    for torn in ({}, {"column": "scene", "steps": 0, "step_seconds": 0.4}):
        with pytest.raises(ArtifactError):
            Scenes.restore(torn)
