"""Scenes are read as they were written, brought to equal steps, and refused where they cannot be."""

import numpy as np
import pytest

from servery.data.scenes import scene_of, speeds_of
from servery.errors import InputError


def agent(*points, **more):
    return {"positions_m": [list(p) if p else None for p in points], **more}


def read(*agents, step=0.4):
    return scene_of({"step_seconds": step, "agents": list(agents)})


def test_tracks_end_together_and_come_back_as_they_were():
    scene = read(agent((0, 0), (1, 0), None), agent((5, 5)))
    assert scene.positions.shape == (2, 3, 2)
    assert np.isnan(scene.positions[1, :2]).all()
    assert scene.positions[1, 2].tolist() == [5, 5]
    assert str(scene_of(str(scene))) == str(scene)


def test_times_bring_positions_to_equal_steps():
    seen = agent((0, 0), (3, 0), times_s=[10.0, 10.6])
    late = agent((7, 7), times_s=[10.45])
    scene = read(seen, late, step=0.2)
    assert scene.positions[0, :, 0] == pytest.approx([0, 1, 2, 3])
    assert np.isfinite(scene.positions[1, :, 0]).tolist() == [False, False, False, False]
    near = read(seen, agent((6, 7), (7, 7), times_s=[10.3, 10.55]), step=0.2)
    assert near.positions[1, -1].tolist() == [7, 7]


def test_speeds_are_metres_a_second_and_gaps_have_none():
    scene = read(agent((0, 0), (1, 0), (3, 0)), agent((0, 0), None, (9, 0)), step=0.5)
    assert speeds_of(scene).tolist() == [4.0, 0.0]


@pytest.mark.parametrize(
    ("scene", "param"),
    [
        ("[", ""),
        ({"agents": []}, "/step_seconds"),
        ({"step_seconds": 0, "agents": [agent((0, 0))]}, "/step_seconds"),
        ({"step_seconds": True, "agents": [agent((0, 0))]}, "/step_seconds"),
        ({"step_seconds": 1, "agents": [agent((0, 0))] * 300}, "/agents"),
        ({"step_seconds": 1, "agents": [{"positions_m": [[0, 0, 0]]}]}, "/agents/0/positions_m/0"),
        ({"step_seconds": 1, "agents": [{"positions_m": [[0, float("nan")]]}]}, "/agents/0/positions_m/0/1"),
        ({"step_seconds": 1, "agents": [{"positions_m": [[0, 0]], "speed": 2}]}, "/agents/0"),
        ({"step_seconds": 1, "agents": [agent((0, 0), agent_id="")]}, "/agents/0/agent_id"),
        ({"step_seconds": 1, "agents": [agent((0, 0), times_s=[0.0]), agent((1, 1))]}, "/agents/1/times_s"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(scene, param):
    with pytest.raises(InputError) as caught:
        scene_of(scene)
    assert caught.value.param == param
