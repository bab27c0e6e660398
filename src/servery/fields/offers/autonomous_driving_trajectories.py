"""The offer of trajectory prediction: where people and cars will be; its sample walks on bends and to a halt."""

from __future__ import annotations

import json

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.scenes import Scene, points_of
from servery.data.track_files import (
    AHEAD,
    FUTURES,
    RECORDING,
    SCENE,
    SEEN,
    STEP_SECONDS,
    read_tracks,
    read_whole_tracks,
)
from servery.fields._field import Offer, RecipeChoice

MOST_AGENTS = 5
NOISE_METRES = 0.01
_KINDS = {SCENE: "scene", FUTURES: "tracks", RECORDING: "identifier"}
_ROLES = {RECORDING: "group"}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make scenes of up to five people: each walks on a bend, some slow down to a halt, some come into view late.

    Args:
        rows: How many scenes.
        seed: Equal seeds give equal scenes.
    """
    chance = np.random.default_rng([seed, 31])
    drawn = [_scene(chance) for _ in range(rows)]
    raw = RawTable(
        {
            SCENE: object_array([scene for scene, _ in drawn]),
            FUTURES: object_array([futures for _, futures in drawn]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real people"},
    )
    kinds = {SCENE: "scene", FUTURES: "tracks"}
    return build_dataset(raw, "trajectory-prediction-sample", target=FUTURES, kinds=kinds, is_sample=True)


def _scene(chance: np.random.Generator) -> tuple[str, str]:
    agents = int(chance.integers(1, MOST_AGENTS + 1))
    steps = np.arange(SEEN + AHEAD)
    speed = chance.uniform(0.6, 1.8, (agents, 1)) * STEP_SECONDS
    halt = np.where(chance.random((agents, 1)) < 0.3, chance.uniform(10, 24, (agents, 1)), np.inf)
    speed = speed * np.clip((halt - steps) / 10, 0.0, 1.0)  # (agents, steps)
    heading = chance.uniform(0, 2 * np.pi, (agents, 1)) + chance.normal(0, 0.07, (agents, 1)) * steps
    moves = np.stack([np.cos(heading), np.sin(heading)], axis=2) * speed[:, :, None]
    tracks = moves.cumsum(axis=1) + chance.uniform(-6, 6, (agents, 1, 2))
    tracks = (tracks + chance.normal(0, NOISE_METRES, tracks.shape)).round(3)
    seen = tracks[:, :SEEN].copy()
    for late in range(1, agents):
        if chance.random() < 0.2:
            seen[late, : chance.integers(1, SEEN)] = np.nan
    names = tuple(f"a{place + 1}" for place in range(agents))
    return str(Scene(STEP_SECONDS, names, seen)), json.dumps([points_of(track) for track in tracks[:, SEEN:]])


OFFER = Offer(
    tasks=("trajectory-prediction",),
    form="scene",
    recipes=(
        RecipeChoice("constant-velocity", "no training; everybody goes on as in the last step, hard to beat"),
        RecipeChoice("lstm", "minutes; learns how people turn and slow down, each by itself"),
        RecipeChoice(
            "social-attention", "minutes; looks at the neighbours, tells twenty ways and their chances"
        ),
    ),
    starter_recipe="social-attention",
    starter_hyperparameters={"epochs": 10},
    columns={
        "scene, frame, agent, x, y": "a file of tracks: a row a position in metres; `seconds` may stand for `frame`",
        "scene and futures": "or a row a moment: the agents' positions up to now, and the coming ones, as JSON",
    },
    target=FUTURES,
    kinds=_KINDS,
    roles=_ROLES,
    read=read_tracks,
    known_datasets=(
        KnownDataset(
            name="ucy-pedestrians",
            folder="autonomous-driving/ucy-pedestrians",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target=FUTURES,
            kinds=_KINDS,
            roles=_ROLES,
            read=read_whole_tracks,
            license="free to use with credit to the authors",
            citation="Lerner, Chrysanthou and Lischinski 2007, Crowds by Example, Computer Graphics Forum",
        ),
    ),
    sample=sample,
    example={
        "step_seconds": STEP_SECONDS,
        "agents": [
            {
                "agent_id": "a1",
                "positions_m": [[round(0.5 * n, 2), round(0.02 * n * n, 2)] for n in range(SEEN)],
            },
            {"agent_id": "a2", "positions_m": [[4.0, 3.2], [4.0, 2.7], [4.0, 2.2]]},
        ],
    },
)
