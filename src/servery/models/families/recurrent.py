"""Recurrent networks over texts: Elman's RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._text_network import TEXT_TRAINING, TextNetworkRecipe
from servery.models.recipe import Work

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class Recurrent(TextNetworkRecipe):
    """A recurrent layer in both directions; mean and maximum of its states. A recipe's name is its cell's."""

    network = "recurrent"
    shape = ("hidden_size", "num_layers")
    defaults = {**TEXT_TRAINING, "hidden_size": 128, "num_layers": 1}
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "hidden_size": (64, 128, 256),
        "num_layers": (1, 2),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the cell."""
        return {"cell": self.name, **super().arguments(work, encoder, examples, labels)}

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any], tokens: float) -> float:
        """Count the gates of both directions."""
        hidden = hyperparameters["hidden_size"]
        first = hyperparameters["embedding_size"] + hidden
        others = (hyperparameters["num_layers"] - 1) * 3 * hidden
        return float(2 * GATES[self.name] * hidden * (first + others))


class Rnn(Recurrent):
    """Elman's network."""

    name = "rnn"
    title = "Elman RNN"
    summary = "A plain recurrent network in both directions (Elman 1990, Finding structure in time)."
    defaults = {**Recurrent.defaults, "learning_rate": 1e-3}


class Lstm(Recurrent):
    """Long short-term memory."""

    name = "lstm"
    title = "LSTM"
    summary = (
        "Long short-term memory in both directions "
        "(Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005)."
    )
    defaults = {**Recurrent.defaults, "hidden_size": 96}


class Gru(Recurrent):
    """Gated recurrent units."""

    name = "gru"
    title = "GRU"
    summary = "Gated recurrent units in both directions (Cho et al. 2014, section 2.3)."


RNN = Rnn()
LSTM = Lstm()
GRU = Gru()
