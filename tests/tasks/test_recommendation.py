"""Recommendations: what is asked, what comes back, and what of it is popular, seen, unknown or explained."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.events import Event
from servery.errors import InputError, TooLongError
from servery.models.predictor import Predictor
from servery.models.signature import Limits
from servery.tasks.forms.history import HISTORY, MOST_EVENTS
from servery.tasks.recommendation import (
    LINE_NUMBERS,
    PLACE,
    RECOMMENDATION,
    RecommendationAnswer,
    RecommendationParameters,
)
from servery.tasks.task import Calibration

ROOM = Path(__file__).parents[1] / "gateway" / "rooms" / "shelves.py"
COLUMNS = (Column("user_id", Kind.CATEGORY, Role.INPUT), Column("history", Kind.EVENTS, Role.INPUT))


@pytest.fixture(scope="module")
def shelves() -> Predictor:
    spec = importlib.util.spec_from_file_location("servery_test_shelves", ROOM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Predictor = module.shelves()
    return found


def asked(model: Predictor, question: Any, **parameters: Any) -> RecommendationAnswer:
    examples = HISTORY.examples(question, COLUMNS, Limits())
    [answer] = model.predict(examples, RecommendationParameters(**parameters))
    assert isinstance(answer, RecommendationAnswer)
    return answer


def items(answer: RecommendationAnswer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_what_goes_with_the_history_comes_first_and_a_new_event_changes_it(shelves: Predictor) -> None:
    before = asked(shelves, {"history": ["mug"]}, exclude_seen=True)
    after = asked(shelves, {"history": ["mug", "spade"]}, exclude_seen=True)
    assert items(before)[0] == "teapot"
    assert set(items(after)[:2]) == {"teapot", "seeds"}
    assert before.basis == after.basis == "history"


def test_seen_items_may_come_again_or_be_left_out(shelves: Predictor) -> None:
    assert "mug" in items(asked(shelves, {"history": ["mug", "teapot"]}))
    assert not {"mug", "teapot"} & set(
        items(asked(shelves, {"history": ["mug", "teapot"]}, exclude_seen=True))
    )


def test_each_item_says_because_of_which_one(shelves: Predictor) -> None:
    first = asked(shelves, {"history": ["mug", "spade"]}, exclude_seen=True, explain=True).items[0]
    because = {"teapot": "mug", "seeds": "spade"}[first.item_id]
    assert first.reasons[0].item_id == because
    assert first.reasons[0].kind == "because_of_item"
    assert asked(shelves, {"history": ["mug"]}).items[0].reasons == ()


def test_a_known_user_is_remembered_and_a_new_one_gets_what_is_popular_and_is_told(
    shelves: Predictor,
) -> None:
    assert items(asked(shelves, {"user_id": "u1"}, exclude_seen=True))[0] == "seeds"
    cold = asked(shelves, {"user_id": "nobody"})
    assert cold.basis == "popularity"
    assert items(cold)[:2] == ["mug", "teapot"]
    assert "cold_start" in RECOMMENDATION.notices([cold])


def test_unknown_items_do_not_count_and_are_told(shelves: Predictor) -> None:
    answer = asked(shelves, {"history": ["mug", "kayak"]}, exclude_seen=True)
    assert items(answer)[0] == "teapot"
    assert "1 events" in RECOMMENDATION.notices([answer])["unknown_items"]
    assert asked(shelves, {"history": ["kayak"]}).basis == "popularity"


def test_similar_items_are_asked_by_an_item_alone(shelves: Predictor) -> None:
    answer = asked(shelves, {"item_id": "乌龙茶"})
    assert items(answer)[0] == "teapot"
    assert "乌龙茶" not in items(answer)


def test_candidates_bound_the_choice(shelves: Predictor) -> None:
    answer = asked(shelves, {"history": ["mug"]}, candidates=("seeds", "spade"))
    assert set(items(answer)) == {"seeds", "spade"}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("mug", "Expected an object"),
        ({"basket": ["mug"]}, "Unknown"),
        ({"history": 3}, "Expected a list of items"),
        ({"history": [None]}, "Expected the name of an item"),
        ({"history": [{"timestamp": "2026-05-01"}]}, "no 'item_id'"),
        ({"history": [{"item_id": "mug", "timestamp": "yesterday"}]}, "Expected a time"),
        ({"history": ["mug"], "item_id": "mug"}, "do not go with it"),
    ],
)
def test_a_question_that_is_none_is_told_what_is_wrong(question: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        HISTORY.examples(question, COLUMNS, Limits())


def test_a_history_without_end_is_refused() -> None:
    with pytest.raises(TooLongError, match=r"2,001 events"):
        HISTORY.examples({"history": ["mug"] * (MOST_EVENTS + 1)}, COLUMNS, Limits())


def test_events_are_put_in_the_order_of_time() -> None:
    sent = [{"item_id": "b", "timestamp": "2026-05-02"}, {"item_id": "a", "timestamp": "2026-05-01"}]
    [example] = HISTORY.examples({"history": sent}, COLUMNS, Limits())
    assert [event.item for event in example["history"]] == ["a", "b"]
    assert all(isinstance(event, Event) for event in example["history"])


def test_the_figures_are_those_of_lists_worked_out_by_hand() -> None:
    outputs = np.full((3, 3, LINE_NUMBERS), 0.0, np.float32)
    outputs[..., PLACE] = [[4, 1, 2], [0, 1, 2], [0, 1, 2]]
    # Before, then what was taken: the second of the list, nothing of it, and a user without a history.
    targets = np.empty(3, object)
    targets[:] = [np.array([5, 1]), np.array([2, 3, 4]), np.array([0, 0])]
    found = RECOMMENDATION.with_labels(tuple("abcde")).measure(targets, outputs, Calibration())
    assert found["ndcg_at_10"] == pytest.approx(((1 / np.log2(3)) + 0.0) / 2)
    assert found["recall_at_20"] == pytest.approx(0.5)
    assert found["cold_ndcg_at_10"] == pytest.approx(1.0)
    assert found["catalogue_coverage"] == pytest.approx(4 / 5)
