"""Recommenders that learn vectors: BPR, neural collaborative filtering, two towers and self-attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.families._history_examples import HistoryExamples, HistoryObjective, arrays_of
from servery.models.families._network import (
    BASE_BYTES,
    BYTES_PER_WEIGHT,
    MULTIPLICATIONS_PER_SECOND,
    SECONDS_PER_STEP,
    SECONDS_PER_WEIGHT,
    TRAINING,
    TRAINING_PASSES,
)
from servery.models.families._recommendation import (
    FORM,
    TASKS,
    event_count,
    judged,
    predictor_of,
    read_log,
    recommender,
)
from servery.models.families._sizes import Sizing
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.nn.network import build_network
from servery.nn.networks.history_recommender import HistoryRecommender

EVENTS_PER_CUT = 8
"""Events of a user for each day they came; a shop's log has more, a log of clicks fewer."""
LEAST_STEPS = 600
"""Steps that a small log gets by more epochs."""
SMALLEST_BATCH, LARGEST_BATCH = 16, 128
ROWS_PER_BATCH_ROW = 40
_UNUSED = ("label_smoothing", "class_weights")


class RecommenderNetwork(Recipe):
    """A vector for each item, and a way from a history to a user's vector."""

    form = FORM
    tasks = TASKS
    model: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]] = {
        **{name: value for name, value in TRAINING.items() if name not in _UNUSED},
        "size": 64,
        "hidden": 64,
        "heads": 2,
        "blocks": 2,
        "length": 100,
        "days": 30.0,
        "loss": "softmax",
        "dropout": 0.2,
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "average_decay": 0.99,
        "precision": "float32",
        "repeat_weight": 1.0,
        "half_life_days": 240.0,
    }
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "size": (32, 64, 128),
        "dropout": (0.0, 0.2, 0.5),
        "learning_rate": (1e-3, 3e-3),
        "repeat_weight": (0.0, 0.5, 1.0, 2.0),
    }
    enough_epochs: ClassVar[int] = 12

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the events, the vectors and the steps."""
        events = event_count(dataset)
        items, examples = events // 40 + 10, events // EVENTS_PER_CUT + 1
        sizes = self._sizes(examples, hyperparameters)
        weights = 2.0 * items * hyperparameters["size"]
        seen = examples * sizes["epochs"]
        multiplications = TRAINING_PASSES * seen * self._multiplications(items, hyperparameters)
        seconds = multiplications / (MULTIPLICATIONS_PER_SECOND * threads**0.7)
        seconds += seen / sizes["batch_size"] * (SECONDS_PER_STEP + weights * SECONDS_PER_WEIGHT)
        memory = BASE_BYTES + BYTES_PER_WEIGHT * weights + 400 * events + 12 * sizes["batch_size"] * items
        return Cost(2.0 + seconds, int(memory), f"{len(dataset):,} rows with {events:,} events")

    def _multiplications(self, items: int, settings: Mapping[str, Any]) -> float:
        """Return those of one history, forwards."""
        size = settings["size"]
        return float(items * size + settings["length"] * size)

    def make(self, work: Work) -> Made:
        """Number the items, learn the vectors, serve them from numpy.

        Raises:
            DataError: No user came twice.
        """
        settings, log = work.hyperparameters, read_log(work.train)
        examples = HistoryExamples(log, settings["length"], settings["days"], settings["loss"] == "pairs")
        if not len(examples):
            raise DataError("No user has two events: there is no next one to learn.", param="data")
        names = ("size", "hidden", "heads", "blocks", "length", "dropout")
        arguments = {"model": self.model, "items": len(log.items), **{name: settings[name] for name in names}}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            network = build_network("history_recommender", arguments)
        assert isinstance(network, HistoryRecommender)
        sizes = self._sizes(len(examples), settings)
        work.progress.say(
            "Network",
            f"{network.parameter_count():,} weights for {len(log.items):,} items; {len(examples):,} histories, "
            f"{sizes['epochs']} epochs at most",
        )
        objective = HistoryObjective(work, self.name, log, settings)
        learned = work.loop.fit(network, examples, objective, {**settings, **sizes})
        tensors = arrays_of(network)
        first = predictor_of(work, self.name, log, recommender(self.model, log, tensors, settings))
        knots = judged(work, first)[1]
        # Users of the validation part are remembered with what they did in it: that is no training of the vectors.
        whole = read_log(work.train, work.validation)
        runtime = recommender(self.model, log, {**tensors, **knots}, settings)
        return Made(
            predictor_of(work, self.name, log, runtime, whole.histories), learned.history, learned.stopped
        )

    def _sizes(self, examples: int, settings: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience, chosen from the number of histories where they are 0."""
        sizing = Sizing(
            ROWS_PER_BATCH_ROW,
            SMALLEST_BATCH,
            LARGEST_BATCH,
            LEAST_STEPS,
            self.enough_epochs,
            least_patience=3,
        )
        return sizing.chosen(examples, settings)


class PairwiseRanking(RecommenderNetwork):
    """Matrix factorization that ranks pairs."""

    name = "bpr"
    title = "Matrix factorization, BPR"
    summary = (
        "Vectors that rank what was taken above what was not (BPR: Rendle et al. 2009, section 4); the user's is the "
        "mean of the history's (FISM: Kabbur, Ning and Karypis 2013, section 4)."
    )
    model = "mean_vector"
    defaults = {**RecommenderNetwork.defaults, "loss": "pairs"}


class NeuralFilteringRecipe(RecommenderNetwork):
    """A perceptron over user and item."""

    name = "neural-cf"
    title = "Neural collaborative filtering"
    summary = (
        "A product of user and item, factor by factor, plus a perceptron over both (He et al. 2017, section 3.4); the "
        "user is the mean of the history, so that new users and new events count."
    )
    model = "neural_filtering"
    defaults = {**RecommenderNetwork.defaults, "size": 32, "hidden": 16, "batch_size": 64}
    enough_epochs = 6

    def _multiplications(self, items: int, settings: Mapping[str, Any]) -> float:
        return super()._multiplications(items, settings) + 6.0 * items * float(settings["hidden"])


class TwoTowerRecipe(RecommenderNetwork):
    """A tower for users, one for items."""

    name = "two-tower"
    title = "Two towers"
    summary = (
        "A perceptron makes a vector of the history, compared by direction with one for each item (Covington, Adams "
        "and Sargin 2016, section 3; Yi et al. 2019, section 3), with the softmax over all items."
    )
    model = "two_tower"


class Sequential(RecommenderNetwork):
    """Self-attention over the history."""

    name = "sequential"
    title = "Self-attentive sequential recommendation"
    summary = (
        "Self-attention over the latest events (SASRec: Kang and McAuley 2018, section III), trained on all that came "
        "next with the softmax over all items (Klenitskiy and Vasilev 2023, section 3)."
    )
    model = "self_attention"
    defaults = {**RecommenderNetwork.defaults, "length": 50, "hidden": 128}
    enough_epochs = 8

    def _multiplications(self, items: int, settings: Mapping[str, Any]) -> float:
        size, length = float(settings["size"]), float(settings["length"])
        block = length * (4.0 * size**2 + 2.0 * size * settings["hidden"] + 2.0 * length * size)
        return float(super()._multiplications(items, settings) + int(settings["blocks"]) * block)


PAIRWISE_RANKING = PairwiseRanking()
NEURAL_FILTERING = NeuralFilteringRecipe()
TWO_TOWER = TwoTowerRecipe()
SEQUENTIAL = Sequential()
