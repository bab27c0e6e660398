"""Words of a tagger: where they stand, what is known of them, and how they meet the tokens of an encoder."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoders.tagged_pieces import TaggedPieces
from servery.models.encoders.tagged_words import MOST_CHARACTERS, TaggedWords, words_in

TEXTS = [{"text": "Ann Lind flew to Rome in 1999."}] * 3 + [{"text": "王芳在上海 😀 أحمد"}] * 3


@pytest.fixture
def encoder():
    return TaggedWords.fit(TEXTS, ["text"], vocabulary_size=100, max_words=12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann's U.S.-tour", ["Ann", "'", "s", "U", ".", "S", ".", "-", "tour"]),
        ("see https://a.b/c?d=1 now", ["see", "https://a.b/c?d=1", "now"]),
        ("@ann #rome 7pm", ["@", "ann", "#", "rome", "7", "pm"]),
        ("我在IBM工作", ["我", "在", "IBM", "工", "作"]),
        ("e\u0301tat نُور", ["e\u0301tat", "نُور"]),
        ("👩‍👧", ["👩", "\u200d", "👧"]),
        ("", []),
    ],
)
def test_words_are_the_finest_pieces_that_a_span_can_end_at(text, words):
    assert [text[start:end] for start, end in words_in(text)] == words


def test_a_row_knows_word_shape_ends_characters_and_place(encoder):
    row = encoder.row("Ann saw ANN 1999", cut=False)
    assert row["words"][0] == row["words"][2] > 1
    assert row["shapes"][0] != row["shapes"][2]
    assert row["words"][1] == 1  # never met
    assert row["words"][3] == encoder.row("2024", cut=False)["words"][0]  # digits are alike
    assert row["places"].tolist() == [[0, 3], [4, 7], [8, 11], [12, 16]]
    assert row["symbols"].shape == (4, MOST_CHARACTERS)
    assert len(row["affixes"][0]) == 6
    ends = TaggedWords.fit([{"text": "bring ring sing"}] * 2, ["text"], vocabulary_size=9, max_words=9)
    assert ends.affixes == ("-ing", "-ng")
    known = ends.row("thing", cut=False)["affixes"][0]
    assert known.tolist() == [1, 1, 1, 3, 2, 1]


def test_rows_are_padded_with_zeros_and_a_text_without_words_has_one_empty_place(encoder):
    batch = encoder.encode([{"text": "Ann flew"}, {"text": ""}, {"text": None}])
    assert {name: array.shape[:2] for name, array in batch.items()} == dict.fromkeys(batch, (3, 2))
    assert not any(array[1:].any() for array in batch.values())
    assert encoder.encode([{"text": ""}])["words"].shape == (1, 1)


def test_a_text_over_the_limit_is_refused_and_cut_only_for_data_sets(encoder):
    long = [{"text": "Ann " * 13}]
    with pytest.raises(TooLongError, match="13 words and marks; this model reads at most 12"):
        encoder.encode(long)
    assert encoder.encode(long, cut=True)["words"].shape == (1, 12)
    with pytest.raises(InputError):
        encoder.encode([{"text": 7}])


def test_it_comes_back_from_its_state(encoder):
    again = TaggedWords.restore(encoder.state())
    assert all(np.array_equal(a, again.encode(TEXTS)[name]) for name, a in encoder.encode(TEXTS).items())
    for torn in ({}, {**encoder.state(), "words": 3}, {**encoder.state(), "max_words": None}):
        with pytest.raises(ArtifactError, match="tagged_words"):
            TaggedWords.restore(torn)


@pytest.fixture
def pieces(encoder):
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ann", "lin", "##d", "rome", "'", "上", "海"]
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = (
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return TaggedPieces(encoder, tokenizer, 8)


def test_each_word_points_at_the_first_token_that_has_a_part_of_it(pieces):
    row = pieces.row("Ann Lind 上海\u200b", cut=False)
    assert row["tokens"].tolist() == [2, 4, 5, 6, 9, 10, 3]
    assert row["firsts"].tolist() == [1, 2, 4, 5, 0]  # what the tokenizer drops points at the first mark
    assert len(row["words"]) == 5


def test_words_behind_the_last_token_are_cut_with_it(pieces):
    with pytest.raises(TooLongError, match="at most 8"):
        pieces.encode([{"text": "rome " * 9}])
    row = pieces.row("rome " * 9, cut=True)
    assert len(row["tokens"]) == 8
    assert len(row["firsts"]) == len(row["places"]) == 7
    assert pieces.encode([{"text": ""}, {"text": "rome"}])["firsts"].tolist() == [[0], [1]]


def test_the_pieces_come_back_from_their_state(pieces):
    again = TaggedPieces.restore(pieces.state())
    examples = [{"text": "Ann Lind"}, {"text": ""}]
    assert all(np.array_equal(a, again.encode(examples)[name]) for name, a in pieces.encode(examples).items())
    for torn in ({}, {**pieces.state(), "tokenizer": None}, {**pieces.state(), "words": {}}):
        with pytest.raises(ArtifactError):
            TaggedPieces.restore(torn)
