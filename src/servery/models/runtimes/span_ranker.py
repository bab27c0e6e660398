"""Sentences or phrases of a text, ranked by boosted trees that learned how good a summary each would be."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.document import Document
from servery.models.extraction import Extractor, Spans
from servery.models.span_reading import SpanRules, read_spans
from servery.models.token_contexts import TABLE, TokenTables

TABLES, TREES = "tables.safetensors", "trees.txt"


class SpanRanker(Extractor):
    """Guesses of each token, then trees over what is to be seen of each piece.

    Args:
        count: Pieces of a summary.
        rules: Which pieces there are.
        tables: What was learned about tokens.
        trees: From the features of a piece to the ROUGE it would have.
        threads: Threads one `run` may use.
    """

    name = "span_ranker"

    def __init__(
        self, count: int, rules: SpanRules, tables: TokenTables, trees: lightgbm.Booster, threads: int
    ) -> None:
        super().__init__(count)
        self.rules, self.tables, self.trees, self.threads = rules, tables, trees, threads

    def spans(self, documents: Sequence[Document]) -> list[Spans]:
        """Return the pieces with the ROUGE that is expected of each."""
        found = [Spans(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)) for _ in documents]
        places = [place for place, document in enumerate(documents) if len(document.sentences)]
        read = read_spans([documents[place] for place in places], self.tables, self.rules)
        if not read:
            return found
        features = np.concatenate([one.features for one in read])
        scores = np.clip(self.trees.predict(features, num_threads=self.threads), 0.0, 1.0)
        stops = np.cumsum([len(one.firsts) for one in read])
        for place, one, part in zip(places, read, np.split(scores, stops[:-1]), strict=True):
            found[place] = Spans(one.firsts, one.lasts, part)
        return found

    def save(self, folder: Path) -> None:
        """Write `tables.safetensors` and `trees.txt`."""
        save_file({name: getattr(self.tables, name) for name in _names()}, folder / TABLES)
        (folder / TREES).write_text(self.trees.model_to_string(), encoding="utf-8")

    def options(self) -> dict[str, Any]:
        """Return the rules and the number of pieces."""
        return {"count": self.count, "rules": dataclasses.asdict(self.rules)}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> SpanRanker:
        """Read tables and trees.

        Raises:
            ArtifactError: A file is missing or torn, or the options are not ours.
        """
        try:
            found = load_file(folder / TABLES)
            tables = TokenTables(**{name: found[name] for name in _names()})
            if any(array.shape[-1] != TABLE for array in (tables.weights, tables.rarity, tables.cohesion)):
                raise ValueError("tables of another size")
            trees = lightgbm.Booster(model_str=(folder / TREES).read_text(encoding="utf-8"))
            return cls(int(options["count"]), SpanRules(**options["rules"]), tables, trees, threads)
        except (
            *(OSError, SafetensorError, KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError),
        ) as error:
            raise ArtifactError(f"The ranker in {folder.name} cannot be read: {error}.") from error


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(TokenTables)]


RUNTIME = SpanRanker
