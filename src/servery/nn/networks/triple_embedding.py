"""The network of knowledge graphs: vectors of entities and relations that complete triples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network

MODELS = ("transe", "distmult", "complex", "rotate")


class TripleEmbedding(Network):
    """Subject and relation become one vector; an object's score is its product with that, or minus its distance.

    Each relation has a second vector for its other direction, so that heads are sought like tails (reciprocal
    relations: Lacroix et al. 2018, Canonical tensor decomposition, section 3.3).

    Source: Bordes et al. (2013), Translating embeddings (TransE), section 2; Yang et al. (2015), Embedding entities and
    relations (DistMult), section 3; Trouillon et al. (2016), Complex embeddings (ComplEx), section 3; Sun et al.
    (2019), RotatE, section 3.

    Args:
        model: One of `MODELS`; the halves of the vectors of "complex" and "rotate" are real and imaginary part.
        entities: Number of entities.
        relations: Number of relations.
        size: Length of a vector, even.
        deviation: Of the first numbers.
        entity_dropout: Share of a subject's numbers left out in training.
        relation_dropout: Share of a relation's numbers left out in training.
    """

    name = "triple_embedding"
    axes = {"subjects": ("rows",), "relations": ("rows",)}

    def __init__(
        self,
        model: str,
        entities: int,
        relations: int,
        size: int,
        deviation: float,
        entity_dropout: float,
        relation_dropout: float,
    ) -> None:
        super().__init__()
        if model not in MODELS or size % 2:
            raise ValueError(f"model {model!r} of size {size}; known: {', '.join(MODELS)} of even sizes")
        self.model = model
        self.is_distance = model in ("transe", "rotate")
        self.entities = nn.Parameter(deviation * torch.randn(entities, size))
        self.relations = nn.Parameter(deviation * torch.randn(2 * relations, size))
        if model == "rotate":
            self.relations = nn.Parameter(math.pi * (2 * torch.rand(2 * relations, size // 2) - 1))
        self.biases = nn.Parameter(torch.zeros(entities))
        if self.is_distance:
            self.scale = nn.Parameter(torch.ones(1))
        self.entity_dropout = nn.Dropout(entity_dropout)
        self.relation_dropout = nn.Dropout(relation_dropout)

    def forward(self, subjects: Tensor, relations: Tensor) -> Tensor:  # type: ignore[override]
        """Return the score of every entity as the object, (rows, entities).

        Args:
            subjects: int64, (rows,).
            relations: int64, (rows,); those turned around from the number of relations on.
        """
        queries = self._query(self.entity_dropout(self.entities[subjects]), self.relations[relations])
        products = queries @ self.entities.T  # (rows, entities)
        if not self.is_distance:
            return products + self.biases
        lengths = queries.square().sum(dim=1, keepdim=True)
        distances = functional.relu(lengths - 2.0 * products + self.entities.square().sum(dim=1))
        return self.biases - self.scale * distances

    def _query(self, subjects: Tensor, relations: Tensor) -> Tensor:
        if self.model == "rotate":
            # An angle cannot be left out: 0 would be a turn like any other.
            return _product(subjects, torch.cat([relations.cos(), relations.sin()], dim=1))
        relations = self.relation_dropout(relations)
        if self.model == "transe":
            return subjects + relations
        return subjects * relations if self.model == "distmult" else _product(subjects, relations)

    def moduli(self, vectors: Tensor) -> Tensor:
        """Return the sizes of a vector's numbers, complex where the model's are, (rows, size) or (rows, size / 2)."""
        if self.model not in ("complex", "rotate"):
            return vectors.abs()
        real, imaginary = vectors.chunk(2, dim=1)
        # The root has no slope at 0.
        return (real.square() + imaginary.square() + 1e-12).sqrt()


def _product(one: Tensor, other: Tensor) -> Tensor:
    """Return the products of complex numbers whose halves are real and imaginary part."""
    real, imaginary = one.chunk(2, dim=1)
    across, turned = other.chunk(2, dim=1)
    return torch.cat([real * across - imaginary * turned, real * turned + imaginary * across], dim=1)
