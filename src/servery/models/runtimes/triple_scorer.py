"""Scores of triples from learned vectors, in numpy: TransE, DistMult, ComplEx, RotatE and plain frequencies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.data.triple_files import HEAD, RELATION, TAIL
from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders.triples import ASKED, UNKNOWN
from servery.models.runtime import Runtime
from servery.tasks.link_prediction import TRIPLE_NUMBERS

FILE = "vectors.safetensors"
CHUNK = 16
"""Questions scored at once, always as many: fewer rows would be rounded in another order."""
_TAILS, _HEADS, _BOTH = 0, 1, 2

Query = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _frequency(subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
    return relations


def _translation(subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
    return np.asarray(subjects + relations)


def _product(subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
    return np.asarray(subjects * relations)


def _complex_product(subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
    real, imaginary = np.split(subjects, 2, axis=1)
    across, turned = np.split(relations, 2, axis=1)
    return np.concatenate([real * across - imaginary * turned, real * turned + imaginary * across], axis=1)


def _rotation(subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
    turns = np.concatenate([np.cos(relations), np.sin(relations)], axis=1, dtype=np.float32)
    return _complex_product(subjects, turns)


QUERIES: dict[str, tuple[Query, bool]] = {
    "frequency": (_frequency, False),
    "transe": (_translation, True),
    "distmult": (_product, False),
    "complex": (_complex_product, False),
    "rotate": (_rotation, True),
}
"""Model to how subject and relation become one vector, and whether objects are sought by distance (or by product).

The halves of a vector are its real and its imaginary part.
"""


class TripleScorer(Runtime):
    """Learned vectors and the known facts.

    Args:
        model: One of `QUERIES`.
        tensors: `entities`, float32, (entities, size); `relations`, float32, (2 * relations, ...), each relation and
            then each turned around; `biases`, float32, (entities,); `scale`, float32, (1,), of distances; `facts`,
            int64, (facts, 3), numbers of head, relation and tail.
    """

    name = "triple_scorer"

    def __init__(self, model: str, tensors: dict[str, np.ndarray]) -> None:
        self.model = model
        self.tensors = tensors
        self._query, self._is_distance = QUERIES[model]
        self.entities = tensors["entities"]
        self.relations = tensors["relations"]
        self.relation_count = len(self.relations) // 2
        self._facts = _Facts(tensors["facts"], self.relation_count)
        self._lengths = (self.entities**2).sum(axis=1)

    def run(self, batch: Batch) -> np.ndarray:
        """Return what `LinkPrediction` reads: of whole triples 10 numbers each, of questions their candidates.

        Returns:
            float32, (rows, 10) or (rows, candidates, 5), or objects, (rows,), where rows differ in shape.
        """
        parts = np.stack([batch[HEAD], batch[RELATION], batch[TAIL]], axis=1)  # (rows, 3)
        is_whole = (parts != ASKED).all(axis=1)
        if is_whole.all():
            return self._triples(parts)
        whole = iter(self._triples(parts[is_whole]))
        limits = zip(batch["top_k"].tolist(), batch["exclude_known"].tolist(), strict=True)
        rows = [
            next(whole) if complete else self._candidates(part, top_k, bool(exclude_known))
            for part, complete, (top_k, exclude_known) in zip(parts, is_whole, limits, strict=True)
        ]
        if len({row.shape for row in rows}) == 1:
            return np.stack(rows)
        outputs = np.empty(len(rows), object)
        for place, row in enumerate(rows):
            outputs[place] = row
        return outputs

    def scores(self, subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
        """Return how well each entity completes (subject, relation, ?), float32, (rows, entities).

        Args:
            subjects: Numbers of entities, (rows,).
            relations: Numbers of relations, those turned around from `relation_count` on, (rows,).
        """
        found = np.empty((len(subjects), len(self.entities)), np.float32)
        for start in range(0, len(subjects), CHUNK):
            chunk = slice(start, start + CHUNK)
            count = len(subjects[chunk])
            padded = np.zeros((2, CHUNK), np.int64)
            padded[0, :count], padded[1, :count] = subjects[chunk], relations[chunk]
            found[chunk] = self._scored(padded[0], padded[1])[:count]
        return found

    def _scored(self, subjects: np.ndarray, relations: np.ndarray) -> np.ndarray:
        queries = self._query(self.entities[subjects], self.relations[relations])  # (rows, size)
        products = queries @ self.entities.T  # (rows, entities)
        if not self._is_distance:
            return np.asarray(products + self.tensors["biases"])
        lengths = (queries**2).sum(axis=1, keepdims=True)
        distances = np.maximum(lengths - 2.0 * products + self._lengths, 0.0)
        return np.asarray(self.tensors["biases"] - self.tensors["scale"] * distances)

    def _triples(self, parts: np.ndarray) -> np.ndarray:
        """Return relation, known or not, score and others above and beside for tail and head, and exchanged scores."""
        outputs = np.zeros((len(parts), TRIPLE_NUMBERS), np.float32)
        is_met = (parts != UNKNOWN).all(axis=1)
        # Of a name never met nothing is known: the triple gets the last rank and a score below all others.
        outputs[:, [3, 6]] = len(self.entities)
        outputs[:, [2, 5, 8, 9]] = -1e4
        heads, relations, tails = parts[is_met].T
        if not len(heads):
            return outputs
        exchanged = self._facts.exchanged(heads, relations, tails, len(self.entities))
        by_tail = self.scores(heads, relations)
        by_head = self.scores(tails, relations + self.relation_count)
        by_exchanged = self.scores(exchanged, relations + self.relation_count)
        rows = np.arange(len(heads))
        outputs[is_met] = np.stack(
            [
                relations,
                [self._facts.has(*part) for part in parts[is_met].tolist()],
                *self._placed(by_tail, heads, relations, tails),
                *self._placed(by_head, tails, relations + self.relation_count, heads),
                by_tail[rows, exchanged],
                by_exchanged[rows, heads],
            ],
            axis=1,
        )
        return outputs

    def _placed(
        self, scores: np.ndarray, subjects: np.ndarray, relations: np.ndarray, objects: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the objects' own scores, and how many others score more and the same; known facts do not count."""
        own = scores[np.arange(len(objects)), objects]
        above, tied = (scores > own[:, None]).sum(axis=1), (scores == own[:, None]).sum(axis=1) - 1
        for row, (subject, relation) in enumerate(zip(subjects.tolist(), relations.tolist(), strict=True)):
            known = self._facts.objects(subject, relation)
            beside = scores[row, known[known != objects[row]]]
            above[row] -= (beside > own[row]).sum()
            tied[row] -= (beside == own[row]).sum()
        return own, above, tied

    def _candidates(self, part: np.ndarray, top_k: int, exclude_known: bool) -> np.ndarray:
        """Return the best candidates of one question: place, score, question, relation, known; (candidates, 5)."""
        head, relation, tail = part.tolist()
        if relation == ASKED:
            return self._relations_between(head, tail, top_k, exclude_known)
        question = _TAILS if tail == ASKED else _HEADS
        subject = head if tail == ASKED else tail
        turned = relation + question * self.relation_count
        scores = self.scores(np.array([subject]), np.array([turned]))[0]
        is_known = np.zeros(len(scores), bool)
        is_known[self._facts.objects(subject, turned)] = True
        columns = (np.arange(len(scores)), scores, question, relation, is_known)
        return _best(columns, top_k, exclude_known)

    def _relations_between(self, head: int, tail: int, top_k: int, exclude_known: bool) -> np.ndarray:
        every = np.arange(self.relation_count)
        by_tail = self.scores(np.full_like(every, head), every)[:, tail]
        by_head = self.scores(np.full_like(every, tail), every + self.relation_count)[:, head]
        is_known = np.array([self._facts.has(head, relation, tail) for relation in every.tolist()])
        places = len(self.entities) + every  # the labels are the entities, then the relations
        return _best((places, (by_tail + by_head) / 2.0, _BOTH, every, is_known), top_k, exclude_known)

    def options(self) -> dict[str, Any]:
        """Return which model it is."""
        return {"model": self.model}

    def save(self, folder: Path) -> None:
        """Write `vectors.safetensors`."""
        save_file(
            {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}, folder / FILE
        )

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> TripleScorer:
        """Read `vectors.safetensors`.

        Raises:
            ArtifactError: The vectors are torn or of other shapes.
        """
        try:
            tensors = load_file(folder / FILE)
            _check(options["model"], tensors)
            return cls(options["model"], tensors)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, IndexError) as error:
            raise ArtifactError(f"The vectors in {folder.name} cannot be read: {error!r}.") from error


class _Facts:
    """Known facts, by subject and relation, in both directions."""

    def __init__(self, facts: np.ndarray, relation_count: int) -> None:
        self._factor = 2 * relation_count
        turned = np.stack([facts[:, 2], facts[:, 1] + relation_count, facts[:, 0]], axis=1)
        both = np.unique(np.concatenate([facts, turned]), axis=0)
        keys = both[:, 0] * self._factor + both[:, 1]
        order = np.argsort(keys, kind="stable")
        self._objects: np.ndarray = both[order, 2]
        self._keys, starts = np.unique(keys[order], return_index=True)
        self._bounds = np.append(starts, len(both))
        self._tails = [np.unique(facts[facts[:, 1] == relation, 2]) for relation in range(relation_count)]

    def objects(self, subject: int, relation: int) -> np.ndarray:
        """Return the objects of the facts (subject, relation, ?), sorted."""
        key = subject * self._factor + relation
        place = int(np.searchsorted(self._keys, key))
        if place == len(self._keys) or self._keys[place] != key:
            return self._objects[:0]
        return np.asarray(self._objects[self._bounds[place] : self._bounds[place + 1]])

    def has(self, head: int, relation: int, tail: int) -> bool:
        """Whether a triple is a known fact."""
        return bool((self.objects(head, relation) == tail).any())

    def exchanged(
        self, heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, entities: int
    ) -> np.ndarray:
        """Return another tail for each triple, one that the relation has elsewhere but not with this head.

        Source: Socher et al. (2013), Reasoning with neural tensor networks, section 5.2.
        """
        chosen = []
        for head, relation, tail in zip(heads.tolist(), relations.tolist(), tails.tolist(), strict=True):
            taken = np.append(self.objects(head, relation), tail)
            free = np.setdiff1d(self._tails[relation], taken, assume_unique=False)
            free = free if len(free) else np.setdiff1d(np.arange(entities), taken)
            # A number that follows from the triple, spread over the free tails.
            chosen.append(
                int(free[(head * 2_654_435_761 + tail * 40_503) % len(free)]) if len(free) else tail
            )
        return np.array(chosen, np.int64)


def _best(columns: tuple[Any, ...], top_k: int, exclude_known: bool) -> np.ndarray:
    lines = np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float32)  # (candidates, 5)
    if exclude_known:
        lines = lines[lines[:, 4] == 0]
    return lines[np.argsort(-lines[:, 1], kind="stable")[:top_k]]


def _check(model: str, tensors: dict[str, np.ndarray]) -> None:
    entities, relations, facts = tensors["entities"], tensors["relations"], tensors["facts"]
    if model not in QUERIES or entities.ndim != 2 or relations.ndim != 2 or len(relations) % 2:
        raise ValueError(f"a {model!r} of shapes {entities.shape} and {relations.shape}")
    width = entities.shape[1] // 2 if model == "rotate" else entities.shape[1]
    halves = model in ("complex", "rotate") and entities.shape[1] % 2
    if relations.shape[1] != width or halves or tensors["biases"].shape != (len(entities),):
        raise ValueError(
            f"shapes {entities.shape}, {relations.shape} and {tensors['biases'].shape} do not fit"
        )
    if facts.ndim != 2 or facts.shape[1] != 3 or tensors["scale"].shape != (1,):
        raise ValueError(f"facts of the shape {facts.shape}")
    limits = (len(entities), len(relations) // 2, len(entities))
    if len(facts) and ((facts < 0).any() or (facts.max(axis=0) >= limits).any()):
        raise ValueError("a fact names an entity or relation that is not there")


RUNTIME = TripleScorer
