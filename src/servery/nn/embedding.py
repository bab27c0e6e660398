"""Numbers of tokens and categories become vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PADDING = 0
UNKNOWN = 1
EMBEDDING_DEVIATION = 0.1
"""Of the first weights; 1, torch's default, drowns what little data says (experiment on goemotions, 43,410 texts)."""


class TokenEmbedding(nn.Module):
    """A vector for each token, with two kinds of noise in training: tokens left out, and numbers of vectors left out.

    Source of leaving words out: Iyyer et al. (2015), Deep unordered composition rivals syntactic methods, section 3.1.

    Args:
        vocabulary_size: Number of tokens, padding (0) and unknown (1) included.
        size: Length of a vector.
        token_dropout: Share of tokens that become unknown.
        dropout: Share of numbers that become 0.
    """

    def __init__(self, vocabulary_size: int, size: int, token_dropout: float, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, size, padding_idx=PADDING)
        self.token_dropout = token_dropout
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            nn.init.normal_(self.table.weight, std=EMBEDDING_DEVIATION)
            self.table.weight[PADDING] = 0.0

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors (rows, length, size), 0 at padding, and where tokens are, bool, (rows, length).

        Args:
            tokens: int64, (rows, length).
        """
        is_token = tokens != PADDING
        if self.training and self.token_dropout > 0:
            is_left_out = torch.rand(tokens.shape, device=tokens.device) < self.token_dropout
            tokens = torch.where(is_left_out & is_token, UNKNOWN, tokens)
        return self.dropout(self.table(tokens)), is_token


class CategoryEmbeddings(nn.Module):
    """A vector for each category of each column, side by side.

    Source: Guo and Berkhahn (2016), Entity embeddings of categorical variables, section 3.

    Args:
        counts: Of each column: number of categories, unseen (0) included.
        largest: Length of the longest vector; a column of n categories gets min(largest, (n + 1) / 2).
    """

    def __init__(self, counts: Sequence[int], largest: int) -> None:
        super().__init__()
        sizes = [min(largest, (count + 1) // 2) for count in counts]
        self.tables = nn.ModuleList(nn.Embedding(n, size) for n, size in zip(counts, sizes, strict=True))
        self.size = sum(sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=EMBEDDING_DEVIATION)  # type: ignore[arg-type]

    def forward(self, categories: Tensor) -> Tensor:
        """Return vectors (rows, size).

        Args:
            categories: int64, (rows, columns).
        """
        vectors = [table(categories[:, place]) for place, table in enumerate(self.tables)]
        return torch.cat(vectors, dim=1)
