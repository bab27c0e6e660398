"""Filtered ranks, thresholds and answers of link prediction, on a graph small enough to rank by hand."""

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset, Source
from servery.data.raw_table import object_array
from servery.errors import DataError, InputError
from servery.models.encoders.triples import Triples
from servery.models.runtimes.triple_scorer import TripleScorer
from servery.tasks.link_prediction import LINK_PREDICTION, LinkParameters
from servery.tasks.task import Calibration

ENTITIES = ("a", "b", "c", "d", "e")
ENCODER = Triples(ENTITIES, ("likes",))
LABELS = (*ENTITIES, "likes")
# How much each entity is liked and how much it likes; the other end does not matter.
LIKED, LIKES = [0.0, 5.0, 4.0, 3.0, 2.0], [9.0, 0.0, 0.0, 0.0, 0.0]


def scorer(*facts: tuple[int, int, int]) -> TripleScorer:
    """A model that ranks tails b, c, d, e, a and heads a, then all others alike."""
    tensors = {
        "entities": np.array([LIKED, LIKES], np.float32).T,
        "relations": np.eye(2, dtype=np.float32),
        "biases": np.zeros(5, np.float32),
        "scale": np.ones(1, np.float32),
        "facts": np.array(facts, np.int64).reshape(-1, 3),
    }
    return TripleScorer("frequency", tensors)


def triples(*rows: tuple[str, str, float]) -> Dataset:
    heads, tails, truth = zip(*rows, strict=True)
    columns = [Column(name, Kind.CATEGORY, Role.INPUT) for name in ("head", "relation", "tail")]
    values = {
        "head": object_array(heads),
        "relation": object_array(["likes"] * len(rows)),
        "tail": object_array(tails),
        "truth": np.array(truth),
    }
    lines = np.arange(2, len(rows) + 2)
    return Dataset(
        (*columns, Column("truth", Kind.NUMBER, Role.TARGET)), values, Source("x", None, ""), lines
    )


def judged(
    runtime: TripleScorer, dataset: Dataset, calibration: Calibration | None = None
) -> dict[str, float]:
    outputs = runtime.run(ENCODER.encode(list(dataset.examples()), cut=True))
    targets = LINK_PREDICTION.encode_targets(dataset, LABELS)
    return LINK_PREDICTION.measure(targets, outputs, calibration or Calibration())


def test_known_facts_do_not_stand_in_the_way() -> None:
    row = triples(("a", "e", 1.0))
    # e is liked fourth; a is the first of all heads.
    assert judged(scorer(), row)["tail_mrr"] == pytest.approx(1 / 4)
    assert judged(scorer((0, 0, 1), (0, 0, 2)), row)["tail_mrr"] == pytest.approx(1 / 2)
    assert judged(scorer(), row)["head_mrr"] == 1.0


def test_facts_of_the_same_test_part_do_not_stand_in_the_way_and_are_left_out_once() -> None:
    together = triples(("a", "b", 1.0), ("a", "c", 1.0), ("a", "e", 1.0), ("a", "e", 1.0), ("a", "d", 0.0))
    # b, c rank first; e behind d alone, which is no fact.
    assert judged(scorer(), together)["tail_mrr"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)
    # The model knows the first fact by itself.
    assert judged(scorer((0, 0, 1)), together)["tail_mrr"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)


def test_equal_scores_share_their_places() -> None:
    # b, c, d and e like alike, a more: places 2 to 5, 3.5 in the mean.
    assert judged(scorer(), triples(("c", "b", 1.0)))["head_mrr"] == pytest.approx(1 / 3.5)


def test_names_never_met_come_last_and_are_no_facts() -> None:
    dataset = triples(("a", "zz", 1.0), ("a", "b", 1.0))
    # Sixth of five entities; the other fact of the rows does not count.
    assert judged(scorer(), dataset)["tail_mrr"] == pytest.approx((1 / 5 + 1) / 2)


def test_thresholds_tell_true_from_false_triples() -> None:
    dataset = triples(("a", "b", 1.0), ("a", "c", 1.0), ("b", "d", 0.0), ("c", "e", 0.0))
    runtime = scorer()
    outputs = runtime.run(ENCODER.encode(list(dataset.examples())))
    calibration = LINK_PREDICTION.calibrate(LINK_PREDICTION.encode_targets(dataset, LABELS), outputs)
    assert judged(runtime, dataset, calibration)["triple_accuracy"] == 1.0
    answers = LINK_PREDICTION.decode(outputs, LABELS, calibration, LinkParameters())
    assert [answer.is_true for answer in answers] == [True, True, False, False]


def test_where_only_facts_are_given_their_tails_are_exchanged_to_judge() -> None:
    runtime = scorer((0, 0, 1), (1, 0, 2), (2, 0, 4))
    dataset = triples(("a", "b", 1.0), ("b", "c", 1.0))
    accuracy = judged(runtime, dataset)["triple_accuracy"]
    assert accuracy in {0.0, 0.25, 0.5, 0.75, 1.0}
    exchanged = runtime.run(ENCODER.encode(list(dataset.examples())))[:, 8]
    assert set(exchanged.tolist()) <= {np.float32(LIKED[1]), np.float32(LIKED[2]), np.float32(LIKED[4])}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"head": "a", "relation": "likes", "tail": None}, ["b", "c", "d"]),
        ({"head": None, "relation": "likes", "tail": "b"}, ["a", "b", "c"]),
        ({"head": "a", "relation": None, "tail": "b"}, ["likes"]),
    ],
)
def test_what_is_left_open_is_answered(question: dict[str, str | None], expected: list[str]) -> None:
    prepared = LINK_PREDICTION.prepared([question], LinkParameters(top_k=3))
    outputs = scorer((0, 0, 1)).run(ENCODER.encode(prepared))
    [answer] = LINK_PREDICTION.decode(outputs, LABELS, Calibration(), LinkParameters())
    assert [candidate.name for candidate in answer.candidates] == expected
    assert answer.candidates[0].is_known


def test_known_facts_are_left_out_of_the_answer_on_request() -> None:
    asked = LinkParameters(top_k=2, exclude_known=True)
    prepared = LINK_PREDICTION.prepared([{"head": "a", "relation": "likes", "tail": None}], asked)
    outputs = scorer((0, 0, 1)).run(ENCODER.encode(prepared))
    [answer] = LINK_PREDICTION.decode(outputs, LABELS, Calibration(), asked)
    assert [candidate.name for candidate in answer.candidates] == ["c", "d"]


def test_questions_and_triples_may_come_together() -> None:
    rows = [{"head": "a", "relation": "likes", "tail": t} for t in ("b", None)]
    outputs = scorer().run(ENCODER.encode(rows))
    whole, open_ = LINK_PREDICTION.decode(outputs, LABELS, Calibration(), LinkParameters())
    assert whole.tail_rank == 1.0
    assert open_.candidates[0].name == "b"


@pytest.mark.parametrize(
    ("row", "param", "words"),
    [
        ({"head": "A", "relation": "likes", "tail": None}, "/head", "'a'"),
        ({"head": "a", "relation": "lieks", "tail": None}, "/relation", "'likes'"),
        ({"head": None, "relation": "likes", "tail": None}, "/tail", "Only one"),
        ({"head": 3, "relation": "likes", "tail": None}, "/head", "expected the name"),
    ],
)
def test_bad_questions_are_refused_with_the_nearest_name(
    row: dict[str, object], param: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ENCODER.encode([row])
    assert caught.value.param == param


def test_a_truth_that_is_neither_is_named_by_its_line() -> None:
    with pytest.raises(DataError, match="lines 3"):
        LINK_PREDICTION.encode_targets(triples(("a", "b", 1.0), ("a", "c", 0.5)), LABELS)
