"""Taggers: for each word of a text, how much it likes each tag."""

from __future__ import annotations

from torch import Tensor

from servery.nn.embedding import PADDING
from servery.nn.network import Network
from servery.nn.tag_head import TagHead
from servery.nn.tagger_bodies import tagger_body
from servery.nn.word_features import WordFeatures


class WordTagger(Network):
    """Features of each word, a body that looks at its neighbours, emissions, and transitions between tags.

    Sources: window: Lafferty, McCallum, Pereira (2001); lstm: Huang, Xu, Yu (2015), Bidirectional LSTM-CRF models,
    section 2; cnn: Strubell et al. (2017), Fast and accurate entity recognition with iterated dilated convolutions,
    section 4.

    Args:
        counts: Numbers there are of "words", "shapes", "affixes", "symbols".
        body: "window" (a linear look at three words), "lstm", "cnn" or "transformer".
        has_transitions: Whether tags depend on the one before; else each word is tagged on its own.
        labels: Number of labels; there are 1 + 2 * labels tags.
        word_size: Length of a word's vector.
        shape_size: Length of a shape's vector.
        affix_size: Length of the vector of a word's ends.
        character_filters: Filters over a word's characters.
        hidden_size: Of each direction of the lstm; half the width of other bodies.
        num_layers: Layers of the body.
        word_dropout: Share of words that become unknown in training.
        embedding_dropout: Share of the features left out in training.
        dropout: Share of the body's numbers left out in training.
        max_words: Longest row of a transformer.
    """

    name = "word_tagger"
    axes = {
        **dict.fromkeys(("words", "shapes"), ("rows", "length")),
        **dict.fromkeys(("affixes", "symbols", "places"), ("rows", "length")),
    }

    def __init__(
        self,
        counts: dict[str, int],
        body: str,
        has_transitions: bool,
        labels: int,
        word_size: int,
        shape_size: int,
        affix_size: int,
        character_filters: int,
        hidden_size: int,
        num_layers: int,
        word_dropout: float,
        embedding_dropout: float,
        dropout: float,
        max_words: int,
    ) -> None:
        super().__init__()
        self.features = WordFeatures(
            counts, word_size, shape_size, affix_size, character_filters, word_dropout, embedding_dropout
        )
        self.body = tagger_body(body, self.features.size, hidden_size, num_layers, dropout, max_words)
        self.head = TagHead(self.body.size, labels, has_transitions, dropout)

    def forward(  # type: ignore[override]
        self, words: Tensor, shapes: Tensor, affixes: Tensor, symbols: Tensor, places: Tensor
    ) -> Tensor:
        """Return (rows, tags + length, 2 + tags); see `TagHead`.

        Args:
            words: int64, (rows, length), 0 at padding.
            shapes: int64, (rows, length).
            affixes: int64, (rows, length, ends).
            symbols: int64, (rows, length, characters).
            places: int64, (rows, length, 2), start and end of each word.
        """
        vectors = self.features(words, shapes, affixes, symbols)
        return self.head(self.body(vectors, words != PADDING), places)  # type: ignore[no-any-return]
