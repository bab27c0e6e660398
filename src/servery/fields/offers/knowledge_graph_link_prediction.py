"""The offer of link prediction: triples of an invented country, its towns, firms and people."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.data.triple_files import HEAD, RELATION, TAIL, TRUTH, read_triples, with_negatives, with_truth
from servery.fields._field import Offer, RecipeChoice

KINDS = {HEAD: "category", RELATION: "category", TAIL: "category", TRUTH: "number"}
_COUNTRIES = {
    "Arvenia": ("Arvenian", ("Solmar", "Tessin Bay", "Old Quarry")),
    "Borland": ("Borish", ("Norhaven", "Kell", "Three Mills")),
    "Cavaria": ("Cavarian", ("Port Lume", "Asterby", "Vale Cross")),
    "Dunmark": ("Dunish", ("Greyford", "Ostwick", "High Moor")),
}
"""Country to its language and its towns, the capital first; all invented."""
_FIRMS = ("Lumen Works", "Tidal Foods", "Quill Press", "Orbit Rail", "Fern Textiles", "Cobalt Mining")
_FIRST = ("Ada", "Bela", "Cyril", "Dora", "Emil", "Freya", "Goran", "Hana", "Igor", "Juna", "Karl", "Lena")
_LAST = (
    "Arden",
    "Brook",
    "Castell",
    "Dahl",
    "Egger",
    "Falk",
    "Gant",
    "Holm",
    "Isler",
    "Jorn",
    "Kober",
    "Lund",
)
_FACTS_PER_PERSON = 5


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make facts about invented people: who is born where speaks and is a citizen accordingly.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"graph {seed}")
    places = list(_places(chance))
    people = list(_people(chance, -(-max(rows - len(places), 0) // _FACTS_PER_PERSON) + 1))
    chance.shuffle(people)
    triples = (places + people)[:rows]
    chance.shuffle(triples)
    columns = dict(zip((HEAD, RELATION, TAIL), map(object_array, zip(*triples, strict=True)), strict=True))
    facts = {"made": f"generated with seed {seed}; no such country"}
    raw = with_truth(RawTable(columns, np.arange(1, rows + 1, dtype=np.int64), facts=facts))
    return build_dataset(raw, "knowledge-graph-sample", target=TRUTH, kinds=KINDS, is_sample=True)


def _places(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    for country, (language, towns) in _COUNTRIES.items():
        yield towns[0], "capital_of", country
        yield country, "official_language", language
        for town in towns:
            yield town, "located_in", country
    for number, firm in enumerate(_FIRMS):
        yield firm, "based_in", _COUNTRIES[list(_COUNTRIES)[number % 4]][1][chance.randrange(3)]


def _people(chance: random.Random, count: int) -> Iterator[tuple[str, str, str]]:
    """Yield five facts of each person; a person lives and works where their firm is."""
    names = [f"{first} {last}" for last in _LAST for first in _FIRST]
    numbered = [
        name if turn == 0 else f"{name} {turn + 1}"
        for turn in range(count // len(names) + 1)
        for name in names
    ]
    homes = list(_COUNTRIES)
    for place, name in enumerate(numbered[:count]):
        country = homes[place % 4]
        language, towns = _COUNTRIES[country]
        yield name, "born_in", chance.choice(towns)
        yield name, "citizen_of", country
        yield name, "speaks", language
        yield (
            name,
            "works_for",
            _FIRMS[homes.index(country) + (4 if homes.index(country) < 2 and chance.random() < 0.5 else 0)],
        )
        yield name, "lives_in", towns[0] if chance.random() < 0.7 else chance.choice(towns)


def read_codex(path: Path) -> RawTable:
    """Read one part of CoDEx: its triples, those known to be wrong, and the relations by their English names."""
    raw = read_triples(path)
    wrong = path.with_name(path.name.replace(".csv", "_negatives.csv"))
    if wrong.is_file():
        raw = with_negatives(raw, read_triples(wrong))
    names = path.with_name("relations.csv.gz")
    if not names.is_file():
        return raw
    table = read_raw(names).values
    titles = {
        key: f"{title} ({key})" for key, title in zip(table["relation"], table["label_en"], strict=True)
    }
    relations = object_array([titles.get(key, key) for key in raw.values[RELATION]])
    return RawTable({**raw.values, RELATION: relations}, raw.line_numbers, raw.bad_rows, raw.facts)


OFFER = Offer(
    tasks=("link-prediction",),
    form="table",
    recipes=(
        RecipeChoice("frequency", "a second; counts which entities stand at that end of the relation"),
        RecipeChoice("transe", "a minute; relations as steps, weak where one head has many tails"),
        RecipeChoice("distmult", "a minute; cannot tell the direction of a relation"),
        RecipeChoice("rotate", "minutes; relations as turns, for chains of relations and opposites"),
        RecipeChoice("complex", "minutes; the one to use first, usually the best of these"),
    ),
    starter_recipe="complex",
    starter_hyperparameters={"size": 100},
    columns={
        HEAD: "the entity that the fact is about",
        RELATION: "what connects the two",
        TAIL: "the entity it is connected with",
        TRUTH: "1 for a fact; 0 for a triple known to be wrong, used to set thresholds; may be left out",
    },
    known_datasets=(
        KnownDataset(
            name="codex-s",
            folder="knowledge-graph/codex-s",
            files={"train": "train.csv.gz", "validation": "valid.csv.gz", "test": "test.csv.gz"},
            target=TRUTH,
            kinds=KINDS,
            read=read_codex,
            license="MIT",
            citation="Safavi and Koutra 2020, CoDEx: A Comprehensive Knowledge Graph Completion Benchmark, EMNLP",
        ),
    ),
    target=TRUTH,
    kinds=KINDS,
    read=read_triples,
    sample=sample,
    example={HEAD: "Solmar", RELATION: "capital_of", TAIL: None},
)
