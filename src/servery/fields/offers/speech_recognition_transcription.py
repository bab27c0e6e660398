"""Speech recognition as transcription: what is said in a recording, word by word."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.connected_speech import ConnectedSpeech
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.recording_files import read_recordings
from servery.fields._field import Offer, RecipeChoice
from servery.fields.offers import _formants

MOST_WORDS = 3


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Synthesise commands of one to three words in many voices.

    Args:
        rows: How many.
        seed: Equal seeds give equal recordings.
    """
    chance = np.random.default_rng([seed, 41])
    texts = [
        " ".join(chance.choice(_formants.WORDS, size=1 + row % MOST_WORDS).tolist()) for row in range(rows)
    ]
    recordings = [_formants.spoken(text, chance) for text in texts]
    raw = RawTable(
        {"audio": object_array(recordings), "text": object_array(texts)},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"synthesised with seed {seed}, nobody's voice"},
    )
    kinds = {"audio": "audio", "text": "text"}
    return build_dataset(raw, "speech-recognition-sample", target="text", kinds=kinds, is_sample=True)


OFFER = Offer(
    tasks=("transcription",),
    form="audio",
    recipes=(
        RecipeChoice("speech-dnn", "a minute or two; each frame with its neighbours, no memory"),
        RecipeChoice("speech-cnn", "minutes; sees patterns wherever they are in pitch and time"),
        RecipeChoice("speech-rnn", "minutes; remembers what was said before, and can tell while one speaks"),
    ),
    starter_recipe="speech-rnn",
    columns={"audio": "a wav, flac, mp3 or ogg recording", "text": "what is said in it"},
    known_datasets=(
        KnownDataset(
            name="connected-digits",
            folder="speech-recognition/free-spoken-digits",
            files={"train": "train.parquet", "test": "test.parquet"},
            target="text",
            kinds={"audio": "audio", "text": "text"},
            roles={"speaker": "ignored", "block": "group"},
            read=ConnectedSpeech("digit", "speaker", "take").read,
            license="CC BY-SA 4.0",
            citation="Jackson et al., Free Spoken Digit Dataset; joined to sequences of 2 to 7 digits by Servery",
        ),
    ),
    target="text",
    kinds={"text": "text", "audio": "audio"},
    read=read_recordings,
    sample=sample,
    example=_formants.example("go left"),
)
