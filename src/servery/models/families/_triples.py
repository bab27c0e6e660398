"""What the recipes of knowledge graphs have in common: triples as numbers, questions as batches, the objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.data.triple_files import HEAD, RELATION, TAIL
from servery.errors import DataError
from servery.models.encoders.triples import Triples
from servery.models.recipe import Work
from servery.models.runtimes.triple_scorer import TripleScorer
from servery.nn.networks.triple_embedding import TripleEmbedding
from servery.tasks.link_prediction import names_of
from servery.tasks.task import Calibration, LearnableTask

FORM = "table"
TASKS = frozenset({"link-prediction"})


@dataclass(frozen=True)
class Graph:
    """The training facts as numbers.

    Attributes:
        columns: The inputs head, relation and tail; entities are not listed there again.
        encoder: Names to numbers.
        train: Facts to learn from, int64, (facts, 3).
        known: These and the validation part's, as far as their names are known, int64, (facts, 3).
    """

    columns: tuple[Column, ...]
    encoder: Triples
    train: np.ndarray
    known: np.ndarray


def read_graph(work: Work) -> Graph:
    """Return the facts of a training's parts; rows whose truth is 0 are none.

    Raises:
        DataError: The columns are no triples, or there is no fact.
    """
    encoder = Triples(*names_of(work.train))
    train, validation = facts_of(work.train, encoder), facts_of(work.validation, encoder)
    if not len(train):
        raise DataError("The training part has no triple that is a fact (truth 1).", param="data")
    inputs = {column.name: column for column in work.train.inputs}
    columns = tuple(_without_names(inputs[name]) for name in (HEAD, RELATION, TAIL))
    known = np.concatenate([train, validation[(validation >= 0).all(axis=1)]])
    return Graph(columns, encoder, np.unique(train, axis=0), np.unique(known, axis=0))


def facts_of(dataset: Dataset, encoder: Triples) -> np.ndarray:
    """Return the triples whose truth is 1 as numbers, negative where a name is unknown, int64, (facts, 3)."""
    batch = encoder.encode(list(dataset.examples()), cut=True)
    triples = np.stack([batch[HEAD], batch[RELATION], batch[TAIL]], axis=1)
    return np.asarray(triples[dataset[dataset.target.name] == 1.0])


def _without_names(column: Column) -> Column:
    # The entities stand among the labels already; relations are few, and shown as examples.
    return column if column.name == RELATION else Column(column.name, column.kind, column.role, column.reason)


class Questions:
    """(subject, relation, ?) in both directions, each once, with all objects that complete it.

    Scoring every object once a question, and not once a fact, gives the same gradient for a third of the work where
    questions have three answers on average (codex-s).

    Args:
        facts: int64, (facts, 3).
        encoder: Tells how many entities and relations there are.
    """

    def __init__(self, facts: np.ndarray, encoder: Triples) -> None:
        relations = len(encoder.relations)
        turned = np.stack([facts[:, 2], facts[:, 1] + relations, facts[:, 0]], axis=1)
        both = np.concatenate([facts, turned])
        both = both[np.lexsort((both[:, 2], both[:, 1], both[:, 0]))]
        self.questions, starts = np.unique(both[:, :2], axis=0, return_index=True)
        self._bounds = np.append(starts, len(both))
        self._objects = both[:, 2]
        self._entities = len(encoder.entities)

    def __len__(self) -> int:
        return len(self.questions)

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the questions of every batch of one epoch, shuffled."""
        rows = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return `subjects` and `relations`, and which entities are right, float32, (rows, entities)."""
        is_right = np.zeros((len(rows), self._entities), np.float32)
        for place, row in enumerate(rows.tolist()):
            is_right[place, self._objects[self._bounds[row] : self._bounds[row + 1]]] = 1.0
        chosen = torch.from_numpy(self.questions[rows])
        return {"subjects": chosen[:, 0], "relations": chosen[:, 1]}, torch.from_numpy(is_right)


class TripleObjective:
    """Cross entropy of each right object among all entities (1 against all), with the N3 penalty.

    Source: Lacroix et al. (2018), Canonical tensor decomposition for knowledge base completion, sections 3.2 and 4.

    Args:
        task: Measures the validation facts.
        validation: The validation part.
        graph: Numbers of its names, and the known facts.
        hyperparameters: Gives penalty and label_smoothing.
    """

    def __init__(
        self, task: LearnableTask, validation: Dataset, graph: Graph, hyperparameters: Mapping[str, Any]
    ) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.penalty = float(hyperparameters["penalty"])
        self.smoothing = float(hyperparameters["label_smoothing"])
        self._graph = graph
        facts = validation.take(validation[validation.target.name] == 1.0)
        self._batch = graph.encoder.encode(list(facts.examples()), cut=True)
        self._targets = task.encode_targets(facts, ())

    def loss(self, network: TripleEmbedding, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a fact, a scalar."""
        logs = functional.log_softmax(network(**inputs).float(), dim=1)  # (rows, entities)
        facts = targets.sum(dim=1)  # (rows,)
        right = (logs * targets).sum()
        if self.smoothing:
            right = (1 - self.smoothing) * right + self.smoothing * (logs.mean(dim=1) * facts).sum()
        penalty = self._penalty(network, inputs, targets, facts) if self.penalty else 0.0
        return (self.penalty * penalty - right) / facts.sum()

    def _penalty(
        self, network: TripleEmbedding, inputs: dict[str, Tensor], targets: Tensor, facts: Tensor
    ) -> Tensor:
        """Return the sum of the cubes of all numbers of each fact's subject, relation and object."""
        subjects = network.moduli(network.entities[inputs["subjects"]]).pow(3).sum(dim=1)
        if network.model != "rotate":  # a turn has no size
            subjects = subjects + network.moduli(network.relations[inputs["relations"]]).pow(3).sum(dim=1)
        objects = network.moduli(network.entities).pow(3).sum(dim=1)
        return (subjects * facts).sum() + (targets.sum(dim=0) * objects).sum()

    def validate(self, network: TripleEmbedding) -> dict[str, float]:
        """Return the metrics of the validation part."""
        outputs = scorer_of(network, self._graph).run(self._batch)
        return self.task.measure(self._targets, outputs, Calibration())


def scorer_of(network: TripleEmbedding, graph: Graph) -> TripleScorer:
    """Return the network's vectors as the numpy runtime that serves them."""
    tensors = {
        name: tensor.detach().float().cpu().numpy().copy() for name, tensor in network.named_parameters()
    }
    return TripleScorer(network.model, {"scale": np.ones(1, np.float32), **tensors, "facts": graph.known})
