"""What is to be seen of pieces of a text: what they hold, where they stand, and how promising their ends are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from servery.models.document import Document
from servery.models.token_contexts import TokenTables, contexts, hashed, moved

COHESION = 3.0
"""Mutual information, in nats, from which two characters are taken for parts of one word."""
_OPENING, _CLOSING = "(（[【《“「", ")）]】》”」"


@dataclass(frozen=True)
class SpanRules:
    """Which pieces of a text may be a summary.

    Attributes:
        has_phrases: Whether pieces of sentences are among them; else sentences alone.
        begins: How many of a text's most promising first tokens are looked at; as many last ones.
        shortest: Least words of a phrase.
        longest: Most words of a phrase.
        typical: Words of a typical summary.
    """

    has_phrases: bool
    begins: int
    shortest: int
    longest: int
    typical: float


class ReadSpans:
    """The pieces of one document and what is to be seen of them.

    Args:
        document: With at least one sentence.
        tables: What was learned about tokens.
        guesses: Of the document's tokens, by role.
        rules: Which pieces there are.
    """

    def __init__(
        self, document: Document, tables: TokenTables, guesses: dict[str, np.ndarray], rules: SpanRules
    ) -> None:
        self.document, self.tables, self.guesses, self.rules = document, tables, guesses, rules
        self.rarity = tables.rarity[hashed(0, document.numbers)] * document.is_word
        firsts, lasts = document.sentences.T
        if rules.has_phrases:
            firsts, lasts = self._phrases(firsts, lasts)
        self.firsts, self.lasts = firsts, lasts

    def _phrases(self, firsts: np.ndarray, lasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sentences and promising pieces of sentences."""
        document, rules = self.document, self.rules
        binds = np.append(self._binds, False)
        closes = np.array([document.text[begin] in _CLOSING for begin in document.begins])
        may_begin = document.can_begin & ~binds[:-1]
        may_end = (document.can_end & ~binds[1:]) | closes
        begins = _best(np.where(may_begin, self.guesses["begin"], -np.inf), rules.begins)
        ends = _best(np.where(may_end, self.guesses["end"], -np.inf), rules.begins)
        # Sentences' own edges are always looked at; the stop at the end is left out of a phrase.
        last_words = np.array([self._last_word(*span) for span in document.sentences.tolist()])
        all_begins, all_ends = np.union1d(begins, firsts), np.union1d(ends, last_words)
        one, other = (grid.reshape(-1) for grid in np.meshgrid(all_begins, all_ends, indexing="ij"))
        words = document.words_before[np.maximum(other, one) + 1] - document.words_before[one]
        depth = self._depth
        fits = (
            (other >= one)
            & (document.sentence[one] == document.sentence[other])
            & (words >= rules.shortest)
            & (words <= rules.longest)
            & (depth[np.minimum(other + 1, len(document))] == depth[one])
        )
        return np.concatenate([firsts, one[fits]]), np.concatenate([lasts, other[fits]])

    def _last_word(self, first: int, last: int) -> int:
        return int(first + np.flatnonzero(self.document.is_word[first : last + 1])[-1])

    @cached_property
    def _binds(self) -> np.ndarray:
        """Whether a token makes one word with the one before it, bool, (tokens,)."""
        document = self.document
        touches = np.append(False, document.begins[1:] == document.ends[:-1])
        are_words = document.is_word & np.append(False, document.is_word[:-1])
        pairs = hashed(1, moved(document.numbers, 1), document.numbers)
        return np.asarray(touches & are_words & (self.tables.cohesion[pairs] > COHESION))

    @cached_property
    def _depth(self) -> np.ndarray:
        """How many brackets are open before each token, and at the end, int64, (tokens + 1,)."""
        letters = [self.document.text[begin] for begin in self.document.begins]
        steps = [(letter in _OPENING) - (letter in _CLOSING) for letter in letters]
        return np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])

    @cached_property
    def features(self) -> np.ndarray:
        """What is to be seen of each piece, float32, (spans, features)."""
        document, rules, firsts, lasts = self.document, self.rules, self.firsts, self.lasts
        begin, end = self.guesses["begin"], self.guesses["end"]
        chance = np.clip(self.guesses["member"], 0.0, 1.0) * document.is_word
        words = np.maximum(_between(document.is_word, firsts, lasts), 1.0)
        sentence, sentences = document.sentence[firsts], document.sentence[-1] + 1
        edges = np.searchsorted(document.sentence, np.arange(sentences + 1))
        first_of, last_of = edges[sentence], edges[sentence + 1] - 1
        long = last_of - first_of + 1.0
        best_begin = np.maximum.reduceat(begin, edges[:-1])[sentence]
        _, first, which, times = np.unique(
            document.numbers, return_index=True, return_inverse=True, return_counts=True
        )
        often = times[which.reshape(-1)] * document.is_word
        new, total = self._new_chance(chance), float(chance[first].sum()) + 1e-6
        energy = np.maximum(_between(self.rarity**2, firsts, lasts), 1e-6)
        whole = np.sqrt(float(((times * self.rarity[first]) ** 2).sum()) + 1e-6)
        offset, rest = firsts - first_of, last_of - lasts
        sure, rare = _between(chance, firsts, lasts), _between(self.rarity, firsts, lasts)
        central = _between(often * self.rarity**2, firsts, lasts)
        columns = {
            "begin": begin[firsts],
            "end": end[lasts],
            "begin and end": begin[firsts] + end[lasts],
            "begin under the best": begin[firsts] - begin.max(),
            "end under the best": end[lasts] - end.max(),
            "sentence's begin under the best": best_begin - begin.max(),
            "begin under the sentence's best": begin[firsts] - best_begin,
            "chance of members": sure,
            "chance of members, each once": new,
            "share of all members": new / total,
            "expected F1": 2 * new / (words + rules.typical),
            "expected F1 of a summary of this text": 2 * new / (words + 0.6 * total),
            "chance of a word": sure / words,
            "words": words,
            "words by the typical": words / rules.typical,
            "sentence": sentence,
            "sentences after it": sentences - 1 - sentence,
            "sentences": np.full(len(firsts), sentences),
            "place of the sentence": sentence / sentences,
            "tokens of the text": np.full(len(firsts), len(document)),
            "place": firsts / len(document),
            "tokens left out before": offset,
            "tokens left out after": rest,
            "share left out before": offset / long,
            "share left out after": rest / long,
            "tokens of the sentence": long,
            "marks": _between(~document.is_word, firsts, lasts),
            "what stands before": _kind_of(document, firsts - 1),
            "what stands after": _kind_of(document, lasts + 1),
            "rarity of a word": rare / words,
            "weight of a word": _between(self.rarity * np.log1p(often), firsts, lasts) / words,
            "cosine with the text": central / (whole * np.sqrt(energy)),
        }
        return np.stack([np.asarray(column, np.float32) for column in columns.values()], axis=1)

    def _new_chance(self, chance: np.ndarray) -> np.ndarray:
        """Return the sum of the chances of each piece's words, each word once, float64, (spans,)."""
        numbers = self.document.numbers
        found = np.zeros(len(self.firsts))
        order = np.argsort(numbers, kind="stable")
        last_time = np.full(len(numbers), -1)
        same = numbers[order[1:]] == numbers[order[:-1]]
        last_time[order[1:][same]] = order[:-1][same]
        for first in np.unique(self.firsts):
            places = np.flatnonzero(self.firsts == first)
            stop = self.lasts[places].max() + 1
            sums = np.cumsum(chance[first:stop] * (last_time[first:stop] < first))
            found[places] = sums[self.lasts[places] - first]
        return found


def _best(values: np.ndarray, most: int) -> np.ndarray:
    """Return the places of the largest values that are finite."""
    order = np.argsort(-values, kind="stable")[:most]
    return np.asarray(order[np.isfinite(values[order])])


def _between(values: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Return the sum of values from each first place to each last one, both included."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(sums[lasts + 1] - sums[firsts])


def _kind_of(document: Document, places: np.ndarray) -> np.ndarray:
    """Return what stands there: 0 nothing, 1 a word, 2 a mark."""
    inside = (places >= 0) & (places < len(document))
    is_word = document.is_word[np.clip(places, 0, len(document) - 1)]
    return np.where(inside, np.where(is_word, 1, 2), 0)


def read_spans(documents: Sequence[Document], tables: TokenTables, rules: SpanRules) -> list[ReadSpans]:
    """Return the pieces of documents, each with at least one sentence."""
    return [ReadSpans(d, tables, tables.guesses(contexts(d)), rules) for d in documents]
