"""Networks for relations between two entities: a CNN by region, an LSTM, and one with attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._relations import RELATION_TRAINING, RelationRecipe
from servery.models.recipe import Work

LSTM_GATES = 4


class RelationCnn(RelationRecipe):
    """Filters over words and distances."""

    name = "cnn"
    title = "CNN with distances"
    summary = (
        "Filters over words and their distances to both entities, pooled before, between and behind them "
        "(Zeng et al. 2014, section 3; Zeng et al. 2015, section 3.3)."
    )
    network = "relation_cnn"
    shape = ("widths", "filters")
    defaults = {**RELATION_TRAINING, "widths": [2, 3, 4], "filters": 128, "learning_rate": 1e-3}
    search_space = {"filters": (64, 128, 256), "learning_rate": (5e-4, 1e-3, 2e-3), "context": (3, 6, 100)}

    def weights_of_a_word(self, hyperparameters: Mapping[str, Any], features: int) -> float:
        """Count the filters."""
        return float(features * sum(hyperparameters["widths"]) * hyperparameters["filters"])


class RelationLstm(RelationRecipe):
    """A bidirectional LSTM, pooled by its strongest states."""

    name = "lstm"
    title = "LSTM with distances"
    summary = (
        "Long short-term memory in both directions over words and distances, pooled by the maximum "
        "(Zhang and Wang 2015, Relation classification via recurrent neural network, section 3)."
    )
    network = "relation_recurrent"
    shape = ("hidden_size",)
    has_attention = False
    defaults = {**RELATION_TRAINING, "hidden_size": 96, "learning_rate": 1e-3}
    search_space = {"hidden_size": (64, 96, 128), "learning_rate": (5e-4, 1e-3, 2e-3), "context": (3, 6, 100)}

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the cell and whether words are weighed."""
        return {
            "cell": "lstm",
            "has_attention": self.has_attention,
            **super().arguments(work, encoder, examples, labels),
        }

    def weights_of_a_word(self, hyperparameters: Mapping[str, Any], features: int) -> float:
        """Count the gates of both directions."""
        hidden = hyperparameters["hidden_size"]
        return float(2 * LSTM_GATES * hidden * (features + hidden))


class RelationAttention(RelationLstm):
    """The same LSTM, its words weighed by attention."""

    name = "attention"
    title = "LSTM with attention"
    summary = "Long short-term memory in both directions, its words weighed by attention (Zhou et al. 2016, section 3)."
    has_attention = True


CNN = RelationCnn()
LSTM = RelationLstm()
ATTENTION = RelationAttention()
