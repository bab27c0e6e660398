"""Speech recognition as command recognition: which of a few words or intents is spoken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.data.recording_files import read_recordings
from servery.fields._field import Offer, RecipeChoice
from servery.fields.offers import _formants


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Synthesise one of eight commands in many voices.

    Args:
        rows: How many.
        seed: Equal seeds give equal recordings.
    """
    chance = np.random.default_rng([seed, 42])
    words = [str(word) for word in chance.choice(_formants.WORDS, size=rows)]
    recordings = [_formants.spoken(word, chance) for word in words]
    raw = RawTable(
        {"audio": object_array(recordings), "command": object_array(words)},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"synthesised with seed {seed}, nobody's voice"},
    )
    kinds = {"audio": "audio", "command": "category"}
    return build_dataset(raw, "spoken-commands-sample", target="command", kinds=kinds, is_sample=True)


def read_orders(path: Path) -> RawTable:
    """Read spoken orders with the drink that is ordered as a column of its own, from the JSON of their slots."""
    table = read_raw(path)
    drinks = [orjson.loads(slots).get("coffeeDrink") for slots in table.values["slots"]]
    return replace(table, values={**table.values, "drink": object_array(drinks)})


OFFER = Offer(
    tasks=("classification", "multi-label-classification"),
    form="audio",
    recipes=(
        RecipeChoice(
            "speech-dnn", "seconds to a minute; each frame with its neighbours, then the mean of all"
        ),
        RecipeChoice("speech-rnn", "a minute or two; reads the frames in both directions"),
        RecipeChoice("speech-cnn", "a minute or two; sees patterns wherever they are in pitch and time"),
    ),
    starter_recipe="speech-dnn",
    starter_hyperparameters={"epochs": 12},
    columns={
        "audio": "a wav, flac, mp3 or ogg recording",
        "command": "the word or the intent that is spoken",
    },
    known_datasets=(
        KnownDataset(
            name="free-spoken-digits",
            folder="speech-recognition/free-spoken-digits",
            files={"train": "train.parquet", "test": "test.parquet"},
            target="digit",
            kinds={"audio": "audio", "digit": "category"},
            ignored=("file", "take", "sample_rate", "seconds"),
            roles={"speaker": "ignored"},
            license="CC BY-SA 4.0",
            citation="Jackson et al., Free Spoken Digit Dataset",
        ),
        KnownDataset(
            name="spoken-coffee-orders",
            folder="speech-recognition/spoken-coffee-orders",
            files={"train": "train.parquet", "test": "test.parquet"},
            target="drink",
            kinds={"audio": "audio", "drink": "category"},
            ignored=("file", "intent", "slots", "sample_rate", "seconds"),
            read=read_orders,
            license="Apache-2.0",
            citation="Picovoice, Speech-to-Intent Benchmark",
        ),
    ),
    target="command",
    kinds={"audio": "audio"},
    read=read_recordings,
    sample=sample,
    example=_formants.example("go"),
)
