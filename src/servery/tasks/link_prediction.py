"""Link prediction: which entity completes a fact of a knowledge graph, and is a given triple true?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.triple_files import HEAD, RELATION, TAIL, TRUTH
from servery.errors import DataError
from servery.metrics.link_ranking import best_threshold, ranking_metrics, ranks_of
from servery.tasks._temperature import fit_temperature
from servery.tasks.task import Answer, Calibration, Judgement, LearnableTask, Parameters

DEFAULT_TOP_K = 10
TRIPLE_NUMBERS = 10
"""What a model puts out for a whole triple: number of the relation; whether the model knows it as a fact; for the tail
and then for the head: score, how many unknown candidates score higher, how many the same; for the tail and the head of
a triple whose tail was exchanged: score."""
_RELATION, _IS_KNOWN, _TAIL, _HEAD, _EXCHANGED = 0, 1, 2, 5, 8
PRIOR_TRIPLES = 10.0
"""Weight of the threshold of all relations in that of one; chosen on the validation part of codex-s."""


class LinkParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: Candidates of an answer, at most.
        exclude_known: Leaves out what completes a fact that the model has learned from.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] = DEFAULT_TOP_K
    exclude_known: bool = False


class Candidate(msgspec.Struct, frozen=True):
    """A name, the chance that the fact with it is true, and whether the model has learned from that fact."""

    name: str
    score: float
    is_known: bool


class LinkAnswer(Answer, frozen=True, omit_defaults=True):
    """To a question: the best candidates. To a whole triple: how likely it is, and how it ranks.

    Attributes:
        candidates: From the best down; none for a whole triple.
        score: Chance that the triple is true, from 0 to 1.
        is_true: Whether that is more likely than not.
        is_known: Whether the model has learned from it.
        tail_rank: Rank of its tail among all entities that make no known fact.
        head_rank: Rank of its head, likewise.
    """

    candidates: tuple[Candidate, ...] = ()
    score: float | None = None
    is_true: bool | None = None
    is_known: bool | None = None
    tail_rank: float | None = None
    head_rank: float | None = None


class LinkPrediction(LearnableTask):
    """The missing part of a triple, or whether a whole one holds.

    `outputs` of a whole triple are `TRIPLE_NUMBERS` numbers. Of a question: (candidates, 5): the candidate's place
    among the labels, its score, what is asked (0 tail, 1 head, 2 relation), its relation, whether the fact is known.
    `targets` are int64, (rows, 4): fingerprints of head, relation and tail, and the truth.
    Labels are the entities, then the relations. Thresholds are those of the relations for tails, then for heads, then
    for both together.
    """

    name = "link-prediction"
    title = {"en": "Link prediction", "zh": "链接预测"}
    summary = "Which entity completes a fact, and is a triple true?"
    primary_metric = "mrr"
    quality_title = "mean reciprocal rank of head and tail"
    parameters = LinkParameters
    answer = LinkAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target can be the truth of triples."""
        return target.kind is Kind.NUMBER and target.name == TRUTH

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the entities, then the relations, each sorted."""
        entities, relations = names_of(dataset)
        return (*entities, *relations)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the fingerprints of the names and the truth, int64, (rows, 4).

        Raises:
            DataError: A truth is neither 0 nor 1, or a triple lacks a part.
        """
        truth = np.asarray(dataset[dataset.target.name], np.float64)
        columns = [dataset[name] for name in (HEAD, RELATION, TAIL)]
        torn = np.flatnonzero(
            ~np.isin(truth, (0.0, 1.0))
            | np.any([[cell is None for cell in column] for column in columns], axis=0)
        )
        if len(torn):
            lines = ", ".join(str(dataset.line_numbers[row]) for row in torn[:5])
            raise DataError(
                f"{len(torn)} row(s) lack head, relation or tail, or have a truth that is neither 0 nor 1; "
                f"lines {lines}.",
                hint="correct or remove these rows",
                param="target",
            )
        known: dict[str, int] = {}
        prints = [[_fingerprint(name, known) for name in column] for column in columns]
        return np.array([*prints, truth.astype(np.int64)], np.int64).T

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return filtered ranking metrics over facts, and the share of triples rightly called true or false."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return the ranks and decisions, made once for all choices of rows."""
        outputs = triple_rows(outputs)
        ranks = filtered_ranks(targets, outputs)
        return _LinkJudgement(targets[:, 3] == 1, ranks, _right(targets, outputs, calibration))

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the mean reciprocal rank of a fact's head and tail; of a wrong triple whether that was seen."""
        outputs = triple_rows(outputs)
        reciprocal = (1.0 / filtered_ranks(targets, outputs)).mean(axis=1)
        return np.where(targets[:, 3] == 1, reciprocal, _right(targets, outputs, calibration))

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit a threshold a relation (for tails, heads and both) by accuracy, then the temperature by the log loss.

        Wrong triples are those of the validation part; where it has none, its facts with their tails exchanged.

        Source of thresholds by relation: Socher et al. (2013), Reasoning with neural tensor networks, section 5.2.
        """
        scores, relations, truth = _decisions(targets, triple_rows(outputs))
        count = int(relations.max(initial=0)) + 1
        thresholds: list[float] = []
        for column in range(3):
            prior = best_threshold(scores[:, column], truth, 0.0, 0.0)
            for relation in range(count):
                rows = relations == relation
                thresholds.append(best_threshold(scores[rows, column], truth[rows], prior, PRIOR_TRIPLES))
        margins = scores[:, 2] - np.array(thresholds)[2 * count + relations]

        def loss(temperature: float) -> float:
            return float(np.logaddexp(0.0, np.where(truth, -margins, margins) / temperature).sum())

        return Calibration(fit_temperature(loss), tuple(thresholds), len(targets))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return what a model puts out that gives all candidates the same score."""
        row = np.zeros(TRIPLE_NUMBERS, np.float32)
        row[[_TAIL + 2, _HEAD + 2]] = label_count - 1
        return np.tile(row, (rows, 1))

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples with what decides which candidates are looked at."""
        assert isinstance(parameters, LinkParameters)
        wanted = {"top_k": parameters.top_k, "exclude_known": parameters.exclude_known}
        return [{**example, **wanted} for example in examples]

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return candidates, or the judgement of a whole triple, with scores that can be believed."""
        return [
            _triple_answer(row, calibration)
            if np.ndim(row) == 1
            else _question_answer(row, labels, calibration)
            for row in outputs
        ]

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "link-prediction"; the Hub has no such task yet."""
        return "link-prediction"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of entity and score a question, an object with the score a whole triple."""
        rows = [_hub_answer(answer) for answer in answers if isinstance(answer, LinkAnswer)]
        return rows if is_batch else rows[0]


@dataclass(frozen=True)
class _LinkJudgement:
    """Of each row: is it a fact, (rows,); its ranks, (rows, 2); how far it was judged rightly, (rows,)."""

    is_fact: np.ndarray
    ranks: np.ndarray
    right: np.ndarray

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        ranks = self.ranks[rows[self.is_fact[rows]]]
        return {
            **ranking_metrics(ranks.ravel()),
            "tail_mrr": ranking_metrics(ranks[:, 0])["mrr"],
            "head_mrr": ranking_metrics(ranks[:, 1])["mrr"],
            "triple_accuracy": float(self.right[rows].mean()),
        }

    def primary(self, rows: np.ndarray) -> float:
        """Return the mean reciprocal rank on these rows."""
        return ranking_metrics(self.ranks[rows[self.is_fact[rows]]].ravel())["mrr"]


def names_of(dataset: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the entities and the relations of a data set of triples, each sorted.

    Raises:
        DataError: It lacks one of the columns head, relation and tail.
    """
    missing = [name for name in (HEAD, RELATION, TAIL) if name not in dataset.values]
    if missing:
        raise DataError(
            f"{dataset.source.name} has no column {', '.join(missing)}; a knowledge graph is read from the columns "
            "head, relation and tail.",
            param="data",
        )
    entities = {name for column in (HEAD, TAIL) for name in dataset[column] if name is not None}
    return tuple(sorted(entities)), tuple(sorted({name for name in dataset[RELATION] if name is not None}))


def filtered_ranks(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the ranks of each row's tail and head among all entities that make no other fact, (rows, 2).

    The model has left out the facts it knows; the other facts of these rows, which it cannot know, are left out here.

    Args:
        targets: int64, (rows, 4).
        outputs: Of whole triples, (rows, 10).

    Source: Bordes et al. (2013), Translating embeddings for modeling multi-relational data, section 4.2 (filtered).
    """
    ranks = np.empty((len(targets), 2))
    others = (targets[:, 3] == 1) & (outputs[:, _IS_KNOWN] == 0)
    for place, (first, group, member) in enumerate(((_TAIL, (0, 1), 2), (_HEAD, (2, 1), 0))):
        score, above, tied = (outputs[:, first + step].astype(np.float64) for step in range(3))
        for rows in _groups(targets[:, group]):
            beside = rows[others[rows]]
            if not len(beside):
                continue
            # A fact that stands in the rows twice counts once, and never against itself.
            beside = beside[np.unique(targets[beside, member], return_index=True)[1]]
            is_other = targets[rows][:, None, member] != targets[beside][None, :, member]
            above[rows] -= (is_other & (score[beside][None] > score[rows][:, None])).sum(axis=1)
            tied[rows] -= (is_other & (score[beside][None] == score[rows][:, None])).sum(axis=1)
        ranks[:, place] = ranks_of(above, tied)
    return ranks


def triple_rows(outputs: np.ndarray) -> np.ndarray:
    """Return the outputs of whole triples as one array, (rows, 10)."""
    return np.stack(list(outputs)) if outputs.dtype == object else outputs


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each distinct key."""
    codes = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _decisions(targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores of triples to tell apart (for tail, head, both), their relations, and whether they are facts."""
    relations, truth = outputs[:, _RELATION].astype(np.int64), targets[:, 3] == 1
    scores = _both(outputs[:, _TAIL], outputs[:, _HEAD])
    if truth.all():
        exchanged = _both(outputs[:, _EXCHANGED], outputs[:, _EXCHANGED + 1])
        return (
            np.concatenate([scores, exchanged]),
            np.tile(relations, 2),
            np.repeat([True, False], len(truth)),
        )
    return scores, relations, truth


def _both(tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    tail, head = tail.astype(np.float64), head.astype(np.float64)
    return np.stack([tail, head, (tail + head) / 2.0], axis=1)


def _right(targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return how far each row was judged rightly; where there are only facts, a fact and its exchanged triple."""
    scores, relations, truth = _decisions(targets, outputs)
    right = ((scores[:, 2] >= _thresholds(calibration, 2, relations)) == truth).astype(np.float64)
    return right if len(right) == len(targets) else np.asarray(right.reshape(2, -1).mean(axis=0))


def _thresholds(calibration: Calibration, question: int, relations: np.ndarray) -> np.ndarray:
    """Return the thresholds of relations for tails (0), heads (1) or both (2); 0 where none was fitted."""
    fitted = np.array(calibration.thresholds or (0.0,) * 3)
    count = len(fitted) // 3
    # A relation that the validation part lacks has the first threshold of its question.
    return np.asarray(fitted[question * count + np.where(relations < count, relations, 0)])


def _chance(margin: float, temperature: float) -> float:
    """Return the sigmoid, written so that it cannot overflow."""
    return float(0.5 * (1.0 + np.tanh(margin / (2.0 * temperature))))


def _triple_answer(row: np.ndarray, calibration: Calibration) -> LinkAnswer:
    score = (float(row[_TAIL]) + float(row[_HEAD])) / 2.0
    threshold = _thresholds(calibration, 2, row[[_RELATION]].astype(np.int64))[0]
    chance = _chance(score - threshold, calibration.temperature)
    ranks = [float(ranks_of(row[first + 1], row[first + 2])) for first in (_TAIL, _HEAD)]
    return LinkAnswer((), chance, chance >= 0.5, bool(row[_IS_KNOWN]), *ranks)


def _question_answer(row: np.ndarray, labels: Sequence[str], calibration: Calibration) -> LinkAnswer:
    candidates = []
    for place, score, question, relation, is_known in row.tolist():
        threshold = _thresholds(calibration, int(question), np.array([int(relation)]))[0]
        chance = _chance(score - threshold, calibration.temperature)
        candidates.append(Candidate(labels[int(place)], chance, bool(is_known)))
    return LinkAnswer(tuple(candidates))


def _hub_answer(answer: LinkAnswer) -> Any:
    if answer.score is not None:
        return {"score": answer.score, "is_true": answer.is_true}
    return [{"entity": candidate.name, "score": candidate.score} for candidate in answer.candidates]


def _fingerprint(name: str, known: dict[str, int]) -> int:
    """Return 63 bits that stand for a name, the same in every process."""
    if name not in known:
        known[name] = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) >> 1
    return known[name]


LINK_PREDICTION = LinkPrediction()
