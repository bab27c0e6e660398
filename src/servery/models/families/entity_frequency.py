"""The baseline of link prediction: how often an entity stands at that end of the relation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.models.families._assembly import assemble
from servery.models.families._triples import FORM, TASKS, read_graph
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.triple_scorer import TripleScorer
from servery.tasks.link_prediction import names_of


class EntityFrequency(Recipe):
    """Counts; the head does not matter."""

    name = "frequency"
    title = "Entity frequency"
    summary = (
        "Ranks entities by how often they stand at that end of the relation; a strong baseline on skewed graphs "
        "(Safavi and Koutra 2020, section 6)."
    )
    form = FORM
    tasks = TASKS
    defaults = {"smoothing": 1.0}
    search_space = {"smoothing": (0.1, 1.0)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the rows and the size of the table of counts."""
        entities, relations = names_of(dataset)
        memory = 100 * 2**20 + 8 * len(entities) * len(relations) + 48 * len(dataset)
        return Cost(0.2 + 1e-5 * len(dataset), memory, f"{len(dataset):,} rows counted once")

    def make(self, work: Work) -> Made:
        """Count."""
        graph = read_graph(work)
        entities, relations = len(graph.encoder.entities), len(graph.encoder.relations)
        counts = np.zeros((entities, 2 * relations), np.float32)
        heads, kinds, tails = graph.train.T
        np.add.at(counts, (tails, kinds), 1.0)
        np.add.at(counts, (heads, kinds + relations), 1.0)
        tensors = {
            "entities": np.log(counts + np.float32(work.hyperparameters["smoothing"])),
            "relations": np.eye(2 * relations, dtype=np.float32),
            "biases": np.zeros(entities, np.float32),
            "scale": np.ones(1, np.float32),
            "facts": graph.known,
        }
        labels = (*graph.encoder.entities, *graph.encoder.relations)
        runtime = TripleScorer(self.name, tensors)
        predictor = assemble(
            work, self.name, graph.columns, labels, graph.encoder, runtime, "one product in numpy"
        )
        return Made(predictor)


ENTITY_FREQUENCY = EntityFrequency()
