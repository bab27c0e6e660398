"""How a design would perform, from its dimensions: the surrogate of a simulation or a measurement."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

ELASTIC_MODULUS_GPA = {"steel": 210.0, "aluminium": 69.0, "oak": 11.0}
_NOISE_SHARE = 0.03
"""Of a deflection: no gauge reads better."""
_BUILDING_INPUTS = {f"X{number}": "number" for number in range(1, 9)}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make cantilever beams of three materials with the deflection of their free ends, as a gauge would read it.

    Source of the formula F l^3 / (3 E I): Gere and Timoshenko (1997), Mechanics of materials, table G-1, case 4.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 41])
    material = chance.choice(list(ELASTIC_MODULUS_GPA), rows)
    length_m, force_n = chance.uniform(0.5, 2.0, rows), chance.uniform(100, 1000, rows)
    width_mm, height_mm = chance.uniform(30, 80, rows), chance.uniform(30, 80, rows)
    modulus_pa = np.array([ELASTIC_MODULUS_GPA[name] * 1e9 for name in material])
    inertia_m4 = width_mm * height_mm**3 / 12 * 1e-12
    deflection_mm = force_n * length_m**3 / (3 * modulus_pa * inertia_m4) * 1000
    # What engineers read is spread over three powers of ten; its logarithm is what a rule of thumb speaks of.
    level = np.log10(deflection_mm) + chance.normal(0, _NOISE_SHARE, rows)
    columns = {
        "length_m": length_m.round(3),
        "width_mm": width_mm.round(1),
        "height_mm": height_mm.round(1),
        "force_n": force_n.round(0),
        "material": material,
        "log_deflection": level.round(4),
    }
    raw = RawTable(
        {name: object_array(values.tolist()) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"computed with seed {seed}, not measured"},
    )
    kinds = {name: "category" if name == "material" else "number" for name in columns}
    return build_dataset(
        raw, "ai-assisted-design-sample", target="log_deflection", kinds=kinds, is_sample=True
    )


def _building(name: str, target: str, other: str) -> KnownDataset:
    return KnownDataset(
        name=name,
        folder="ai-assisted-design/building-energy",
        files={"train": "train.csv.gz", "test": "test.csv.gz"},
        target=target,
        kinds={**_BUILDING_INPUTS, "X6": "category", "X8": "category", target: "number"},
        ignored=(other,),
        license="CC BY 4.0",
        citation="Tsanas and Xifara 2012, Accurate quantitative estimation of energy performance, Energy and Buildings",
    )


AIRFOIL = KnownDataset(
    name="airfoil-self-noise",
    folder="ai-assisted-design/airfoil-self-noise",
    files={"train": "train.csv.gz", "test": "test.csv.gz"},
    target="sound_db",
    kinds=dict.fromkeys(
        ("frequency_hz", "angle_deg", "chord_m", "velocity_ms", "thickness_m", "sound_db"), "number"
    ),
    license="CC BY 4.0",
    citation="Brooks, Pope and Marcolini 1989, NASA RP-1218; UCI Airfoil Self-Noise",
)

OFFER = Offer(
    tasks=("regression",),
    form="table",
    recipes=(
        RecipeChoice("linear", "a second; each dimension has its own curve, none knows of the others"),
        RecipeChoice("gaussian-process", "a minute; smooth, the best of few hundred to two thousand designs"),
        RecipeChoice("gradient-boosting", "seconds; steps instead of curves, robust to odd columns"),
        RecipeChoice("mlp", "a minute; smooth, wants a thousand designs"),
        RecipeChoice("deep-ensemble", "minutes; as the MLP, and wide where its members disagree"),
    ),
    starter_recipe="gradient-boosting",
    starter_hyperparameters={"bags": 2, "rounds": 400},
    columns={
        "dimensions": "one column each: numbers with their unit in the name, or categories",
        "performance": "the number that was simulated or measured",
    },
    known_datasets=(
        AIRFOIL,
        _building("building-energy-heating", "Y1", "Y2"),
        _building("building-energy-cooling", "Y2", "Y1"),
    ),
    sample=sample,
    example={"length_m": 1.2, "width_mm": 50.0, "height_mm": 60.0, "force_n": 400.0, "material": "steel"},
)
