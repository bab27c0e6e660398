"""Terms of texts, with what is to be known and asked of each: for a memory that answers with texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders._words import text_of
from servery.models.encoders.terms import Terms
from servery.tasks.written import HOW


class RecalledTerms(Terms):
    """As `terms`; how texts are searched for cannot be chosen, only how many are answered."""

    name = "recalled_terms"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the texts in compressed rows, and `characters` and `alternatives` of each, int64, (rows,)."""
        texts = [text_of(example, self.columns) for example in examples]
        asked = [int((example.get(HOW) or {}).get("alternatives") or 0) for example in examples]
        return {
            **super().encode(examples, cut=cut),
            "characters": np.array([len(text) for text in texts], np.int64),
            "alternatives": np.array(asked, np.int64),
        }
