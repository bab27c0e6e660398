"""Networks that translate: LSTMs without and with attention, and the transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._writing import WRITING_TRAINING, WritingRecipe
from servery.models.recipe import Work


class RecurrentTranslatorRecipe(WritingRecipe):
    """An LSTM that reads in both directions and one that writes."""

    network = "recurrent_translator"
    shape = ("hidden_size", "num_layers")
    has_attention: ClassVar[bool]
    defaults = {
        **WRITING_TRAINING,
        "embedding_size": 192,
        "hidden_size": 384,
        "num_layers": 1,
        "learning_rate": 3e-3,
    }
    search_space = {
        "learning_rate": (1e-3, 3e-3, 5e-3),
        "hidden_size": (256, 384, 512),
        "num_layers": (1, 2),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add whether it looks."""
        return {**super().arguments(work, encoder, examples, labels), "has_attention": self.has_attention}

    def weights_of_a_pair(
        self, hyperparameters: Mapping[str, Any], read: float, written: float
    ) -> tuple[float, float]:
        """Count the gates of reader and writer, and the look of each token written at each token read."""
        hidden, vector = hyperparameters["hidden_size"], hyperparameters["embedding_size"]
        others = (hyperparameters["num_layers"] - 1) * 2 * hidden
        reader = 4 * hidden * (vector + hidden // 2 + others)
        writer = 4 * hidden * (vector + hidden + others)
        look = hidden * hidden if self.has_attention else 0
        mix = hidden * vector * (2 if self.has_attention else 1)
        multiplications = (
            read * (reader + look)
            + written * (writer + mix)
            + 2 * read * written * hidden * self.has_attention
        )
        return float(multiplications), float(reader + writer + look + mix)


class Seq2seqRnn(RecurrentTranslatorRecipe):
    """All that was read goes through one vector."""

    name = "seq2seq-rnn"
    title = "LSTM encoder and decoder"
    summary = "Two LSTMs with one vector between them (Sutskever, Vinyals, Le 2014, section 2)."
    has_attention = False


class Seq2seqAttention(RecurrentTranslatorRecipe):
    """The writer looks at every token read."""

    name = "seq2seq-attention"
    title = "LSTM encoder and decoder with attention"
    summary = "Two LSTMs and a look at every token read (Luong, Pham, Manning 2015, section 3.1)."
    has_attention = True


class Seq2seqTransformer(WritingRecipe):
    """Attention alone."""

    name = "seq2seq-transformer"
    title = "Transformer encoder and decoder"
    summary = "Blocks of attention read and write (Vaswani et al. 2017, section 3), normalised before."
    network = "transformer_translator"
    shape = ("inner_size", "heads", "num_layers", "max_tokens")
    defaults = {
        **WRITING_TRAINING,
        "embedding_size": 128,
        "inner_size": 512,
        "heads": 4,
        "num_layers": 3,
        "learning_rate": 1.5e-3,
        "dropout": 0.1,
        "embedding_dropout": 0.1,
    }
    search_space = {
        "learning_rate": (7e-4, 1.5e-3, 3e-3),
        "num_layers": (2, 3, 4),
        "embedding_size": (128, 192, 256),
    }

    def weights_of_a_pair(
        self, hyperparameters: Mapping[str, Any], read: float, written: float
    ) -> tuple[float, float]:
        """Count projections and inner layers of each block, and the looks of each token at the others."""
        size, inner = hyperparameters["embedding_size"], hyperparameters["inner_size"]
        reader, writer = 4 * size**2 + 2 * size * inner, 8 * size**2 + 2 * size * inner
        looks = 2 * size * (read**2 + written**2 + read * written)
        layers = hyperparameters["num_layers"]
        return float(layers * (read * reader + written * writer + looks)), float(layers * (reader + writer))


SEQ2SEQ_RNN = Seq2seqRnn()
SEQ2SEQ_ATTENTION = Seq2seqAttention()
SEQ2SEQ_TRANSFORMER = Seq2seqTransformer()
