"""Text ranking: how well does a document answer a query? Both are read together (a cross-encoder)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.tasks.sentence_embedding import SENTENCE_EMBEDDING
from servery.tasks.task import Answer, Calibration, Parameters, Task


class RankingAnswer(Answer, frozen=True):
    """How well the document answers the query, from 0 to 1, and the tokens that were read for it."""

    score: float
    tokens: int


class TextRanking(Task):
    """A score a pair of query and document; a model's inputs are two text columns, the query first.

    `outputs` are float32, (rows, 2): the tokens that were read, then the logit.
    """

    name = "text-ranking"
    title = {"en": "Text ranking", "zh": "文本排序"}
    summary = "How well does a document answer a query?"
    unit = "tokens"
    parameters = Parameters
    answer = RankingAnswer

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return sigmoid(logit / temperature) a row."""
        half = outputs[:, 1].astype(np.float64) / (2.0 * calibration.temperature)
        scores = 0.5 * (1.0 + np.tanh(half))  # the sigmoid, written so that it cannot overflow
        rows = zip(scores.tolist(), outputs[:, 0], strict=True)
        return [RankingAnswer(score, int(tokens)) for score, tokens in rows]

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "score"."""
        return (Column("score", Kind.TENSOR, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the scores, float32, (rows,)."""
        scores = [answer.score for answer in answers if isinstance(answer, RankingAnswer)]
        return {"score": np.array(scores, np.float32)}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "text-ranking"."""
        return "text-ranking"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a score a pair; the Hub's client has no call for this task yet."""
        return [{"score": answer.score} for answer in answers if isinstance(answer, RankingAnswer)]

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return the bytes of the texts and two more each: a token is never shorter than a byte."""
        return SENTENCE_EMBEDDING.most_units(examples)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return the tokens that were read."""
        return sum(answer.tokens for answer in answers if isinstance(answer, RankingAnswer))


TEXT_RANKING = TextRanking()
