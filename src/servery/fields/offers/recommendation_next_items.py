"""The offer of recommendation: what the users of an invented shop take next, and a real shop's invoices."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.cells import times_of
from servery.data.dataset import Dataset
from servery.data.event_files import (
    HISTORY,
    KINDS,
    NEXT,
    ROLES,
    USER,
    Log,
    Moments,
    read_events,
    rows_of_log,
    texts_of,
)
from servery.data.events import EPOCH, SECOND
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.fields._field import Offer, RecipeChoice

_DAY = 86_400
_START = 1_767_225_600
"""The first of January 2026."""
_SHELVES: Mapping[str, tuple[str, ...]] = {
    "kitchen": ("mug", "bowl", "plate", "teapot", "jar", "spoon", "tray", "jug"),
    "garden": ("spade", "watering can", "seeds", "gloves", "pot", "rake", "hose", "trellis"),
    "party": ("balloons", "bunting", "candles", "paper cups", "napkins", "crown", "confetti", "piñata"),
    "sewing": ("thread", "needles", "buttons", "ribbon", "scissors", "felt", "zip", "thimble"),
    "writing": ("notebook", "pencil", "ink", "envelope", "stamp", "ruler", "folder", "chalk"),
    "bathing": ("soap", "towel", "sponge", "bath salts", "comb", "mirror", "lotion", "brush"),
}
"""Shelf to its items; whoever takes one often takes the next of the row soon."""
_CROWDS = (8, 4, 2, 1, 1, 1)
"""How many users keep to each shelf, beside each other."""
_REPEATS, _NEIGHBOURS, _STRAYS = 0.35, 0.5, 0.15
"""Shares of what users take: again, the next of the row, anything."""
_NEW_USERS = 0.1
_CUTS = (60, 80, 100, 120)
"""Days of the moments, and of the end."""
CANCELLED, MISSING_CUSTOMER, NO_PRODUCT = "cancelled", "without a customer", "not of a product"
_RETAIL_CUTS = ("2011-09-10", "2011-10-10", "2011-11-10")


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make the log of an invented shop, whose users each keep to one shelf.

    Args:
        rows: Users at a moment: eight of ten to learn from, one to choose by, one to judge by.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"shop {seed}")
    asked = rows // 10
    learned = rows - 2 * asked
    names = [f"u{number:04d}" for number in range(learned + 2 * asked)]
    shelves = dict(zip(names, chance.choices(list(_SHELVES), _CROWDS, k=len(names)), strict=True))
    returning = chance.sample(names[:learned], k=min(2 * asked, learned))
    events = [
        event for name in names[:learned] for event in _visits(chance, name, shelves[name], 0, _CUTS[1], 9)
    ]
    for period in range(2):
        new = names[learned + period * asked :][: round(_NEW_USERS * asked)]
        known = returning[period * asked :][: asked - len(new)]
        for name in (*known, *new):
            past = [event for event in events if event[0] == name]
            events += _visits(chance, name, shelves[name], _CUTS[1 + period], _CUTS[2 + period], 4, past)
    users, items, seconds = zip(*events, strict=True)
    texts = {item: f"{shelf} {item}" for shelf, row in _SHELVES.items() for item in row}
    log = Log(object_array(users), object_array(items), np.array(seconds, np.int64), texts)
    raw = rows_of_log(log, Moments(*(_START + day * _DAY for day in _CUTS[:3])))
    facts = {**raw.facts, "made": f"generated with seed {seed}; no such shop"}
    return build_dataset(
        RawTable(raw.values, raw.line_numbers, facts=facts),
        "recommendation-sample",
        target=NEXT,
        kinds=KINDS,
        roles=ROLES,
        is_sample=True,
    )


def _visits(
    chance: random.Random,
    user: str,
    shelf: str,
    first: int,
    last: int,
    count: int,
    past: list[tuple[str, str, int]] | None = None,
) -> Iterator[tuple[str, str, int]]:
    """Yield what a user takes between two days, in the order of time."""
    taken = [item for _, item, _ in past or ()]
    row = _SHELVES[shelf]
    for day in sorted(chance.uniform(first, last) for _ in range(count)):
        kind = chance.random()
        if taken and kind < _REPEATS:
            item = chance.choice(taken)
        elif kind < 1 - _STRAYS:
            before = row.index(taken[-1]) if taken and taken[-1] in row else chance.randrange(len(row))
            item = row[(before + 1) % len(row)]
        else:
            item = chance.choice(_SHELVES[chance.choices(list(_SHELVES), _CROWDS)[0]])
        taken.append(item)
        yield user, item, _START + int(day * _DAY)


def read_invoices(files: Mapping[str, Path]) -> RawTable:
    """Read the shop's invoices: purchases of known customers, cut at 10 September, October and November 2011.

    Left out are cancelled invoices (their number begins with C, or nothing was sent), lines without a customer, and
    lines whose code is no product's (postage, bank charges, gift vouchers: a product's begins with five digits).
    """
    tables = [read_raw(files[part]).values for part in ("train", "test")]
    raw = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    codes = [str(code).strip().upper() for code in raw["StockCode"]]
    cancelled = np.array(
        [str(i).startswith("C") or q <= 0 for i, q in zip(raw["InvoiceNo"], raw["Quantity"], strict=True)],
        bool,
    )
    nameless = np.array([customer is None or customer != customer for customer in raw["CustomerID"]], bool)
    no_product = np.array([not code[:5].isdigit() or len(code) < 5 for code in codes], bool)
    kept = np.flatnonzero(~cancelled & ~nameless & ~no_product)
    times = times_of(raw["InvoiceDate"][kept])
    log = Log(
        object_array([str(int(raw["CustomerID"][row])) for row in kept]),
        object_array([codes[row] for row in kept]),
        ((times - EPOCH) // SECOND).astype(np.int64),
        texts_of((codes[row], raw["Description"][row]) for row in kept),
    )
    cuts = [int(np.datetime64(day, "s").astype(np.int64)) for day in _RETAIL_CUTS]
    table = rows_of_log(log, Moments(*cuts))
    left_out = (
        f"{cancelled.sum():,} lines {CANCELLED}, {(nameless & ~cancelled).sum():,} {MISSING_CUSTOMER}, "
        f"{(no_product & ~cancelled & ~nameless).sum():,} {NO_PRODUCT}"
    )
    return RawTable(table.values, table.line_numbers, (), {**table.facts, "left_out": left_out})


OFFER = Offer(
    tasks=("recommendation",),
    form="history",
    recipes=(
        RecipeChoice("popularity", "a second; the same for everybody"),
        RecipeChoice("item-knn", "seconds; what goes with the items of the history"),
        RecipeChoice("user-knn", "seconds; what similar users took"),
        RecipeChoice("content-vectors", "seconds; by the words of the items, for a log with few users"),
        RecipeChoice("matrix-factorization", "a minute; tastes as factors, for sparse logs"),
        RecipeChoice("bpr", "minutes; vectors that rank what was taken above what was not"),
        RecipeChoice("neural-cf", "minutes; a perceptron over user and item"),
        RecipeChoice("two-tower", "minutes; for millions of items"),
        RecipeChoice(
            "sequential", "minutes; self-attention, where the order of events tells what comes next"
        ),
        RecipeChoice("ease", "seconds up to 6,000 items; the one to use first, usually the best of these"),
    ),
    starter_recipe="ease",
    columns={
        USER: "who did it; each line of the log is one event",
        "item_id": "what was bought, seen or heard",
        "timestamp": "when",
        "text": "what the item is called; may be left out",
    },
    known_datasets=(
        KnownDataset(
            name="online-retail",
            folder="recommendation/online-retail",
            files={"train": "train.parquet", "test": "test.parquet"},
            target=NEXT,
            kinds=KINDS,
            roles=ROLES,
            joint=read_invoices,
            license="CC BY 4.0",
            citation="Chen, Sain and Guo 2012, Data mining for the online retail industry; UCI Online Retail",
        ),
    ),
    target=NEXT,
    kinds=KINDS,
    roles=ROLES,
    read=read_events,
    sample=sample,
    example={USER: None, HISTORY: ["teapot", "mug"]},
)
