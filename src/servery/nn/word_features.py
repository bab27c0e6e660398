"""What is known of a word becomes a vector: the word, its shape, its ends, and filters over its characters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import EMBEDDING_DEVIATION, PADDING, UNKNOWN
from servery.nn.pooling import masked_max


class WordFeatures(nn.Module):
    """Vectors of word, shape, ends and characters side by side.

    Source of filters over characters: Ma and Hovy (2016), End-to-end sequence labeling, section 2.1.

    Args:
        counts: Numbers there are of "words", "shapes", "affixes", "symbols".
        word_size: Length of a word's vector.
        shape_size: Length of a shape's vector.
        affix_size: Length of the vector of a word's ends together.
        character_filters: Filters over the characters; 0 leaves them out.
        word_dropout: Share of words that become unknown in training, so that the rest learns to do without.
        dropout: Share of the numbers left out in training.
    """

    def __init__(
        self,
        counts: dict[str, int],
        word_size: int,
        shape_size: int,
        affix_size: int,
        character_filters: int,
        word_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(counts["words"], word_size, padding_idx=PADDING)
        self.shapes = nn.Embedding(counts["shapes"], shape_size, padding_idx=PADDING)
        self.affixes = nn.Embedding(counts["affixes"], affix_size, padding_idx=PADDING)
        tables = [self.words, self.shapes, self.affixes]
        self.character_filters = character_filters
        if character_filters:
            self.symbols = nn.Embedding(counts["symbols"], 32, padding_idx=PADDING)
            self.filters = nn.Conv1d(32, character_filters, 3, padding=1)
            tables.append(self.symbols)
        with torch.no_grad():
            for table in tables:
                nn.init.normal_(table.weight, std=EMBEDDING_DEVIATION)
                table.weight[PADDING] = 0.0
        self.word_dropout = word_dropout
        self.dropout = nn.Dropout(dropout)
        self.size = word_size + shape_size + affix_size + character_filters

    def forward(self, words: Tensor, shapes: Tensor, affixes: Tensor, symbols: Tensor) -> Tensor:
        """Return vectors, (rows, length, size), 0 at padding.

        Args:
            words: int64, (rows, length).
            shapes: int64, (rows, length).
            affixes: int64, (rows, length, ends).
            symbols: int64, (rows, length, characters).
        """
        if self.training and self.word_dropout > 0:
            is_left_out = torch.rand(words.shape, device=words.device) < self.word_dropout
            words = torch.where(is_left_out & (words != PADDING), UNKNOWN, words)
        parts = [self.words(words), self.shapes(shapes), self.affixes(affixes).sum(dim=2)]
        if self.character_filters:
            parts.append(self._spelled(symbols))
        return self.dropout(torch.cat(parts, dim=2))  # type: ignore[no-any-return]

    def _spelled(self, symbols: Tensor) -> Tensor:
        rows, length, characters = symbols.shape
        flat = symbols.reshape(rows * length, characters)
        vectors = self.filters(self.symbols(flat).transpose(1, 2)).transpose(
            1, 2
        )  # (words, characters, filters)
        # Padding has no characters: the maximum over none would be a number that stands for nothing.
        found = functional.relu(masked_max(functional.relu(vectors), flat != PADDING))
        return found.reshape(rows, length, self.character_filters)
