"""Tagging: which pieces of a text are of which kind? Names of persons, places, products, or whatever was learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.tags import fault_of_spans
from servery.errors import DataError
from servery.metrics.entities import count_spans
from servery.tasks._chains import PLACES, Chains, chains_of, span_scores, spans_in, tag_count, tags_of
from servery.tasks._rows import refuse_rows
from servery.tasks._span_judgement import SpanJudgement
from servery.tasks._temperature import fit_temperature
from servery.tasks.task import Answer, Calibration, Judgement, LearnableTask, Parameters

CALIBRATION_ROWS = 2_000
"""As many rows fit one number to a percent."""
PENALTIES = tuple(half / 2 for half in range(9))
"""On a word outside of entities, in natural logarithms of odds."""


class TaggingParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        min_score: Leaves out entities that are less likely.
        ignore_labels: Leaves out entities of these labels.
        aggregation_strategy: The Hub's word for how tokens are joined; here entities always come whole.
        stride: The Hub's word for how the pieces of a long text overlap; here a text is read as a whole.
    """

    min_score: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    ignore_labels: Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)] | None = None
    aggregation_strategy: Literal["simple", "first", "average", "max"] | None = None
    stride: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None


class Entity(msgspec.Struct, frozen=True):
    """A labelled piece of a text: where it starts and ends, in characters, the end excluded, and the piece itself.

    `score` is the chance, from 0 to 1, that exactly this piece carries exactly this label.
    """

    label: str
    score: float
    start: int
    end: int
    word: str = ""


class TaggingAnswer(Answer, frozen=True):
    """The entities of one text, in the order of the text; none overlaps another."""

    entities: tuple[Entity, ...]


class Tagging(LearnableTask):
    """Labelled spans of a text; targets and answers are exact places in characters.

    `targets` are objects, (rows,), each int64, (spans, 3): start, end, label. `outputs` are float32,
    (rows, tags + words, 2 + tags), or objects, one a row; see `tasks._chains.chains_of`.
    """

    name = "tagging"
    title = {"en": "Tagging", "zh": "序列标注"}
    summary = "Which pieces of a text are of which kind?"
    primary_metric = "entity_f1"
    quality_title = "mean F1 of a text's entities"
    parameters = TaggingParameters
    answer = TaggingAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is spans."""
        return target.kind is Kind.SPANS

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the labels of the spans, sorted.

        Raises:
            DataError: No row has a span, or a row has what is none.
        """
        self._refuse_faults(dataset)
        labels = {str(span["label"]) for spans in dataset[dataset.target.name] for span in spans or ()}
        if not labels:
            raise DataError(
                f"No row of {dataset.source.name} has a span in {dataset.target.name!r}: there is nothing to learn.",
                param="target",
            )
        return tuple(sorted(labels))

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the spans of every row, in the order of the text, (rows,).

        Raises:
            DataError: Spans lie outside their text or over one another, or a label is none of `labels`.
        """
        self._refuse_faults(dataset)
        places = {label: place for place, label in enumerate(labels)}
        unknown = {
            row: f"the label {span['label']!r} is none of {', '.join(labels[:20])}"
            for row, spans in enumerate(dataset[dataset.target.name])
            for span in spans or ()
            if span["label"] not in places
        }
        refuse_rows(dataset, unknown)
        targets = np.empty(len(dataset), object)
        for row, spans in enumerate(dataset[dataset.target.name]):
            found = sorted((span["start"], span["end"], places[span["label"]]) for span in spans or ())
            targets[row] = np.array(found, np.int64).reshape(-1, 3)
        return targets

    def _refuse_faults(self, dataset: Dataset) -> None:
        """Raise a DataError for spans that cannot be."""
        texts = [c.name for c in dataset.inputs if c.kind is Kind.TEXT]
        if len(texts) != 1:
            named = ", ".join(map(repr, texts)) or "none"
            raise DataError(
                f"Spans are places in one text; the text columns are {named}.",
                hint="give the others the role ignored",
                param="roles",
            )
        rows = zip(dataset[texts[0]], dataset[dataset.target.name], strict=True)
        faults = [fault_of_spans(text or "", [] if spans is None else spans) for text, spans in rows]
        refuse_rows(dataset, {row: fault for row, fault in enumerate(faults) if fault})

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return the entities of the best chain of tags of each row; their words are filled in by `completed`."""
        asked = parameters if isinstance(parameters, TaggingParameters) else TaggingParameters()
        ignored = set(asked.ignore_labels or ())
        answers: list[Answer] = [TaggingAnswer(())] * len(outputs)
        for chains in chains_of(outputs, len(labels), calibration.temperature):
            found = [spans_in(tags) for tags in chains.best(_penalty(calibration))]
            scored = span_scores(chains, found)
            for number, row in enumerate(chains.rows.tolist()):
                entities = (
                    Entity(labels[label], score, int(places[first, 0]), int(places[last, 1]))
                    for places in (chains.places[number],)
                    for (first, last, label), score in zip(found[number], scored[number], strict=True)
                )
                kept = (e for e in entities if e.score >= asked.min_score and e.label not in ignored)
                answers[row] = TaggingAnswer(tuple(kept))
        return answers

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with each entity's piece of the text."""
        return [
            _with_words(answer, _text_of(example)) if isinstance(answer, TaggingAnswer) else answer
            for answer, example in zip(answers, examples, strict=True)
        ]

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric by name."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return the counts of each row."""
        label_count = labels_in(outputs)
        said: list[np.ndarray] = [np.zeros((0, 3), np.int64)] * len(outputs)
        scores: list[list[float]] = [[]] * len(outputs)
        for chains in chains_of(outputs, label_count, calibration.temperature):
            found = [spans_in(tags) for tags in chains.best(_penalty(calibration))]
            rows = zip(chains.rows.tolist(), chains.places, found, span_scores(chains, found), strict=True)
            for row, places, spans, values in rows:
                said[row], scores[row] = _in_characters(spans, places), values
        return SpanJudgement.of(list(targets), said, scores, label_count)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the F1 of each row's spans, 1 where there is none and none was said, float64, (rows,)."""
        judged = self.judge(targets, outputs, calibration)
        assert isinstance(judged, SpanJudgement)
        hits, both = judged.counts.hits.sum(axis=1), (judged.counts.said + judged.counts.there).sum(axis=1)
        return np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0)

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the temperature by the likelihood of the right chains, and by F1 how readily an entity is said.

        Where most words are outside, the likeliest chain says too few entities for the best F1; what a penalty on
        outside gains is tuned as thresholds of labels are. The scores stay those of the chains without it.

        Sources: Guo et al. (2017), On calibration of modern neural networks, section 4.2; Lipton, Elkan,
        Narayanaswamy (2014), Optimal thresholding of classifiers to maximize F1 measure, section 4.
        """
        some = outputs[:CALIBRATION_ROWS]
        chains = list(chains_of(some, labels_in(some), 1.0))
        tags = [_tags(c, targets) for c in chains]

        def loss(temperature: float) -> float:
            return sum(c.softened(temperature).loss(t) for c, t in zip(chains, tags, strict=True))

        temperature = fit_temperature(loss)
        penalty = best_penalty(targets[: len(some)], [c.softened(temperature) for c in chains])
        return Calibration(temperature=temperature, thresholds=(penalty,), fitted_on=len(some))

    def tuned(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Return a calibration that says entities as `calibrate` would, without the temperature; for while training."""
        return Calibration(
            thresholds=(best_penalty(targets, list(chains_of(outputs, labels_in(outputs), 1.0))),)
        )

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return rows without words: nothing is ever said."""
        tags = tag_count(label_count)
        return np.zeros((rows, tags, PLACES + tags), np.float32)

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return the outputs with the tags of `labels`; one that the model never met is never said."""
        if tuple(known) == tuple(labels):
            return outputs, calibration
        places = {label: place for place, label in enumerate(labels)}
        tags = np.array([0, *(1 + 2 * places[label] + within for label in known for within in (0, 1))])
        aligned = np.empty(len(outputs), object)
        for row, values in enumerate(outputs):
            aligned[row] = _with_tags(np.asarray(values), tags, tag_count(len(labels)))
        return aligned, calibration

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "token-classification"."""
        return "token-classification"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of {"entity_group", "score", "word", "start", "end"}; of several texts a list of lists."""
        rows = [
            [
                {"entity_group": e.label, "score": e.score, "word": e.word, "start": e.start, "end": e.end}
                for e in answer.entities
            ]
            for answer in answers
            if isinstance(answer, TaggingAnswer)
        ]
        return rows if is_batch else rows[0]


def labels_in(outputs: np.ndarray) -> int:
    """Return the number of labels that outputs have tags for."""
    width = outputs[0].shape[1] if outputs.dtype == object else outputs.shape[2]
    return int(width - PLACES - 1) // 2


def said_spans(outputs: np.ndarray, calibration: Calibration) -> list[np.ndarray]:
    """Return the spans that a model says of each row, each int64, (spans, 3)."""
    chains = chains_of(outputs, labels_in(outputs), calibration.temperature)
    return _said(chains, len(outputs), _penalty(calibration))


def best_penalty(targets: np.ndarray, chains: Sequence[Chains]) -> float:
    """Return the penalty on outside that gives the best F1 over all spans; the smallest of equals."""
    label_count = (chains[0].emissions.shape[2] - 1) // 2 if chains else 0

    def f1(penalty: float) -> float:
        return count_spans(list(targets), _said(chains, len(targets), penalty), label_count).overall()[2]

    return max(PENALTIES, key=lambda penalty: (f1(penalty), -penalty))


def _said(many: Iterable[Chains], rows: int, penalty: float) -> list[np.ndarray]:
    said: list[np.ndarray] = [np.zeros((0, 3), np.int64)] * rows
    for chains in many:
        for row, places, tags in zip(chains.rows.tolist(), chains.places, chains.best(penalty), strict=True):
            said[row] = _in_characters(spans_in(tags), places)
    return said


def _penalty(calibration: Calibration) -> float:
    return calibration.thresholds[0] if calibration.thresholds else 0.0


def _in_characters(spans: Sequence[tuple[int, int, int]], places: np.ndarray) -> np.ndarray:
    found = [(places[first, 0], places[last, 1], label) for first, last, label in spans]
    return np.array(found, np.int64).reshape(-1, 3)


def _tags(chains: Chains, targets: np.ndarray) -> np.ndarray:
    tags = np.zeros(chains.places.shape[:2], np.int64)
    for number, row in enumerate(chains.rows.tolist()):
        words = chains.places[number, : chains.lengths[number]]
        tags[number, : len(words)] = tags_of(targets[row], words)
    return tags


def _with_tags(values: np.ndarray, tags: np.ndarray, count: int) -> np.ndarray:
    """Return one row's outputs with its tags at other places; what stays empty is as good as impossible."""
    words = len(values) - len(tags)
    moved = np.zeros((count + words, PLACES + count), np.float32)
    moved[count:, :PLACES] = values[len(tags) :, :PLACES]
    moved[count:, PLACES:] = -1e4
    moved[count:, PLACES + tags] = values[len(tags) :, PLACES:]
    moved[tags[:, None], PLACES + tags] = values[: len(tags), PLACES:]
    return moved


def _text_of(example: Mapping[str, Any]) -> str:
    return next((value for value in example.values() if isinstance(value, str)), "")


def _with_words(answer: TaggingAnswer, text: str) -> TaggingAnswer:
    named = (msgspec.structs.replace(e, word=text[e.start : e.end]) for e in answer.entities)
    return TaggingAnswer(tuple(named))


TAGGING = Tagging()
