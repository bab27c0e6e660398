"""The samples can be learned, well above guessing and yet not perfectly, so that a starter model means something."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from servery.data.pictures import grey_copy
from servery.data.splits import split
from servery.fields._field import find_field


def test_the_reviews_are_in_two_languages_and_can_be_learned() -> None:
    sample = find_field("sentiment-analysis").offers[0].sample(600, 0)
    assert list(sample["language"]).count("zh") == 300
    assert len(set(sample["text"])) == 600
    parts = split(sample)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=500)
    model.fit(pieces.fit_transform(parts.train["text"]), list(parts.train["label"]))
    for language in ("en", "zh"):
        chosen = parts.test.take(parts.test["language"] == language)
        right = model.predict(pieces.transform(chosen["text"])) == list(chosen["label"])
        assert 0.7 < right.mean() < 1.0


def test_the_shapes_can_be_learned_from_their_pixels() -> None:
    sample = find_field("computer-vision").offers[0].sample(400, 0)
    pixels = np.stack([grey_copy(picture, 28).ravel() for picture in sample["image"]]) / 255
    model = LogisticRegression(max_iter=200).fit(pixels[:300], list(sample["label"][:300]))
    assert 0.5 < (model.predict(pixels[300:]) == list(sample["label"][300:])).mean() < 1.0


def test_about_a_fifth_of_the_loans_default_and_some_incomes_are_missing() -> None:
    sample = find_field("financial-risk").offers[0].sample(3000, 0)
    assert 0.15 < (sample["defaulted"] == "yes").mean() < 0.25
    assert 0.01 < np.isnan(sample["income"]).mean() < 0.05
    late = sample["late_payments"]
    assert late[sample["defaulted"] == "yes"].mean() > 1.5 * late[sample["defaulted"] == "no"].mean()
