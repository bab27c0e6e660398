"""Keys and values of every text under way, in pages that belong to one text each; texts of any length lie together."""

from __future__ import annotations

import torch
from torch import Tensor

PAGE_TOKENS = 64
"""Tokens on one page. Attention over a text always reads whole pages, however many texts run beside it."""
FIRST_PAGES = 32


class KeyValuePages:
    """The pages of all layers; they double when none is free, and are let go when none is in use.

    Source: Kwon et al. (2023), Efficient memory management for large language model serving with PagedAttention,
    section 4.1.

    Args:
        num_layers: Number of blocks of the network.
        key_value_heads: Heads of each block that have keys and values.
        head_size: Length of a key.
    """

    def __init__(self, num_layers: int, key_value_heads: int, head_size: int) -> None:
        self.num_layers = num_layers
        self.key_value_heads = key_value_heads
        self.head_size = head_size
        self._forget()

    @property
    def pages_in_use(self) -> int:
        """Pages that belong to some text."""
        return self._count - len(self._free)

    @property
    def token_bytes(self) -> int:
        """Memory that one token needs."""
        return 2 * self.num_layers * self.key_value_heads * self.head_size * self.keys[0].element_size()

    @property
    def size_bytes(self) -> int:
        """Memory that the pages take."""
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))

    def take(self, count: int) -> list[int]:
        """Return the numbers of pages that now belong to the caller."""
        while len(self._free) < count:
            self._double()
        return [self._free.pop() for _ in range(count)]

    def give_back(self, pages: list[int]) -> None:
        """Take pages back."""
        self._free.extend(pages)
        if len(self._free) == self._count:
            self._forget()

    def write(self, layer: int, places: Tensor, keys: Tensor, values: Tensor) -> None:
        """Write keys and values.

        Args:
            layer: Number of the block.
            places: From `places_of`, flat, in the order of `keys`.
            keys: (len(places), head_size).
            values: As `keys`.
        """
        self.keys[layer].index_copy_(0, places, keys)
        self.values[layer].index_copy_(0, places, values)

    def read(self, layer: int, shelves: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of texts with equally many pages.

        Args:
            layer: Number of the block.
            shelves: From `shelves_of`, (rows, key_value_heads, pages).

        Returns:
            Each (rows, key_value_heads, pages * PAGE_TOKENS, head_size).
        """
        rows = len(shelves)
        flat = shelves.flatten()
        shape = (rows, self.key_value_heads, -1, self.head_size)
        keys = self.keys[layer].view(-1, PAGE_TOKENS * self.head_size).index_select(0, flat)
        values = self.values[layer].view(-1, PAGE_TOKENS * self.head_size).index_select(0, flat)
        return keys.view(shape), values.view(shape)

    def shelves_of(self, pages: Tensor) -> Tensor:
        """Return where each head's part of each page lies, (rows, key_value_heads, pages).

        Args:
            pages: int64, (rows, pages).
        """
        heads = torch.arange(self.key_value_heads)
        return pages[:, None, :] * self.key_value_heads + heads[None, :, None]

    def places_of(self, pages: Tensor, offsets: Tensor) -> Tensor:
        """Return where each head's part of each token lies, (tokens, key_value_heads).

        Args:
            pages: The page of each token, int64, (tokens,).
            offsets: Its place on the page, int64, (tokens,).
        """
        heads = torch.arange(self.key_value_heads)
        return (pages[:, None] * self.key_value_heads + heads) * PAGE_TOKENS + offsets[:, None]

    def _forget(self) -> None:
        self._count = 0
        self._free: list[int] = []
        self.keys = [torch.zeros(0, self.head_size) for _ in range(self.num_layers)]
        self.values = [torch.zeros(0, self.head_size) for _ in range(self.num_layers)]

    def _double(self) -> None:
        more = max(self._count, FIRST_PAGES)
        # Zeros, not whatever lies in memory: a masked NaN would still spoil the sum it is multiplied into.
        room = torch.zeros(more * self.key_value_heads * PAGE_TOKENS, self.head_size)
        self.keys = [torch.cat([tensor, room]) for tensor in self.keys]
        self.values = [torch.cat([tensor, room]) for tensor in self.values]
        self._free.extend(range(self._count + more - 1, self._count - 1, -1))
        self._count += more
