"""Tagged texts to learn from: tags of spans, and spans exchanged for others of their label."""

import numpy as np
import pytest
import torch

from servery.models.encoders.tagged_words import TaggedWords
from servery.models.families._tagged_examples import SwappedExamples, TaggedExamples

TEXTS = ["Ann saw Rome", "Bo Li left Oslo today", "nothing here"]
SPANS = [[(0, 3, 0), (8, 12, 1)], [(0, 5, 0), (11, 15, 1)], []]
ROWS = np.arange(3)


@pytest.fixture
def parts():
    encoder = TaggedWords.fit([{"text": t} for t in TEXTS] * 2, ["text"], vocabulary_size=99, max_words=99)
    targets = np.empty(3, object)
    for row, spans in enumerate(SPANS):
        targets[row] = np.array(spans, np.int64).reshape(-1, 3)
    return encoder, [encoder.row(text, cut=True) for text in TEXTS], targets


def said(encoder, inputs, tags):
    """The words of each row with their tags."""
    names = ["", "?", *encoder.words]
    return [
        [(names[word], tag) for word, tag in zip(words, tagged, strict=True) if word]
        for words, tagged in zip(inputs["words"].tolist(), tags.tolist(), strict=True)
    ]


def test_a_batch_holds_rows_with_their_tags_padded(parts):
    encoder, rows, targets = parts
    inputs, tags = TaggedExamples(rows, targets).batch(ROWS, 0, 0, 0)
    assert tags.tolist() == [[1, 0, 3, 0, 0], [1, 2, 0, 3, 0], [0] * 5]
    assert [word for word, _ in said(encoder, inputs, tags)[0]] == ["ann", "saw", "rome"]


def test_spans_that_end_within_a_word_are_counted(parts):
    _, rows, targets = parts
    assert TaggedExamples(rows, targets).crossed() == 0
    targets[0] = np.array([[0, 2, 0], [8, 12, 1]])
    assert TaggedExamples(rows, targets).crossed() == 1


def test_exchanged_spans_keep_their_label_and_everything_around_them(parts):
    encoder, rows, targets = parts
    swapped = SwappedExamples(rows, targets, 1.0)
    persons, places = {("ann",), ("bo", "li")}, {("rome",), ("oslo",)}
    met = set()
    for epoch in range(20):
        inputs, tags = swapped.batch(ROWS, 0, epoch, 0)
        first, second, third = said(encoder, inputs, tags)
        person = tuple(word for word, tag in first if tag in (1, 2))
        place = tuple(word for word, tag in first if tag in (3, 4))
        assert person in persons
        assert place in places
        assert [word for word, tag in first if tag == 0] == ["saw"]
        assert [word for word, tag in second if tag == 0] == ["left", "today"]
        assert third == [("nothing", 0), ("here", 0)]
        met.add((person, place))
    assert len(met) == 4


def test_what_is_exchanged_follows_seed_epoch_and_step_and_a_share_of_0_changes_nothing(parts):
    _, rows, targets = parts
    swapped, as_they_are = SwappedExamples(rows, targets, 0.5), SwappedExamples(rows, targets, 0.0)
    batches = [swapped.batch(ROWS, 0, epoch, 0)[1] for epoch in range(8)]
    assert torch.equal(batches[3], swapped.batch(ROWS, 0, 3, 0)[1])
    assert len({str(tags.tolist()) for tags in batches}) > 1
    plain, tags = TaggedExamples(rows, targets).batch(ROWS, 0, 0, 0)
    inputs, same = as_they_are.batch(ROWS, 0, 0, 0)
    assert torch.equal(tags, same)
    assert all(torch.equal(array, inputs[name]) for name, array in plain.items())
