"""What the linear text model settles by itself, and what it is told."""

from collections.abc import Callable
from typing import Any

import numpy as np

from servery.fields._field import find_field
from servery.models.families.tfidf_linear import CANDIDATES, TFIDF_LINEAR, _candidates
from servery.models.recipe import Work
from servery.progress import Silence
from servery.tasks.classification import ClassificationAnswer


class Listener(Silence):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def say(self, stage: str, message: str) -> None:
        self.said[stage] = message


def asked(**changes: Any) -> dict[str, Any]:
    return {**TFIDF_LINEAR.defaults, **changes}


def test_what_the_plan_sets_is_not_tried_otherwise() -> None:
    assert len(_candidates(asked(), False)) == len(CANDIDATES)
    assert _candidates(asked(naive_bayes=True, loss="log", inverse_penalty=2.0), False) == [
        {"naive_bayes": True, "loss": "log", "inverse_penalty": 2.0}
    ]
    assert all(not c["naive_bayes"] for c in _candidates(asked(naive_bayes=False), False))


def test_several_labels_a_row_are_never_fitted_by_squares() -> None:
    assert {c["loss"] for c in _candidates(asked(), True)} == {"log"}


def test_what_is_left_open_is_settled_on_validation_and_said(
    make_work: Callable[..., Work], field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("text", "classification")
    work = make_work(
        TFIDF_LINEAR,
        "classification",
        rows.take(np.arange(200)),
        rows.take(np.arange(200, 300)),
        inverse_penalty=0.0,
    )
    listener = Listener()
    object.__setattr__(work, "progress", listener)
    TFIDF_LINEAR.make(work)
    assert "on validation, from 200 rows" in listener.said["Choice"]


def test_an_aspect_within_its_review_decides(make_work: Callable[..., Work]) -> None:
    _, aspects = find_field("sentiment-analysis").offers
    rows = aspects.sample(600, 0)
    work = make_work(
        TFIDF_LINEAR,
        "classification",
        rows.take(np.arange(500)),
        rows.take(np.arange(500, 600)),
        inverse_penalty=1.0,
    )
    predictor = TFIDF_LINEAR.make(work).predictor
    judged = rows.take(np.arange(500, 600))
    # Most of these reviews praise one thing and blame another: without its mark the aspect would not decide.
    found = predictor.predict(list(judged.examples()))
    labels = [answer.label for answer in found if isinstance(answer, ClassificationAnswer)]
    assert np.mean(np.array(labels) == judged["polarity"]) > 0.85
