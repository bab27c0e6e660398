"""Multi-label classification: which of the labels, none or many, fit the input?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics import calibration as believable
from servery.metrics import multi_label as found
from servery.metrics.ranking_curves import macro_ranking
from servery.tasks._labels import hub_name, hub_shape, refuse_targets
from servery.tasks._scores import ScoresOnly, score_rows, scores_column, scores_of, scores_only
from servery.tasks._temperature import fit_temperature
from servery.tasks._thresholds import fit_thresholds
from servery.tasks.label_task import LabelTask
from servery.tasks.task import Answer, Calibration, Parameters

_Threshold = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class SelectedLabel(msgspec.Struct, frozen=True):
    """A label, the chance that it fits, from 0 to 1, and whether that is enough for it to be selected."""

    label: str
    score: float
    selected: bool


class MultiLabelParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: Keeps that many labels of each answer; null keeps all.
        threshold: Selects the labels from that score on; null uses the one fitted for each label.
        least_confidence: Abstains where the model expects a lower F1 of its selection; null uses the fitted one.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    threshold: _Threshold | None = None
    least_confidence: _Threshold | None = None


class MultiLabelAnswer(Answer, frozen=True):
    """Which labels fit.

    Attributes:
        labels: From the best score down; each is judged alone, so the scores do not sum to 1.
        abstains: Whether the model is too unsure of its selection to stand by it.
    """

    labels: tuple[SelectedLabel, ...]
    abstains: bool = False


class MultiLabelClassification(LabelTask):
    """Any number of labels a row."""

    name = "multi-label-classification"
    title = {"en": "Multi-label classification", "zh": "多标签分类"}
    summary = "Which of the labels, none or many, fit the input?"
    primary_metric = "macro_f1"
    quality_title = "F1 of a row's labels, mean over rows"
    parameters = MultiLabelParameters
    answer = MultiLabelAnswer

    def accepts(self, target: Column) -> bool:
        """Whether a cell of the target holds labels."""
        return target.kind is Kind.LABELS

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return every label that occurs, sorted.

        Raises:
            DataError: There is none.
        """
        cells = dataset[dataset.target.name]
        labels = sorted({label for cell in cells if cell is not None for label in cell})
        if not labels:
            raise DataError(f"No row of the target '{dataset.target.name}' carries a label.", param="target")
        return tuple(labels)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return 1.0 where a row carries a label, float32, (rows, labels).

        Raises:
            DataError: A target is missing or carries something that is none of `labels`.
        """
        places = {label: place for place, label in enumerate(labels)}
        encoded = np.zeros((len(dataset), len(labels)), dtype=np.float32)
        refused = []
        for row, cell in enumerate(dataset[dataset.target.name]):
            if cell is None or not places.keys() >= set(cell):
                refused.append(row)
            else:
                encoded[row, [places[label] for label in cell]] = 1.0
        refuse_targets(dataset, np.array(refused, dtype=np.int64), labels)
        return encoded

    def scores(self, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return sigmoid(outputs / temperature), float64, (rows, labels)."""
        half = outputs.astype(np.float64) / (2.0 * calibration.temperature)
        return np.asarray(0.5 * (1.0 + np.tanh(half)))  # the sigmoid, written so that it cannot overflow

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Return the logarithms of the odds."""
        return np.asarray(np.log(scores) - np.log1p(-scores))

    def confidence(self, scores: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return about the F1 to expect of each row's selection, if the scores can be believed.

        Expected hits are the selected scores, expected labels all scores; where none is selected, it is the chance
        that there was none to find.
        """
        taken = scores >= _thresholds(calibration)
        count = taken.sum(axis=1)
        expected = 2 * (scores * taken).sum(axis=1) / np.maximum(count + scores.sum(axis=1), 1e-12)
        return np.asarray(np.where(count > 0, expected, np.prod(1.0 - scores, axis=1)))

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one answer a row, its labels from the best score down."""
        if isinstance(parameters, ScoresOnly):
            return score_rows(self.scores(outputs, calibration))
        asked = parameters if isinstance(parameters, MultiLabelParameters) else MultiLabelParameters()
        scores = self.scores(outputs, calibration)
        calibration = _asked(calibration, asked, len(labels))
        order = np.argsort(-scores, axis=1, kind="stable")[:, : asked.top_k]
        ranked = np.take_along_axis(scores, order, axis=1)
        selected = np.take_along_axis(scores >= _thresholds(calibration), order, axis=1)
        abstains = self.abstains(scores, calibration)
        rows = zip(order.tolist(), ranked.tolist(), selected.tolist(), abstains.tolist(), strict=True)
        return [_answer(*row, labels) for row in rows]

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric by name; one that is undefined on these rows is left out.

        F1, `subset_accuracy` and `hamming_loss` are at the fitted thresholds; `roc_auc` and
        `average_precision` are means over the labels; `log_loss`, `brier` and `ece` are over all decisions.
        """
        scores = self.scores(outputs, calibration)
        carried = targets > 0
        selected = scores >= _thresholds(calibration)
        roc_auc, average_precision = macro_ranking(carried, scores)
        metrics = {
            "macro_f1": found.macro_f1(carried, selected),
            "micro_f1": found.micro_f1(carried, selected),
            "subset_accuracy": found.subset_accuracy(carried, selected),
            "hamming_loss": found.hamming_loss(carried, selected),
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "log_loss": believable.binary_log_loss(carried, scores),
            "brier": believable.brier(carried.ravel(), scores.ravel()),
            "ece": believable.ece(*believable.decisions(targets, scores)),
            **self.abstention_metrics(targets, outputs, calibration),
        }
        return {name: value for name, value in metrics.items() if np.isfinite(value)}

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the macro F1 alone."""
        selected = self.scores(outputs, calibration) >= _thresholds(calibration)
        return found.macro_f1(targets > 0, selected)

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the temperature by the log loss, then each label's threshold by its F1.

        Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2; for the thresholds
        see `fit_thresholds`.
        """
        signed = np.where(targets > 0, outputs, -outputs).astype(np.float64)
        temperature = fit_temperature(lambda t: float(np.logaddexp(0.0, -signed / t).sum()))
        thresholds = fit_thresholds(targets > 0, outputs.astype(np.float64) / temperature)
        return Calibration(temperature, tuple(thresholds.tolist()), fitted_on=len(targets))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the log odds of the labels' shares, with one row each way added, for every row."""
        carrying = (targets > 0).sum(axis=0) + 1.0
        odds = np.log(carrying / (len(targets) + 2.0 - carrying))
        return np.tile(odds.astype(np.float32), (rows, 1))

    def best_label(self, answer: MultiLabelAnswer) -> str:
        """Return the label with the highest score."""
        return answer.labels[0].label

    def score_of(self, answer: MultiLabelAnswer, label: str) -> float:
        """Return the score of a label; 0 where `top_k` left it out."""
        return next((pair.score for pair in answer.labels if pair.label == label), 0.0)

    def tensor_parameters(self, parameters: Parameters) -> Parameters:
        """Return what asks for the bare scores."""
        return scores_only(parameters)

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "scores"."""
        return (scores_column(labels),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the scores, float32, (rows, labels)."""
        return {"scores": scores_of(answers)}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return the Hub's name of classification for these inputs, e.g. "image-classification"."""
        return hub_name(kinds)

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return lists of label and score; for tables the selected labels, joined by commas."""
        given = [a for a in answers if isinstance(a, MultiLabelAnswer)]
        if hub_name(kinds) == "tabular-classification":
            return [", ".join(p.label for p in answer.labels if p.selected) for answer in given]
        rows = [[{"label": p.label, "score": p.score} for p in answer.labels] for answer in given]
        return hub_shape(rows, kinds, is_batch)


def _thresholds(calibration: Calibration) -> np.ndarray | float:
    return np.array(calibration.thresholds) if calibration.thresholds else 0.5


def _asked(calibration: Calibration, asked: MultiLabelParameters, labels: int) -> Calibration:
    """Return the calibration with what the caller sets in its place."""
    if asked.threshold is not None:
        calibration = replace(calibration, thresholds=(asked.threshold,) * labels)
    if asked.least_confidence is not None:
        calibration = replace(calibration, least_confidence=asked.least_confidence)
    return calibration


def _answer(
    order: list[int], scores: list[float], selected: list[bool], abstains: bool, labels: Sequence[str]
) -> MultiLabelAnswer:
    parts = tuple(
        SelectedLabel(labels[place], score, taken)
        for place, score, taken in zip(order, scores, selected, strict=True)
    )
    return MultiLabelAnswer(parts, abstains)


MULTI_LABEL_CLASSIFICATION = MultiLabelClassification()
