"""A tagger that sees each word as a pretrained encoder sees it in its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from servery.nn.embedding import PADDING
from servery.nn.network import Network
from servery.nn.networks.bert_encoder import BertEncoder
from servery.nn.tag_head import TagHead
from servery.nn.tagger_bodies import tagger_body
from servery.nn.word_features import WordFeatures


class ContextTagger(nn.Module):
    """Vectors of words in their sentence beside features of the words, recurrent layers, a CRF.

    Uncased encoders do not see capitals; the features do.

    Args:
        context_size: Length of a word's vector from the encoder.
        features: What `WordFeatures` is built with.
        labels: Number of labels.
        hidden_size: Of each direction of the recurrent layer.
        context_dropout: Share of the encoder's numbers left out in training.
        dropout: Share of the states' numbers left out in training.
    """

    def __init__(
        self,
        context_size: int,
        features: dict[str, Any],
        labels: int,
        hidden_size: int,
        context_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.features = WordFeatures(**features)
        self.norm = nn.LayerNorm(context_size)
        self.context_dropout = nn.Dropout(context_dropout)
        self.body = tagger_body("lstm", context_size + self.features.size, hidden_size, 1, dropout, 1)
        self.head = TagHead(self.body.size, labels, True, dropout)

    def forward(
        self, context: Tensor, words: Tensor, shapes: Tensor, affixes: Tensor, symbols: Tensor, places: Tensor
    ) -> Tensor:
        """Return (rows, tags + length, 2 + tags); see `TagHead`.

        Args:
            context: (rows, length, context_size).
            words: As of `WordTagger`, like the others.
            shapes: int64, (rows, length).
            affixes: int64, (rows, length, ends).
            symbols: int64, (rows, length, characters).
            places: int64, (rows, length, 2).
        """
        seen = self.context_dropout(self.norm(context.float()))
        vectors = torch.cat([seen, self.features(words, shapes, affixes, symbols)], dim=2)
        return self.head(self.body(vectors, words != PADDING), places)  # type: ignore[no-any-return]


class EncoderTagger(Network):
    """A pretrained encoder whose layers give each word its vector, and a tagger on top.

    Source: Peters et al. (2018), Deep contextualized word representations, section 3.3; several layers side by side:
    Devlin et al. (2019), BERT, section 5.3.

    Args:
        encoder: What `BertEncoder` is built with.
        layers: Which of the encoder's layers are seen, side by side; 0 is before the first block, -1 behind the last.
        tagger: What `ContextTagger` is built with, without `context_size`.
    """

    name = "encoder_tagger"
    axes = {
        **BertEncoder.axes,
        **dict.fromkeys(("firsts", "words", "shapes", "affixes", "symbols", "places"), ("rows", "words")),
    }

    def __init__(self, encoder: dict[str, Any], layers: Sequence[int], tagger: dict[str, Any]) -> None:
        super().__init__()
        self.encoder = BertEncoder(**encoder)
        self.layers = tuple(layers)
        self.tagger = ContextTagger(len(self.layers) * encoder["size"], **tagger)

    def context(self, tokens: Tensor, parts: Tensor, is_token: Tensor, firsts: Tensor) -> Tensor:
        """Return each word's vector: its first token's in each of the layers, (rows, words, layers * size).

        Args:
            tokens: int64, (rows, tokens), 0 at padding.
            parts: int64, (rows, tokens), which text a token belongs to.
            is_token: int64, (rows, tokens), 0 at padding.
            firsts: int64, (rows, words).
        """
        found = self.encoder.layers(tokens, parts, is_token)
        seen = torch.cat([found[layer] for layer in self.layers], dim=2)  # (rows, tokens, layers * size)
        return seen.gather(1, firsts.unsqueeze(2).expand(-1, -1, seen.shape[2]))

    def forward(  # type: ignore[override]
        self,
        tokens: Tensor,
        parts: Tensor,
        is_token: Tensor,
        firsts: Tensor,
        words: Tensor,
        shapes: Tensor,
        affixes: Tensor,
        symbols: Tensor,
        places: Tensor,
    ) -> Tensor:
        """Return (rows, tags + words, 2 + tags); see `TagHead`. The arguments are those of `context` and the tagger."""
        context = self.context(tokens, parts, is_token, firsts)
        return self.tagger(context, words, shapes, affixes, symbols, places)  # type: ignore[no-any-return]
