"""Vectors for knowledge graphs: TransE, DistMult, ComplEx and RotatE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from servery.data.dataset import Dataset
from servery.models.families._assembly import assemble
from servery.models.families._network import (
    BASE_BYTES,
    BYTES_PER_WEIGHT,
    MULTIPLICATIONS_PER_SECOND,
    SECONDS_PER_STEP,
    SECONDS_PER_WEIGHT,
    TRAINING_PASSES,
)
from servery.models.families._sizes import Sizing
from servery.models.families._triples import FORM, TASKS, Questions, TripleObjective, read_graph, scorer_of
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.nn.network import build_network
from servery.nn.networks.triple_embedding import TripleEmbedding
from servery.tasks.link_prediction import names_of

QUESTIONS_PER_FACT = 0.5
"""Distinct (subject, relation) and (object, relation) of a fact; counted: 0.36 on codex-s."""
LEAST_STEPS = 600
"""Steps that a small graph gets by more epochs."""
SMALLEST_BATCH, LARGEST_BATCH = 16, 128
QUESTIONS_PER_BATCH_ROW = 40
"""Questions for each row of a batch, until the largest batch is reached."""


class KnowledgeGraphEmbedding(Recipe):
    """A vector for each entity and relation; a recipe's name is its model's."""

    form = FORM
    tasks = TASKS
    defaults: ClassVar[Mapping[str, Any]] = {
        "size": 400,
        "deviation": 0.1,
        "penalty": 0.01,
        "entity_dropout": 0.0,
        "relation_dropout": 0.0,
        "label_smoothing": 0.0,
        "optimizer": "adamw",
        "learning_rate": 0.03,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "schedule": "cosine",
        "warmup_share": 0.06,
        "batch_size": 0,
        "epochs": 0,
        "patience": 0,
        "gradient_clip": 1.0,
        "accumulation_steps": 1,
        "average_decay": 0.99,
        "precision": "float32",
    }
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "size": (100, 200, 400),
        "penalty": (0.003, 0.01, 0.03),
        "learning_rate": (0.01, 0.03),
    }
    enough_epochs: ClassVar[int] = 25

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the facts, the entities and the size of the vectors."""
        entities, relations = names_of(dataset)
        sizes = self._sizes(int(QUESTIONS_PER_FACT * len(dataset)) + 1, hyperparameters)
        weights = float((len(entities) + 2 * len(relations)) * hyperparameters["size"])
        seen = QUESTIONS_PER_FACT * len(dataset) * sizes["epochs"]
        multiplications = TRAINING_PASSES * seen * len(entities) * hyperparameters["size"]
        steps = seen / sizes["batch_size"]
        seconds = multiplications / (MULTIPLICATIONS_PER_SECOND * threads**0.7)
        seconds += steps * (SECONDS_PER_STEP + weights * SECONDS_PER_WEIGHT)
        memory = BASE_BYTES + BYTES_PER_WEIGHT * weights + 48 * len(dataset)
        memory += 16 * sizes["batch_size"] * len(entities)
        reason = f"{len(dataset):,} rows x {sizes['epochs']} epochs, {len(entities):,} entities"
        return Cost(2.0 + seconds, int(memory), reason)

    def make(self, work: Work) -> Made:
        """Number the names, learn the vectors, serve them from numpy."""
        graph, settings = read_graph(work), work.hyperparameters
        questions = Questions(graph.train, graph.encoder)
        arguments = {
            "model": self.name,
            "entities": len(graph.encoder.entities),
            "relations": len(graph.encoder.relations),
            **{key: settings[key] for key in ("size", "deviation", "entity_dropout", "relation_dropout")},
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            network = build_network("triple_embedding", arguments)
        assert isinstance(network, TripleEmbedding)
        sizes = self._sizes(len(questions), settings)
        work.progress.say(
            "Graph",
            f"{len(graph.train):,} facts of {len(graph.encoder.entities):,} entities and "
            f"{len(graph.encoder.relations)} relations; {len(questions):,} questions, {sizes['epochs']} epochs at most",
        )
        objective = TripleObjective(work.task, work.validation, graph, settings)
        learned = work.loop.fit(network, questions, objective, {**settings, **sizes})
        labels = (*graph.encoder.entities, *graph.encoder.relations)
        predictor = assemble(
            work,
            self.name,
            graph.columns,
            labels,
            graph.encoder,
            scorer_of(network, graph),
            "products in numpy",
        )
        return Made(predictor, learned.history, learned.stopped)

    def _sizes(self, questions: int, settings: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience, chosen from the number of questions where they are 0."""
        sizing = Sizing(
            QUESTIONS_PER_BATCH_ROW,
            SMALLEST_BATCH,
            LARGEST_BATCH,
            LEAST_STEPS,
            self.enough_epochs,
            least_patience=3,
        )
        return sizing.chosen(questions, settings)


class TransE(KnowledgeGraphEmbedding):
    """A relation is a step from head to tail."""

    name = "transe"
    title = "TransE"
    summary = (
        "A relation is a step from head to tail (Bordes et al. 2013, section 2), trained against all entities at once, "
        "with squared distances."
    )
    defaults = {**KnowledgeGraphEmbedding.defaults, "penalty": 0.0, "entity_dropout": 0.4, "size": 200}


class DistMult(KnowledgeGraphEmbedding):
    """A relation weighs what head and tail have in common; it holds in both directions alike."""

    name = "distmult"
    title = "DistMult"
    summary = (
        "A relation weighs each number of head times tail (Yang et al. 2015, section 3), with the N3 penalty."
    )
    defaults = {**KnowledgeGraphEmbedding.defaults, "size": 200}


class ComplEx(KnowledgeGraphEmbedding):
    """DistMult with complex numbers, so that a relation can hold one way only."""

    name = "complex"
    title = "ComplEx"
    summary = (
        "DistMult with complex numbers (Trouillon et al. 2016, section 3), with reciprocal relations and the N3 "
        "penalty (Lacroix et al. 2018)."
    )


class RotatE(KnowledgeGraphEmbedding):
    """A relation turns each of the head's complex numbers."""

    name = "rotate"
    title = "RotatE"
    summary = (
        "A relation turns each of the head's complex numbers (Sun et al. 2019, section 3), trained against all "
        "entities at once, with squared distances."
    )
    defaults = {**KnowledgeGraphEmbedding.defaults, "penalty": 0.0, "entity_dropout": 0.5, "size": 200}


TRANSE = TransE()
DISTMULT = DistMult()
COMPLEX = ComplEx()
ROTATE = RotatE()
