"""Finds rows that are copies of each other: equal inputs, nearly equal texts, nearly equal pictures."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from servery.data.columns import ONE_OF_MANY, Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.pictures import grey_copy

_SHINGLE = 5
_BANDS, _HASHES_PER_BAND = 8, 6
"""A pair of Jaccard similarity 0.9 becomes a candidate with probability 1 - (1 - 0.9^6)^8 = 0.998, one of 0.5 with
0.12 (Leskovec, Rajaraman, Ullman 2020, Mining of Massive Datasets, section 3.4.2)."""
_LEAST_SIMILARITY = 0.85
_MOST_SHINGLES = 4_000_000
"""Shingles hashed in all; of longer texts every n-th is taken, by its own hash, so that copies keep the same ones."""
_NEIGHBOURS = 8
"""How many of the next rows in a bucket each row is compared with; equal rows were merged before."""
_NOT_A_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Duplicates:
    """Rows with the same number are copies of each other.

    Attributes:
        exact: Group of rows with equal inputs, int64, (rows,).
        near: Group of rows with equal or nearly equal inputs, int64, (rows,).
    """

    exact: np.ndarray
    near: np.ndarray


def find_duplicates(dataset: Dataset) -> Duplicates:
    """Group the rows by their inputs.

    Texts are near when they differ only in case, marks and spaces, or share 85 % of their runs of five characters;
    pictures when their outlines and their grey copies agree; table rows only when they are equal.
    """
    if any(c.role is Role.TARGET and c.kind in ONE_OF_MANY for c in dataset.columns):
        return _with_the_target(dataset)
    exact = _group([_codes(dataset[c.name]) for c in dataset.inputs], len(dataset))
    leading = next((c for c in dataset.inputs if c.kind in (Kind.TEXT, Kind.IMAGE)), None)
    if leading is None:
        return Duplicates(exact, exact)
    # Only one row of each group of equal ones is looked at again.
    first = np.unique(exact, return_index=True)[1]
    single = dataset.take(first)
    pairs = _near_pictures(single[leading.name]) if leading.kind is Kind.IMAGE else _near_texts(single)
    return Duplicates(exact, _join(len(first), pairs)[exact])


def _with_the_target(dataset: Dataset) -> Duplicates:
    columns = [*dataset.inputs, dataset.target]
    exact = _group([_codes(dataset[c.name]) for c in columns], len(dataset))
    return Duplicates(exact, exact)


def repeats(groups: np.ndarray) -> np.ndarray:
    """Return which rows belong to the same group as an earlier row, bool, (rows,)."""
    again = np.ones(len(groups), dtype=bool)
    again[np.unique(groups, return_index=True)[1]] = False
    return again


def _codes(array: np.ndarray) -> np.ndarray:
    """Number the distinct values of a column, int64, (rows,)."""
    if array.dtype != object:
        return np.unique(array, return_inverse=True)[1].astype(np.int64)
    numbers: dict[object, int] = {}
    return np.fromiter((numbers.setdefault(v, len(numbers)) for v in array), dtype=np.int64, count=len(array))


def _group(codes: list[np.ndarray], rows: int) -> np.ndarray:
    """Number the distinct combinations of several columns, in the order of their first rows."""
    combined = np.zeros(rows, dtype=np.int64)
    for column in codes:
        # Renumbering after each column keeps the product within 64 bits.
        combined = combined * (int(column.max(initial=0)) + 1) + column
        combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
    return np.asarray(combined)


def _join(rows: int, pairs: np.ndarray) -> np.ndarray:
    """Number the groups that pairs of rows make, int64, (rows,)."""
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def normalise(text: str) -> str:
    """Return a text without what does not count: case, width, marks, spaces.

    >>> normalise("Ｇood, Good!") == normalise("good good")
    True
    """
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _near_texts(dataset: Dataset) -> np.ndarray:
    columns: list[Column] = [c for c in dataset.inputs if c.kind is Kind.TEXT]
    cells = zip(*(dataset[c.name] for c in columns), strict=True)
    texts = [normalise(" ".join(cell or "" for cell in row)) for row in cells]
    first: dict[str, int] = {}
    equal = [(first.setdefault(text, row), row) for row, text in enumerate(texts)]
    rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    near = rows[_similar([texts[row] for row in rows])]
    return np.concatenate(
        [np.array([pair for pair in equal if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2), near]
    )


def _similar(texts: list[str]) -> np.ndarray:
    """Return pairs of texts with a Jaccard similarity of at least 0.85, int64, (pairs, 2)."""
    long_enough = [row for row, text in enumerate(texts) if len(text) >= 2 * _SHINGLE]
    if len(long_enough) < 2:
        return np.empty((0, 2), dtype=np.int64)
    shingles, starts = _shingles([texts[row] for row in long_enough])
    pairs = _candidates(_signatures(shingles, starts))
    ends = np.append(starts[1:], len(shingles))
    kept = [
        (a, b) for a, b in pairs if _jaccard(shingles[starts[a] : ends[a]], shingles[starts[b] : ends[b]])
    ]
    return np.array(long_enough, dtype=np.int64)[np.array(kept, dtype=np.int64).reshape(-1, 2)]


def _jaccard(one: np.ndarray, other: np.ndarray) -> bool:
    first, second = np.unique(one), np.unique(other)
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared >= _LEAST_SIMILARITY * (len(first) + len(second) - shared)


def _shingles(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Hash every run of five characters.

    Returns:
        The hashes of all texts in a row, uint64, (shingles,), and where each text begins, int64, (texts,).
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    hashes = np.zeros(len(points) - _SHINGLE + 1, dtype=np.uint64)
    for offset in range(_SHINGLE):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + points[offset : len(hashes) + offset]
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(29)
    text_of = np.repeat(np.arange(len(texts)), lengths)[: len(hashes)]
    place = np.arange(len(hashes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)[: len(hashes)]
    kept = place <= lengths[text_of] - _SHINGLE
    every = max(1, len(hashes) // _MOST_SHINGLES)
    if every > 1:
        kept &= (hashes % np.uint64(every) == 0) | (place < 2) | (lengths[text_of] < 64 * every)
    hashes, text_of = hashes[kept], text_of[kept]
    return hashes, np.searchsorted(text_of, np.arange(len(texts)))


def _signatures(shingles: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the least value of each text under 48 hash functions, uint64, (texts, 48).

    Source: Broder (1997), On the resemblance and containment of documents.
    """
    multipliers = np.random.default_rng(5).integers(
        1, 2**63, _BANDS * _HASHES_PER_BAND, dtype=np.uint64
    ) | np.uint64(1)
    columns = [np.minimum.reduceat((shingles * m) >> np.uint64(16), starts) for m in multipliers]
    return np.stack(columns, axis=1)


def _candidates(signatures: np.ndarray) -> np.ndarray:
    """Return pairs of rows that agree in a whole band, int64, (pairs, 2)."""
    pairs = []
    for band in range(_BANDS):
        part = signatures[:, band * _HASHES_PER_BAND : (band + 1) * _HASHES_PER_BAND]
        keys = np.zeros(len(part), dtype=np.uint64)
        for column in part.T:
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + column
        pairs.append(_neighbours(keys, keys))
    return np.unique(np.concatenate(pairs), axis=0)


def _neighbours(keys: np.ndarray, order_within: np.ndarray) -> np.ndarray:
    """Return pairs of rows of equal key, each with the next few in the order within, int64, (pairs, 2)."""
    order = np.lexsort((order_within, keys))
    sorted_keys = keys[order]
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for step in range(1, min(_NEIGHBOURS, len(keys) - 1) + 1):
        same = np.flatnonzero(sorted_keys[step:] == sorted_keys[:-step])
        pairs.append(np.sort(np.stack([order[same], order[same + step]], axis=1), axis=1))
    return np.concatenate(pairs)


def _near_pictures(pictures: np.ndarray) -> np.ndarray:
    """Return pairs of pictures whose outlines differ in at most 2 of 64 bits and whose grey copies agree.

    The outline is the difference hash: whether each of 8 x 8 points is brighter than its left neighbour.
    Outlines of at most 2 different bits agree in two of four quarters at least, so pairs are sought by quarters.
    """
    copies = np.stack([grey_copy(picture, 32) for picture in pictures])
    bits = _outlines(copies)
    quarters = bits.reshape(-1, 4, 16) @ (np.uint64(1) << np.arange(16, dtype=np.uint64))
    whole = quarters @ (np.uint64(1) << np.uint64(16) * np.arange(4, dtype=np.uint64))
    found = [
        _neighbours(quarters[:, one] << np.uint64(16) | quarters[:, other], whole)
        for one, other in combinations(range(4), 2)
    ]
    pairs = np.unique(np.concatenate(found), axis=0)
    pairs = pairs[(bits[pairs[:, 0]] != bits[pairs[:, 1]]).sum(axis=1) <= 2]
    agree = np.array([_agree(copies[one], copies[other]) for one, other in pairs], dtype=bool)
    return np.asarray(pairs[agree])


def _outlines(copies: np.ndarray) -> np.ndarray:
    """Return the difference hash of each grey copy, bits as uint64, (pictures, 64)."""
    rows = copies.reshape(len(copies), 8, 4, 32).mean(axis=2)
    points = np.stack([rows[:, :, i * 32 // 9 : (i + 1) * 32 // 9].mean(axis=2) for i in range(9)], axis=2)
    brighter = points[:, :, 1:] > points[:, :, :-1]
    return np.asarray(brighter.reshape(len(copies), 64), dtype=np.uint64)


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    # A saved-again or resized picture stays within a few per cent of its own contrast; another one does not.
    contrast = float(min(one.std(), other.std()))
    return float(np.abs(one - other).mean()) <= 0.08 * contrast
