"""Sentence embedding: where does a text stand among all texts? A vector; texts that mean alike stand close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.tasks.task import Answer, Calibration, HubQuestion, Parameters, Task

SOURCE, OTHERS = "source_sentence", "sentences"


class EmbeddingParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        normalize: Scales every vector to length 1; false leaves it as the model made it.
        dimensions: Numbers of a vector that the caller counts on; another size than the model's is refused.
    """

    normalize: bool = True
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None


class EmbeddingAnswer(Answer, frozen=True):
    """The vector of one text, and the tokens that were read for it."""

    embedding: tuple[float, ...]
    tokens: int


class SentenceEmbedding(Task):
    """A vector a text.

    `outputs` are float32, (rows, 1 + size): the tokens that were read, then the vector.
    """

    name = "sentence-embedding"
    title = {"en": "Sentence embedding", "zh": "句子向量"}
    summary = "Where does a text stand among all texts?"
    unit = "tokens"
    parameters = EmbeddingParameters
    answer = EmbeddingAnswer

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one vector a row, of length 1 unless the caller wants it as it is.

        Raises:
            InputError: The caller asks for another size than the model's.
        """
        asked = parameters if isinstance(parameters, EmbeddingParameters) else EmbeddingParameters()
        vectors = outputs[:, 1:]
        if asked.dimensions not in (None, vectors.shape[1]):
            raise InputError(
                f"This model's vectors have {vectors.shape[1]} numbers, and cannot be cut to {asked.dimensions}: "
                "it was not trained for that.",
                hint="leave dimensions out",
                param="dimensions",
            )
        if asked.normalize:
            vectors = unit_vectors(vectors)
        return [
            EmbeddingAnswer(tuple(vector), int(tokens))
            for vector, tokens in zip(vectors.tolist(), outputs[:, 0], strict=True)
        ]

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "embedding"."""
        return (Column("embedding", Kind.TENSOR, Role.TARGET, shape=(-1,)),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the vectors, float32, (rows, size)."""
        vectors = [answer.embedding for answer in answers if isinstance(answer, EmbeddingAnswer)]
        return {"embedding": np.array(vectors, np.float32)}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "feature-extraction"."""
        return "feature-extraction"

    def hub_question(self, inputs: Any) -> HubQuestion:
        """Read {"source_sentence", "sentences"} as the question how alike they are, anything else as texts.

        Raises:
            InputError: One of the two is missing or of another type.
        """
        if not isinstance(inputs, dict):
            return HubQuestion(inputs)
        source, others = inputs.get(SOURCE), inputs.get(OTHERS)
        if inputs.keys() != {SOURCE, OTHERS} or not isinstance(source, str) or not isinstance(others, list):
            raise InputError(
                f'Expected a text, a list of texts, or {{"{SOURCE}": text, "{OTHERS}": [texts]}}.',
                param="/inputs",
            )
        return HubQuestion([source, *others], lambda answers: similarities(answers).tolist())

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of numbers a text; always a list of them, as the client reads it."""
        return [answer.embedding for answer in answers if isinstance(answer, EmbeddingAnswer)]

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return the bytes of the texts and two more each: a token is never shorter than a byte."""
        texts = [value for example in examples for value in example.values() if isinstance(value, str)]
        return sum(len(text.encode()) + 2 for text in texts)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return the tokens that were read."""
        return sum(answer.tokens for answer in answers if isinstance(answer, EmbeddingAnswer))


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors scaled to length 1, float32, (rows, size); one of zeros stays so.

    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def similarities(answers: Sequence[Answer]) -> np.ndarray:
    """Return the cosine of the first vector with each of the others, float64, (others,)."""
    rows = [answer.embedding for answer in answers if isinstance(answer, EmbeddingAnswer)]
    vectors = unit_vectors(np.array(rows)).astype(np.float64)
    return np.asarray(vectors[1:] @ vectors[0])


SENTENCE_EMBEDDING = SentenceEmbedding()
