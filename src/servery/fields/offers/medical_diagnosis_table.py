"""Whether a finding is present, from the values of an examination."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.fields._field import Offer, RecipeChoice

_KINDS = {
    "age": "number",
    "sex": "category",
    "systolic_mmhg": "number",
    "cholesterol_mg_dl": "number",
    "max_heart_rate_bpm": "number",
    "chest_pain": "category",
    "smokes": "category",
    "disease": "category",
}
_HEART_CATEGORIES = ("sex", "cp", "fbs", "restecg", "exang", "slope", "thal")
_HEART_NUMBERS = ("age", "trestbps", "chol", "thalach", "oldpeak", "ca")


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make patients whose risk follows a few values and chance, some values missing.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 7])
    age, male = chance.normal(56, 9, rows).clip(25, 85), chance.random(rows) < 0.6
    pain, smokes = chance.random(rows) < 0.35, chance.random(rows) < 0.3
    pressure = chance.normal(118 + 0.3 * (age - 56), 14, rows)
    cholesterol, rate = chance.normal(230, 40, rows), chance.normal(205 - 0.95 * age, 16, rows)
    level = -1.4 + 0.06 * (age - 56) + 0.9 * male + 2.0 * pain + 0.8 * smokes
    level += 0.03 * (pressure - 118) + 0.008 * (cholesterol - 230) - 0.03 * (rate - 152)
    ill = chance.random(rows) < 1 / (1 + np.exp(-level))
    columns = {
        "age": age.round(0),
        "sex": np.where(male, "male", "female"),
        "systolic_mmhg": pressure.round(0),
        "cholesterol_mg_dl": np.where(chance.random(rows) < 0.05, np.nan, cholesterol.round(0)),
        "max_heart_rate_bpm": rate.round(0),
        "chest_pain": np.where(pain, "typical", "none"),
        "smokes": np.where(smokes, "yes", "no"),
        "disease": np.where(ill, "present", "absent"),
    }
    raw = RawTable(
        {name: object_array(values.tolist()) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real patients"},
    )
    return build_dataset(raw, "medical-diagnosis-sample", target="disease", kinds=_KINDS, is_sample=True)


def carried() -> Dataset:
    """Read the 569 breast masses that scikit-learn carries."""
    from sklearn.datasets import load_breast_cancer

    cancer = load_breast_cancer()
    columns = {
        name.replace(" ", "_"): cancer.data[:, place] for place, name in enumerate(cancer.feature_names)
    }
    values = {name: object_array(column.tolist()) for name, column in columns.items()}
    values["diagnosis"] = object_array([str(cancer.target_names[number]) for number in cancer.target])
    citation = "Street, Wolberg and Mangasarian 1993, Nuclear feature extraction for breast tumor diagnosis (CC BY 4.0)"
    raw = RawTable(values, np.arange(1, len(cancer.target) + 1, dtype=np.int64), facts={"citation": citation})
    kinds = {**dict.fromkeys(columns, "number"), "diagnosis": "category"}
    return build_dataset(raw, "breast-cancer-wisconsin", target="diagnosis", kinds=kinds)


def _read_heart(path: Path) -> RawTable:
    """Read Cleveland's rows; its number of narrowed vessels becomes whether there is any."""
    raw = read_raw(path)
    values = dict(raw.values)
    values["disease"] = object_array(
        ["absent" if float(cell) == 0 else "present" for cell in values.pop("num")]
    )
    return RawTable(values, raw.line_numbers, raw.bad_rows, raw.facts)


OFFER = Offer(
    tasks=("classification",),
    form="table",
    recipes=(
        RecipeChoice("logistic", "seconds; one weight a value, the model physicians can read"),
        RecipeChoice(
            "gradient-boosting", "seconds; finds thresholds and interactions, wants some hundred patients"
        ),
        RecipeChoice("mlp", "a minute; rarely better below some thousand patients"),
    ),
    starter_recipe="logistic",
    columns={
        "age, pressure, ...": "numbers with their unit in the name, and categories",
        "disease": "whether the finding is present",
    },
    known_datasets=(
        KnownDataset(
            name="heart-disease-cleveland",
            folder="medical-diagnosis/heart-disease-cleveland",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target="disease",
            kinds={
                **dict.fromkeys(_HEART_NUMBERS, "number"),
                **dict.fromkeys(_HEART_CATEGORIES, "category"),
                "disease": "category",
            },
            read=_read_heart,
            license="CC BY 4.0",
            citation="Detrano et al. 1989, American Journal of Cardiology; UCI Heart Disease",
        ),
    ),
    positives=("present", "malignant"),
    subgroups=("sex", "age"),
    carried=carried,
    sample=sample,
    example={
        "age": 61.0,
        "sex": "male",
        "systolic_mmhg": 132.0,
        "cholesterol_mg_dl": 252.0,
        "max_heart_rate_bpm": 141.0,
        "chest_pain": "typical",
        "smokes": "no",
    },
)
