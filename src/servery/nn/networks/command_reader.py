"""Commands: what the whole of one means, and which of its words fill which slot."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import PADDING
from servery.nn.network import Network
from servery.nn.pooling import mean_and_max
from servery.nn.tag_head import TagHead
from servery.nn.tagger_bodies import tagger_body
from servery.nn.word_features import WordFeatures


class CommandReader(Network):
    """One body under two heads: decisions on the whole command, and a chain of tags over its words.

    Sources: Liu and Lane (2016), Attention-based recurrent neural network models for joint intent detection and slot
    filling, section 3.2 (shared states, pooled for the intent); chain: Lample et al. (2016), section 2.2.

    Args:
        counts: Numbers there are of "words", "shapes", "affixes", "symbols".
        body: "lstm", "cnn" or "transformer".
        decisions: Numbers put out for the whole command.
        labels: Number of slots that are found in the text.
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

    name = "command_reader"
    axes = {
        **dict.fromkeys(("words", "shapes"), ("rows", "length")),
        **dict.fromkeys(("affixes", "symbols", "places"), ("rows", "length")),
    }

    def __init__(
        self,
        counts: dict[str, int],
        body: str,
        decisions: int,
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
        self.head = TagHead(self.body.size, labels, True, dropout)
        self.decide = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * self.body.size, decisions))
        self.width = 3 + 2 * labels
        """Of the lines: two places and the tags."""
        self.lines = -(-decisions // self.width)
        self.decisions = decisions

    def forward(  # type: ignore[override]
        self, words: Tensor, shapes: Tensor, affixes: Tensor, symbols: Tensor, places: Tensor
    ) -> Tensor:
        """Return (rows, lines + tags + length, 2 + tags): the decisions wrapped into lines, then as `TagHead`.

        Args:
            words: int64, (rows, length), 0 at padding.
            shapes: int64, (rows, length).
            affixes: int64, (rows, length, ends).
            symbols: int64, (rows, length, characters).
            places: int64, (rows, length, 2), start and end of each word.
        """
        is_word = words != PADDING
        states = self.body(self.features(words, shapes, affixes, symbols), is_word)
        # A command without words has its first place: a mean over nothing would be no number.
        is_seen = is_word | (torch.arange(words.shape[1], device=words.device) == 0)
        decided = self.decide(mean_and_max(states, is_seen)).float()
        filled = functional.pad(decided, (0, self.lines * self.width - self.decisions))
        whole = filled.reshape(-1, self.lines, self.width)
        return torch.cat([whole, self.head(states, places)], dim=1)
