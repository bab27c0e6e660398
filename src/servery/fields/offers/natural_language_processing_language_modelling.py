"""Language modelling: from any text to a model that goes on writing like it."""

from __future__ import annotations

import random
from collections.abc import Mapping

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.passages import (
    BLOCK,
    KINDS,
    PASSAGE,
    PASSAGE_CHARACTERS,
    PLACE,
    ROLES,
    passages,
    read_passages,
)
from servery.fields._field import Offer, RecipeChoice

_WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("Ada", "Bo", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana"),
    "thing": ("a red lamp", "three maps", "an old clock", "two letters", "a small boat", "some bread"),
    "place": ("the harbour", "the market", "the mill", "the north gate", "the library", "the bridge"),
    "weather": (
        "It rained.",
        "The sun was out.",
        "A wind came up.",
        "There was fog.",
        "Snow lay everywhere.",
    ),
    "moment": ("In the morning", "At noon", "After supper", "Before dawn", "On the third day"),
    "feeling": ("glad", "tired", "hungry", "worried", "late", "proud"),
}
_SENTENCES = (
    "{moment} {name} went to {place} with {thing}.",
    "{weather}",
    '"Have you seen {thing}?" asked {name}.',
    '"Not since {place}," said {name}, who was {feeling}.',
    "{name} gave {thing} to {name} at {place}.",
    "{moment} nobody was at {place}.",
    "So {name} and {name} walked from {place} to {place}.",
    "{name} was {feeling}, and {name} was {feeling} too.",
)


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Write a story without end in invented sentences, cut into passages.

    Args:
        rows: Passages of 256 characters.
        seed: Equal seeds give equal stories.
    """
    chance = random.Random(f"story {seed}")
    length, paragraphs = 0, list[str]()
    while length < rows * PASSAGE_CHARACTERS:
        sentences = [_sentence(chance) for _ in range(chance.randint(3, 7))]
        paragraphs.append(" ".join(sentences) + "\n\n")
        length += len(paragraphs[-1])
    raw = passages(["".join(paragraphs)[: rows * PASSAGE_CHARACTERS]])
    kinds, roles = ({name: told[name] for name in told if name in raw.values} for told in (KINDS, ROLES))
    return build_dataset(
        raw, "language-modelling-sample", target=PASSAGE, kinds=kinds, roles=roles, is_sample=True
    )


def _sentence(chance: random.Random) -> str:
    pattern = chance.choice(_SENTENCES)
    for slot, words in _WORDS.items():
        while f"{{{slot}}}" in pattern:
            pattern = pattern.replace(f"{{{slot}}}", chance.choice(words), 1)
    return pattern


OFFER = Offer(
    tasks=("text-generation",),
    form="text",
    recipes=(
        RecipeChoice("n-gram", "seconds; counts runs of bytes, the baseline of the others"),
        RecipeChoice("lstm", "minutes; the best of a small text on a CPU, answers without torch"),
        RecipeChoice("transformer", "minutes; a small Llama that transformers, vLLM and llama.cpp can read"),
    ),
    starter_recipe="lstm",
    columns={"text": "running text: a .txt file, or one text a row of a csv, jsonl or parquet file"},
    kinds=KINDS,
    roles=ROLES,
    target=PASSAGE,
    read=read_passages,
    known_datasets=(
        KnownDataset(
            name="tiny-shakespeare",
            folder="natural-language-processing/tiny-shakespeare",
            files={"train": "train.txt.gz", "test": "test.txt.gz"},
            target=PASSAGE,
            kinds={name: kind for name, kind in KINDS.items() if name != PLACE},
            roles={BLOCK: ROLES[BLOCK]},
            read=read_passages,
            license="public domain text",
            citation="Karpathy 2015, char-rnn: plays of William Shakespeare",
        ),
    ),
    sample=sample,
    example="In the morning Ada went to",
)
