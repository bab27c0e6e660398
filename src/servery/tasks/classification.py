"""Classification: which one of the labels fits the input?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics import calibration as believable
from servery.metrics import classification as found
from servery.metrics.agreement import matthews_correlation
from servery.metrics.intervals import LEAST_COVERAGE, MOST_COVERAGE, PROMISED, conformal_margins, margin_at
from servery.metrics.ranking_curves import Ranking, macro_ranking
from servery.tasks._labels import hub_name, hub_shape, refuse_targets
from servery.tasks._scores import (
    ScoresOnly,
    places_of,
    score_rows,
    scores_column,
    scores_of,
    scores_only,
    texts,
)
from servery.tasks._temperature import fit_temperature
from servery.tasks.label_task import LabelTask, decided
from servery.tasks.operating_point import Goal, OperatingPoint, expected_costs, fit_threshold, metrics_at
from servery.tasks.task import Answer, Calibration, Parameters


class LabelScore(msgspec.Struct, frozen=True):
    """A label and the chance that it fits, from 0 to 1."""

    label: str
    score: float


class Decision(msgspec.Struct, frozen=True):
    """How the label was decided: `positive` is said from the score `threshold` on, chosen for the `goal`."""

    positive: str
    threshold: float
    goal: str = ""


class ClassificationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: Keeps that many labels of each answer; null keeps all.
        least_confidence: Abstains below that score; null uses the one fitted to what a mistake costs.
        coverage: Share of answers whose `likely` labels are to hold the true one; null asks for no such set.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    least_confidence: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    coverage: Annotated[float, msgspec.Meta(ge=LEAST_COVERAGE, le=MOST_COVERAGE)] | None = None


class ClassificationAnswer(Answer, frozen=True):
    """What fits best.

    Attributes:
        label: The best label, or with an operating point the one that it decides for.
        score: Its score.
        labels: The labels with their scores from the best down; all scores sum to 1.
        abstains: Whether the model would rather not answer: too unsure, or none of its labels fits.
        likely: Where a coverage was asked for: the labels that cannot be ruled out at it, from the best down.
        decision: Of a model with an operating point: where it draws the line; else left out.
    """

    label: str
    score: float
    labels: tuple[LabelScore, ...]
    abstains: bool = False
    likely: tuple[str, ...] = ()
    decision: Decision | msgspec.UnsetType = msgspec.UNSET


class Classification(LabelTask):
    """One label a row."""

    name = "classification"
    title = {"en": "Classification", "zh": "分类"}
    summary = "Which one of the labels fits the input?"
    primary_metric = "macro_f1"
    quality_title = "share of rows answered rightly"
    parameters = ClassificationParameters
    answer = ClassificationAnswer
    has_operating_point: ClassVar[bool] = True
    """Whether a stated goal may draw the line elsewhere than at the best score."""

    def accepts(self, target: Column) -> bool:
        """Whether the target is a category."""
        return target.kind is Kind.CATEGORY

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the target's values, sorted; of two, the rarer one is last: the one to be found.

        Raises:
            DataError: There are fewer than two.
        """
        counts = Counter(value for value in dataset[dataset.target.name] if value is not None)
        if len(counts) < 2:
            raise DataError(
                f"The target '{dataset.target.name}' has {len(counts)} distinct value(s); "
                "classification needs two.",
                param="target",
            )
        labels = sorted(counts)
        if len(labels) == 2 and counts[labels[0]] < counts[labels[1]]:
            labels.reverse()
        return tuple(labels)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the position of every row's label, int64, (rows,).

        Raises:
            DataError: A target is missing or is none of `labels`.
        """
        places = {label: place for place, label in enumerate(labels)}
        encoded = np.array([places.get(v, -1) for v in dataset[dataset.target.name]], dtype=np.int64)
        refuse_targets(dataset, np.flatnonzero(encoded < 0), labels)
        return encoded

    def scores(self, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return softmax(outputs / temperature), float64, (rows, labels).

        Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2.
        """
        return np.asarray(np.exp(_log_softmax(outputs.astype(np.float64) / calibration.temperature)))

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Return the logarithms of the scores."""
        return np.asarray(np.log(scores))

    def log_odds(self, logits: np.ndarray, place: int) -> np.ndarray:
        """Return a label's logit less the mean of the others': of two labels, the log-odds of the softmax."""
        return np.asarray(logits[..., place] - np.delete(logits, place, axis=-1).mean(axis=-1))

    def confidence(self, scores: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return one minus what the answer is expected to cost; "none fits" is no answer and does not count.

        Without an operating point every mistake costs 1, and that is the best label's score.

        Source: Chow (1970), On optimum recognition error and reject tradeoff, section II, on costs of mistakes.
        """
        point = calibration.operating_point
        if point is not None:
            return 1.0 - expected_costs(scores, decided(scores, calibration), point)
        if calibration.outside >= 0:
            scores = np.delete(scores, calibration.outside, axis=1)
        return np.asarray(scores.max(axis=1))

    def mistake_costs(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return 1 for each row answered wrongly; with an operating point what its threshold says of the mistake."""
        costs = super().mistake_costs(targets, outputs, calibration)
        point = calibration.operating_point
        if point is None:
            return costs
        missed, false_alarm = point.mistake_weights
        return np.asarray(costs * np.where(targets == point.positive, missed, false_alarm))

    def deciding(
        self,
        calibration: Calibration,
        targets: np.ndarray,
        outputs: np.ndarray,
        labels: Sequence[str],
        goal: Goal,
    ) -> Calibration:
        """Return the calibration with the threshold of the positive label that the goal asks for.

        Of two labels the last is positive where none is named; without a goal the line is drawn at 0.5.

        Raises:
            DataError: Of more than two labels none is named, or there is no goal for it.
        """
        if not goal.stated and goal.positive not in labels:
            return calibration
        if not self.has_operating_point:
            return super().deciding(calibration, targets, outputs, labels, goal)
        positive = labels.index(goal.positive) if goal.positive in labels else len(labels) - 1
        if len(labels) > 2 and not (goal.positive and goal.stated):
            raise DataError(
                f"Of {len(labels)} labels one must be named as positive, with a goal for it.",
                hint=f"--positive {labels[0]} --goal sensitivity=0.9",
                param="positive",
            )
        carried = targets == positive
        threshold = fit_threshold(carried, self.scores(outputs, calibration)[:, positive], goal)
        counts = int(carried.sum()), int((~carried).sum())
        return replace(
            calibration, operating_point=OperatingPoint(positive, threshold, dict(goal.stated), *counts)
        )

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one answer a row, its labels from the best down; equal scores keep the order of `labels`."""
        if isinstance(parameters, ScoresOnly):
            scores = self.scores(outputs, calibration)
            return score_rows(scores, decided(scores, calibration))
        asked = parameters if isinstance(parameters, ClassificationParameters) else ClassificationParameters()
        if asked.least_confidence is not None:
            calibration = replace(calibration, least_confidence=asked.least_confidence)
        scores = self.scores(outputs, calibration)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : asked.top_k]
        ranked = np.take_along_axis(scores, order, axis=1)
        said, decision = decided(scores, calibration), _decision(calibration.operating_point, labels)
        abstains = self.abstains(scores, calibration).tolist()
        picks = zip(said.tolist(), scores[np.arange(len(said)), said].tolist(), strict=True)
        rows = zip(order.tolist(), ranked.tolist(), abstains, picks, strict=True)
        answers = [_answer(*row, labels, decision) for row in rows]
        if asked.coverage is None or not calibration.margins:
            return list(answers)
        sets = likely_labels(scores, calibration, asked.coverage)
        return [with_likely(*row, labels) for row in zip(answers, scores, sets, strict=True)]

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric by name; one that is undefined on these rows is left out.

        With two labels, ranking and calibration metrics speak of the positive or last one; with more, `roc_auc` and
        `average_precision` are means of one against the rest, and `ece` is of the best label's score.
        """
        scores = self.scores(outputs, calibration)
        label_count = scores.shape[1]
        matrix = found.confusion_matrix(targets, decided(scores, calibration), label_count)
        point = calibration.operating_point
        metrics = {
            "macro_f1": found.macro_f1(matrix),
            "accuracy": found.accuracy(matrix),
            "balanced_accuracy": found.balanced_accuracy(matrix),
            "matthews_correlation": matthews_correlation(matrix),
            "log_loss": believable.log_loss(targets, scores),
            "ece": believable.ece(*believable.decisions(targets, scores)),
        }
        positive = point.positive if point else 1
        is_binary = label_count == 2
        metrics |= _binary(targets == positive, scores[:, positive]) if is_binary else _many(targets, scores)
        if point is not None:
            metrics |= metrics_at(point, targets, scores)
        metrics |= self.abstention_metrics(targets, outputs, calibration)
        if calibration.margins:
            likely = likely_labels(scores, calibration, PROMISED)
            metrics["set_coverage_90"] = float(likely[np.arange(len(targets)), targets].mean())
            metrics["set_size_90"] = float(likely.sum(axis=1).mean())
        return {name: value for name, value in metrics.items() if np.isfinite(value)}

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the macro F1 alone."""
        predicted = decided(self.scores(outputs, calibration), calibration)
        return found.macro_f1(found.confusion_matrix(targets, predicted, outputs.shape[1]))

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the temperature by the log loss.

        Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2.
        """
        logits, rows = outputs.astype(np.float64), np.arange(len(targets))

        def loss(temperature: float) -> float:
            return float(-_log_softmax(logits / temperature)[rows, targets].sum())

        calibration = Calibration(temperature=fit_temperature(loss), fitted_on=len(targets))
        doubts = 1.0 - self.scores(outputs, calibration)[rows, targets]
        return replace(calibration, margins=conformal_margins(doubts))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the log of the labels' shares, with one row added to each, for every row."""
        counts = np.bincount(targets, minlength=label_count) + 1.0
        return np.tile(np.log(counts / counts.sum()).astype(np.float32), (rows, 1))

    def best_label(self, answer: ClassificationAnswer) -> str:
        """Return the label that is answered."""
        return answer.label

    def score_of(self, answer: ClassificationAnswer, label: str) -> float:
        """Return the score of a label; 0 where `top_k` left it out."""
        return next((pair.score for pair in answer.labels if pair.label == label), 0.0)

    def tensor_parameters(self, parameters: Parameters) -> Parameters:
        """Return what asks for the bare scores."""
        return scores_only(parameters)

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "scores", and "label": the best one."""
        return (scores_column(labels), Column("label", Kind.TEXT, Role.TARGET))

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the scores, float32, (rows, labels), and the labels that are answered, (rows,)."""
        scores = scores_of(answers)
        if "label" not in names:
            return {"scores": scores}
        return {"scores": scores, "label": texts([labels[place] for place in places_of(answers)])}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return the Hub's name of classification for these inputs, e.g. "image-classification"."""
        return hub_name(kinds)

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return lists of label and score; for tables the best labels alone."""
        given = [a for a in answers if isinstance(a, ClassificationAnswer)]
        if hub_name(kinds) == "tabular-classification":
            return [answer.label for answer in given]
        rows = [[{"label": p.label, "score": p.score} for p in answer.labels] for answer in given]
        return hub_shape(rows, kinds, is_batch)


def likely_labels(scores: np.ndarray, calibration: Calibration, coverage: float) -> np.ndarray:
    """Return which labels cannot be ruled out, bool, (rows, labels); the best one never is.

    Source: Sadinle, Lei and Wasserman (2019), Least ambiguous set-valued classifiers, section 2; thresholds by split
    conformal, Vovk et al. (2005), section 4.
    """
    likely = 1.0 - scores <= margin_at(calibration.margins, coverage)
    likely[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return np.asarray(likely)


def with_likely(
    answer: ClassificationAnswer, scores: np.ndarray, likely: np.ndarray, labels: Sequence[str]
) -> ClassificationAnswer:
    """Return the answer with the labels that cannot be ruled out, from the best down."""
    places = np.flatnonzero(likely)
    ordered = places[np.argsort(-scores[places], kind="stable")]
    return msgspec.structs.replace(answer, likely=tuple(labels[place] for place in ordered))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)  # the largest becomes 0: exp cannot overflow
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _answer(
    order: list[int],
    ranked: list[float],
    abstains: bool,
    picked: tuple[int, float],
    labels: Sequence[str],
    decision: Decision | msgspec.UnsetType,
) -> ClassificationAnswer:
    pairs = tuple(LabelScore(labels[place], score) for place, score in zip(order, ranked, strict=True))
    said, its_score = picked
    return ClassificationAnswer(labels[said], its_score, pairs, abstains, decision=decision)


def _decision(point: OperatingPoint | None, labels: Sequence[str]) -> Decision | msgspec.UnsetType:
    return Decision(labels[point.positive], point.threshold, point.words) if point else msgspec.UNSET


def _binary(is_positive: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    ranking = Ranking.of(is_positive, scores)
    return {
        "roc_auc": ranking.roc_auc,
        "average_precision": ranking.average_precision,
        "ks": ranking.ks,
        "gini": 2 * ranking.roc_auc - 1,
        "brier": believable.brier(is_positive, scores),
    }


def _many(targets: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    carried = targets[:, None] == np.arange(scores.shape[1])  # (rows, labels)
    roc_auc, average_precision = macro_ranking(carried, scores)
    return {
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "brier": believable.brier(carried, scores),
    }


CLASSIFICATION = Classification()
