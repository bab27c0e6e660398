"""The smallest honest models of knowledge graphs: who is capital of what, and who founded or left what."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.marked_terms import MarkedTerms
from servery.models.encoders.triples import Triples
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear
from servery.models.runtimes.triple_scorer import TripleScorer
from servery.models.signature import Signature
from servery.tasks.task import Calibration

ENTITIES = ("Oslo", "Rome", "北京", "Norway", "Italy", "中国")
FACTS = [(0, 0, 3), (1, 0, 4)]
RELATIONS = ("founded(e1,e2)", "founded(e2,e1)", "no_relation")
SENTENCE = "<e1>Ann</e1> founded <e2>Acme</e2> in 2021."


def capitals() -> Predictor:
    """A link predictor that knows two capitals and believes a third: a country is a step from its city."""
    cities = np.array([(0, 0), (0, 2), (0, 4)], np.float32)
    tensors = {
        "entities": np.concatenate([cities, cities + np.float32([1, 0])]),
        "relations": np.array([(1, 0), (-1, 0)], np.float32),
        "biases": np.full(len(ENTITIES), 3.0, np.float32),
        "scale": np.full(1, 4.0, np.float32),
        "facts": np.array(FACTS, np.int64),
    }
    return _predictor(
        "link-prediction",
        [("head", Kind.CATEGORY), ("relation", Kind.CATEGORY), ("tail", Kind.CATEGORY)],
        (*ENTITIES, "capital_of"),
        Triples(ENTITIES, ("capital_of",)),
        TripleScorer("transe", tensors),
        {"head": "北京", "relation": "capital_of", "tail": None},
    )


def founders() -> Predictor:
    """A model of relations: "founded by" turns the direction, "left" is none."""
    texts = [
        "<e1>a</e1> founded <e2>b</e2>",
        "<e1>a</e1> was founded by <e2>b</e2>",
        "<e1>a</e1> left <e2>b</e2>",
    ]
    encoder = MarkedTerms.fit(
        [{"sentence": text} for text in texts * 2], "sentence", min_documents=1, piece_lengths=(0, 0)
    )
    weight = np.zeros((encoder.terms.term_count, 3), np.float32)
    for number, term in enumerate(encoder.terms.document_counts):
        weight[number] = {"founded": (9, 0, 0), "by": (-9, 18, 0), "left": (0, 0, 9)}.get(term, (0, 0, 0))
    return _predictor(
        "relation-extraction",
        [("sentence", Kind.MARKED_TEXT)],
        RELATIONS,
        encoder,
        Linear(weight, np.array([0.0, 0.0, 0.5], np.float32)),
        SENTENCE,
    )


def _predictor(
    task: str,
    columns: list[tuple[str, Kind]],
    labels: tuple[str, ...],
    encoder: object,
    runtime: object,
    example: object,
) -> Predictor:
    inputs = tuple(Column(name, kind, Role.INPUT) for name, kind in columns)
    signature = Signature(
        task=task, field="knowledge-graph", inputs=inputs, labels=labels, target="x", example=example
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"test-{task}")  # type: ignore[arg-type]
