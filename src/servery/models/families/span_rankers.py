"""Summaries chosen from the text by a learned ranking: of its sentences, or of phrases within them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.rouge import rouge_words
from servery.models.encoders._words import text_of
from servery.models.encoders.utf8 import Utf8
from servery.models.extraction import Extractor
from servery.models.families._assembly import assemble, say_left_out
from servery.models.families._measures import mean_characters
from servery.models.families._span_fit import Lesson, fit_spans, lesson
from servery.models.families.extractive import COMPARED_ROWS, LENGTHS, MOST_CHARACTERS, one_text
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.span_ranker import SpanRanker
from servery.models.span_reading import SpanRules
from servery.tasks.passages import best_apart, joined_passages
from servery.tasks.task import Calibration
from servery.tasks.written import Candidate, Written, outputs_of, written_of

SECONDS_PER_CHARACTER = 2e-5
"""Of comparing its pieces with the reference and learning from them, measured on scitldr-a."""
BYTES_PER_CHARACTER = 600
LONGEST_SENTENCE = 80
"""Words of a sentence that are compared with the reference."""


class SpanRankerRecipe(Recipe):
    """The mean of ROUGE-1 and ROUGE-L of every piece is what is learned."""

    form = "text"
    tasks = frozenset({"summarization"})
    can_stop_early = False
    has_phrases: ClassVar[bool]
    defaults = {
        "count": 0,
        "begins": 20,
        "guess_penalty": 40.0,
        "num_leaves": 15,
        "learning_rate": 0.05,
        "rounds": 200,
    }
    search_space = {
        "num_leaves": (7, 15, 31),
        "guess_penalty": (10.0, 40.0, 160.0),
        "rounds": (100, 200, 400),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters."""
        characters = mean_characters(dataset) * len(dataset)
        return Cost(
            3.0 + SECONDS_PER_CHARACTER * characters,
            int(300 * 2**20 + BYTES_PER_CHARACTER * characters),
            f"{len(dataset):,} texts, {characters:,.0f} characters",
        )

    def make(self, work: Work) -> Made:
        """Learn to rank, then choose how many pieces make a summary."""
        columns = one_text(work.train)
        say_left_out(work, columns)
        encoder = Utf8([column.name for column in columns], MOST_CHARACTERS)
        lessons, rules = self._lessons(work, encoder)
        tables, trees = fit_spans(work, lessons, rules)
        runtime = SpanRanker(work.hyperparameters["count"] or 1, rules, tables, trees, work.budget.threads)
        if not work.hyperparameters["count"]:
            runtime.count = best_count(work, runtime, encoder)
            work.progress.say("Length", f"{runtime.count} of the text's pieces")
        reason = "numpy and LightGBM need no torch"
        return Made(assemble(work, self.name, columns, (), encoder, runtime, reason))

    def _lessons(self, work: Work, encoder: Utf8) -> tuple[list[Lesson], SpanRules]:
        references = work.task.encode_targets(work.train, ())
        words = np.array([len(rouge_words(text)) for rights in references for text in rights])
        low, high = np.percentile(words, [2, 98]).astype(int).tolist()
        rules = SpanRules(
            self.has_phrases, work.hyperparameters["begins"], max(low, 1), max(high, 2), float(words.mean())
        )
        longest = rules.longest if self.has_phrases else max(LONGEST_SENTENCE, rules.longest)
        lessons = []
        for row, example in enumerate(work.train.examples()):
            text = text_of(example, encoder.columns)[:MOST_CHARACTERS]
            if any(map(str.isalnum, text)):
                lessons.append(lesson(text, references[row], longest))
            work.progress.update("Pieces", row + 1, len(work.train))
        if not lessons:
            raise DataError("None of the training texts has a word.", param="data")
        return lessons, rules


def best_count(work: Work, runtime: Extractor, encoder: Utf8) -> int:
    """Return how many pieces make the best summaries of validation rows."""
    rows = work.validation.take(np.arange(min(len(work.validation), COMPARED_ROWS)))
    found = [written_of(output) for output in runtime.run(encoder.encode(list(rows.examples()), cut=True))]
    targets = work.task.encode_targets(rows, ())

    def score(count: int) -> float:
        texts = [joined_passages(best_apart(written.passages, count)) for written in found]
        outputs = outputs_of([Written((Candidate(text, 0.0),)) for text in texts])
        return work.task.primary(targets, outputs, Calibration())

    return max(LENGTHS, key=score)


class SentenceRanker(SpanRankerRecipe):
    """Whole sentences, as they stand."""

    name = "sentence-ranker"
    title = "Sentences ranked by boosted trees"
    summary = (
        "Boosted trees over position, length, centrality and learned cues of each sentence (Kupiec, Pedersen, Chen "
        "1995, A trainable document summarizer, section 3), fitted to its ROUGE."
    )
    has_phrases = False


class PhraseRanker(SpanRankerRecipe):
    """Pieces of sentences too, so that a title or a line comes out."""

    name = "phrase-ranker"
    title = "Phrases ranked by boosted trees"
    summary = (
        "As sentence-ranker over pieces of sentences, whose ends are guessed from the words around them "
        "(compression by extraction: Knight and Marcu 2002, section 1)."
    )
    has_phrases = True


SENTENCE_RANKER = SentenceRanker()
PHRASE_RANKER = PhraseRanker()
