"""The likelihood of a chain of tags under a linear-chain conditional random field, for learning."""

from __future__ import annotations

import torch
from torch import Tensor


def chain_loss(emissions: Tensor, transitions: Tensor, tags: Tensor, is_word: Tensor) -> Tensor:
    """Return -log of the likelihood of each row's tags, (rows,); with transitions of 0 the sum of cross entropies.

    Source: Lafferty, McCallum, Pereira (2001), Conditional random fields, section 3; Lample et al. (2016), Neural
    architectures for named entity recognition, section 2.2.

    Args:
        emissions: How each word likes each tag, (rows, length, tags).
        transitions: How a tag likes the one before it, (tags before, tags).
        tags: int64, (rows, length).
        is_word: bool, (rows, length), padding at the end.
    """
    weights = is_word.to(emissions.dtype)
    emitted = (emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * weights).sum(dim=1)
    passed = (transitions[tags[:, :-1], tags[:, 1:]] * weights[:, 1:]).sum(dim=1)
    sums = emissions[:, 0]  # (rows, tags): log-sums over all chains up to the place
    for place in range(1, emissions.shape[1]):
        onward = torch.logsumexp(sums.unsqueeze(2) + transitions, dim=1) + emissions[:, place]
        sums = torch.where(is_word[:, place].unsqueeze(1), onward, sums)
    total = torch.where(is_word[:, 0], torch.logsumexp(sums, dim=1), 0.0)
    return total - emitted - passed
