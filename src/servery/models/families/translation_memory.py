"""The translation memory: the baseline of all that write, made in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.models.encoders.recalled_terms import RecalledTerms
from servery.models.families._assembly import assemble, columns_for, say_left_out
from servery.models.families._measures import mean_characters
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.translation_memory import TranslationMemory

SECONDS_PER_CHARACTER = 1e-5
"""Of counting its terms twice, measured on tatoeba-en-zh."""
BYTES_PER_CHARACTER = 60


class TranslationMemoryRecipe(Recipe):
    """Nothing is learned but which terms are rare."""

    name = "translation-memory"
    title = "Translation memory"
    summary = "Answers with the translation of the training text most alike, by TF-IDF (Nagao 1984)."
    form = "text"
    tasks = frozenset({"translation"})
    can_stop_early = False
    defaults = {"phrase_length": 2, "shortest_piece": 2, "longest_piece": 4, "max_terms": 200_000}
    search_space = {"phrase_length": (1, 2, 3), "longest_piece": (0, 4, 5)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters."""
        characters = len(dataset) * mean_characters(dataset)
        seconds = 1.0 + SECONDS_PER_CHARACTER * characters
        return Cost(
            seconds,
            int(200 * 2**20 + BYTES_PER_CHARACTER * characters),
            f"{len(dataset):,} texts to remember",
        )

    def make(self, work: Work) -> Made:
        """Remember the training pairs."""
        columns, settings = columns_for(work.train, frozenset({Kind.TEXT})), work.hyperparameters
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = RecalledTerms.fit(
            examples,
            [column.name for column in columns],
            phrase_length=settings["phrase_length"],
            piece_lengths=(
                settings["shortest_piece"] if settings["longest_piece"] else 0,
                settings["longest_piece"],
            ),
            min_documents=1,
            min_piece_documents=2,
            max_terms=settings["max_terms"],
        )
        assert isinstance(encoder, RecalledTerms)
        texts = work.task.encode_targets(work.train, ()).tolist()
        runtime = TranslationMemory(encoder.encode(examples, cut=True), encoder.term_count, texts)
        return Made(assemble(work, self.name, columns, (), encoder, runtime, "one product, without torch"))


TRANSLATION_MEMORY = TranslationMemoryRecipe()
