"""Isolation forests on tables: what is odd is alone after few random cuts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest as Forest

from servery.data.dataset import Dataset
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, assemble, columns_for, say_left_out
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.isolation_forest import IsolationForest

SECONDS_PER_TREE = 0.004
SECONDS_PER_CELL = 2e-6
EULER = 0.5772156649


class IsolationForestRecipe(Recipe):
    """Trees of random cuts; it never looks at the target unless asked to leave the known anomalies out."""

    name = "isolation-forest"
    title = "Isolation forest"
    summary = (
        "Random trees over few rows each; what is odd is alone after few cuts (Liu, Ting and Zhou 2008)."
    )
    form = "table"
    tasks = frozenset({"anomaly-detection"})
    defaults = {"trees": 200, "rows_a_tree": 256, "column_share": 1.0, "usual_rows_only": False}
    search_space = {"rows_a_tree": (128, 256, 512), "usual_rows_only": (False, True)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from cells and trees."""
        cells = len(dataset) * len(dataset.inputs)
        seconds = 0.5 + hyperparameters["trees"] * SECONDS_PER_TREE + cells * SECONDS_PER_CELL
        reason = f"{len(dataset):,} rows of {len(dataset.inputs)} columns, {hyperparameters['trees']} trees"
        return Cost(seconds, int(150 * 2**20 + 30 * cells), reason)

    def make(self, work: Work) -> Made:
        """Grow the trees on the training rows, the target unseen."""
        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        settings, labels = work.hyperparameters, work.task.labels_of(work.train)
        rows = work.train
        if settings["usual_rows_only"]:
            rows = rows.take(np.flatnonzero(work.task.encode_targets(rows, labels) == 0))
        examples = list(rows.examples())
        encoder = Rows.fit(examples, columns, layout="one-hot")
        x = encoder.encode(examples)["x"]
        size = min(int(settings["rows_a_tree"]), len(x))
        forest = Forest(
            n_estimators=int(settings["trees"]),
            max_samples=size,
            max_features=float(settings["column_share"]),
            random_state=work.seed,
            n_jobs=1,
        ).fit(x)
        names = [column.name for column in columns]
        owners = np.array([names.index(name) for name in encoder.feature_columns()], np.int32)
        runtime = IsolationForest(*_trees(forest), np.median(x, axis=0), owners, needed_cuts(size))
        predictor = assemble(work, self.name, columns, (*labels, *names), encoder, runtime, "trees in numpy")
        return Made(predictor, (), "trees")


def needed_cuts(rows: int) -> float:
    """Return how many cuts a random tree needs on average to have one of so many rows alone.

    Source: Liu, Ting and Zhou (2008), Isolation forest, equation 1.

    >>> needed_cuts(1), needed_cuts(2), round(needed_cuts(256), 2)
    (0.0, 1.0, 10.24)
    """
    if rows <= 1:
        return 0.0
    return 1.0 if rows == 2 else 2.0 * (math.log(rows - 1.0) + EULER) - 2.0 * (rows - 1.0) / rows


def _trees(forest: Forest) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features, thresholds, children and lengths of all trees, padded with leaves to one size."""
    trees = [
        (tree.tree_, columns)
        for tree, columns in zip(forest.estimators_, forest.estimators_features_, strict=True)
    ]
    shape = (len(trees), max(tree.node_count for tree, _ in trees))
    features = np.full(shape, -1, np.int32)
    thresholds, lengths = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    children = np.tile(np.arange(shape[1], dtype=np.int32)[None, :, None], (shape[0], 1, 2))
    for place, (tree, columns) in enumerate(trees):
        inner = np.flatnonzero(tree.children_left >= 0)
        features[place, inner] = columns[tree.feature[inner]]
        thresholds[place, inner] = _at_most(tree.threshold[inner])
        children[place, inner, 0], children[place, inner, 1] = (
            tree.children_left[inner],
            tree.children_right[inner],
        )
        depths = np.zeros(tree.node_count)
        for node in inner:  # parents stand before their children
            depths[[tree.children_left[node], tree.children_right[node]]] = depths[node] + 1
        cuts = [needed_cuts(int(rows)) for rows in tree.n_node_samples]
        lengths[place, : tree.node_count] = depths + cuts
    return features, thresholds, children, lengths


def _at_most(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 that is no more than each: a float32 is over one where it is over the other."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


ISOLATION_FOREST = IsolationForestRecipe()
