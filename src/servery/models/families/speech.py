"""Speech networks by name, for labels and for transcription: fully connected, convolutional, recurrent."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._speech_network import (
    CTC_TRAINING,
    SPEECH_TRAINING,
    CtcRecipe,
    SpeechNetworkRecipe,
)
from servery.models.recipe import Work

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class Dnn(SpeechNetworkRecipe):
    """Dense layers over spliced frames."""

    name = "speech-dnn"
    title = "Fully connected speech network"
    summary = (
        "Dense layers over a frame and its neighbours, with rectifiers "
        "(Hinton et al. 2012, Deep neural networks for acoustic modeling)."
    )
    network = "speech_dnn"
    defaults = {**SPEECH_TRAINING, "splice": 4, "hidden_sizes": [192, 192]}
    search_space = {"learning_rate": (1e-3, 2e-3), "splice": (2, 4, 8), "hidden_sizes": ([256], [256, 256])}

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the layers."""
        shared = super().arguments(work, encoder, examples, labels)
        return shared | {name: work.hyperparameters[name] for name in ("splice", "hidden_sizes")}

    def size_of_a_pair(self, hyperparameters: Mapping[str, Any]) -> tuple[float, float]:
        """Count the layers."""
        spliced = 2 * hyperparameters["bands"] * (2 * hyperparameters["splice"] + 1)
        weights = float(sum(a * b for a, b in pairwise([spliced, *hyperparameters["hidden_sizes"]])))
        return weights, weights


class Cnn(SpeechNetworkRecipe):
    """Convolutions over time and pitch."""

    name = "speech-cnn"
    title = "Convolutional speech network"
    summary = (
        "Small convolutions over time and pitch with pooling over pitch "
        "(Abdel-Hamid et al. 2014, Convolutional neural networks for speech recognition, section III)."
    )
    network = "speech_cnn"
    defaults = {**SPEECH_TRAINING, "widths": [16, 24, 32], "hidden_size": 96, "context": 2}
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "widths": ([16, 24, 32], [16, 32, 48]),
        "dropout": (0.2, 0.4),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the layers."""
        shared = super().arguments(work, encoder, examples, labels)
        return shared | {name: work.hyperparameters[name] for name in ("widths", "hidden_size", "context")}

    def size_of_a_pair(self, hyperparameters: Mapping[str, Any]) -> tuple[float, float]:
        """Count both convolutions of each stage."""
        bands, before, products, weights = hyperparameters["bands"], 2, 0.0, 0.0
        for width in hyperparameters["widths"]:
            filters = 9 * width * (before + width)
            weights += filters
            products += filters * bands
            before, bands = width, -(-bands // 2)
        hidden, span = hyperparameters["hidden_size"], 2 * hyperparameters["context"] + 1
        dense = span * hidden * (before * bands + hidden)
        return products + dense, weights + dense


class Rnn(SpeechNetworkRecipe):
    """Recurrent layers over the frames."""

    name = "speech-rnn"
    title = "Recurrent speech network"
    summary = (
        "Recurrent layers over the frames, in both directions or ahead only "
        "(Graves, Mohamed, Hinton 2013, Speech recognition with deep recurrent neural networks, section 2)."
    )
    network = "speech_rnn"
    defaults = {
        **SPEECH_TRAINING,
        "splice": 2,
        "cell": "lstm",
        "hidden_size": 64,
        "num_layers": 2,
        "both_directions": True,
    }
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "cell": ("rnn", "lstm", "gru"),
        "hidden_size": (64, 128),
        "num_layers": (1, 2),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the layers."""
        names = ("splice", "cell", "hidden_size", "num_layers", "both_directions")
        shared = super().arguments(work, encoder, examples, labels)
        return shared | {name: work.hyperparameters[name] for name in names}

    def size_of_a_pair(self, hyperparameters: Mapping[str, Any]) -> tuple[float, float]:
        """Count the gates of every direction."""
        hidden, directions = hyperparameters["hidden_size"], 2 if hyperparameters["both_directions"] else 1
        width = directions * hidden
        gates = GATES.get(hyperparameters["cell"], 4) * hidden * directions
        layers = gates * (width + hidden) * hyperparameters["num_layers"]
        spliced = 2 * hyperparameters["bands"] * (2 * hyperparameters["splice"] + 1)
        weights = float(spliced * width + width * width + layers)
        return weights, weights


class CtcDnn(CtcRecipe, Dnn):
    """Dense layers over spliced frames, a symbol a frame."""

    title = "Fully connected speech network with CTC"
    summary = f"{Dnn.summary[:-2]}; Graves et al. 2006, Connectionist temporal classification)."
    defaults = {**CTC_TRAINING, "splice": 6, "hidden_sizes": [256, 256]}


class CtcCnn(CtcRecipe, Cnn):
    """Convolutions over time and pitch, a symbol a frame."""

    title = "Convolutional speech network with CTC"
    summary = f"{Cnn.summary[:-2]}; Graves et al. 2006, Connectionist temporal classification)."
    defaults = {**CTC_TRAINING, "widths": [16, 24, 32], "hidden_size": 128, "context": 4}


class CtcRnn(CtcRecipe, Rnn):
    """Recurrent layers that read ahead, a symbol a frame: what is said can be told while it is said."""

    title = "Recurrent speech network with CTC"
    summary = f"{Rnn.summary[:-2]}; Graves et al. 2006, Connectionist temporal classification)."
    defaults = {
        **CTC_TRAINING,
        "splice": 4,
        "cell": "lstm",
        "hidden_size": 128,
        "num_layers": 2,
        "both_directions": False,
    }


SPEECH_DNN, SPEECH_CNN, SPEECH_RNN = Dnn(), Cnn(), Rnn()
CTC_DNN, CTC_CNN, CTC_RNN = CtcDnn(), CtcCnn(), CtcRnn()
