"""Detection: targets and outputs to boxes, answers, thresholds and figures."""

from __future__ import annotations

import io
import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset, Source
from servery.errors import DataError
from servery.tasks.detection import DETECTION, NEVER, DetectionAnswer, DetectionParameters, found_of
from servery.tasks.task import Calibration

LABELS = ("cat", "dog")
SIZE = (200, 100)
WITHIN_CAT, WITHIN_DOG = (20.0, 10.0, 80.0, 40.0), (120.0, 50.0, 180.0, 90.0)


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("L", SIZE, 9).save(stream, "PNG")
    return stream.getvalue()


def dataset_of(*cells: list[dict[str, object]]) -> Dataset:
    columns = (Column("image", Kind.IMAGE, Role.INPUT), Column("boxes", Kind.BOXES, Role.TARGET))
    values = {"image": np.array([picture()] * len(cells), object), "boxes": np.empty(len(cells), object)}
    for row, cell in enumerate(cells):
        values["boxes"][row] = cell
    return Dataset(columns, values, Source("by-hand", None, "0"), np.arange(2, len(cells) + 2))


def thing(label: str, *edges: float) -> dict[str, object]:
    return {"label": label, **dict(zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True))}


def output(*places: tuple[tuple[float, float, float, float], float, float]) -> np.ndarray:
    """One picture's outputs: edges in pixels and the logits of the two labels."""
    lines = [[*SIZE, 0, 0, 0, 0]]
    lines += [[*(np.array(edges) / (*SIZE, *SIZE)), cat, dog] for edges, cat, dog in places]
    return np.array(lines, np.float32)


BOTH = dataset_of([thing("cat", *WITHIN_CAT), thing("dog", *WITHIN_DOG)])
RIGHT = output((WITHIN_CAT, 3.0, NEVER), (WITHIN_DOG, NEVER, 2.0))[None]


def answered(outputs: np.ndarray, calibration: Calibration, **parameters: object) -> DetectionAnswer:
    asked = DetectionParameters(**parameters)  # type: ignore[arg-type]
    [answer] = DETECTION.decode(outputs, LABELS, calibration, asked)
    assert isinstance(answer, DetectionAnswer)
    return answer


def test_labels_are_those_of_all_boxes() -> None:
    assert DETECTION.accepts(BOTH.target)
    assert DETECTION.labels_of(BOTH) == LABELS
    with pytest.raises(DataError, match="no box in any row"):
        DETECTION.labels_of(dataset_of([], []))


def test_targets_are_shares_of_the_picture_cut_at_its_edges() -> None:
    rows = dataset_of(
        [thing("dog", -40, 50, 100, 900), thing("cat", 300, 0, 400, 50)], [], [thing("cat", 100, 100, 0, 0)]
    )
    first, second, third = DETECTION.encode_targets(rows, LABELS)
    assert first.tolist() == [[1.0, 0.0, 0.5, 0.5, 1.0]]
    assert second.shape == (0, 5)
    assert third.tolist() == [[0.0, 0.0, 0.0, 0.5, 1.0]]


def test_boxes_that_cannot_be_learned_are_refused_by_line() -> None:
    with pytest.raises(DataError, match=r"Line 3 has a box labelled 'cow'"):
        DETECTION.encode_targets(dataset_of([], [thing("cow", 0, 0, 9, 9)]), LABELS)
    with pytest.raises(DataError, match="Line 2: a box needs"):
        DETECTION.encode_targets(dataset_of([{"label": "cat"}]), LABELS)
    without = BOTH.with_columns([Column("image", Kind.TEXT, Role.IGNORED), BOTH.target])
    with pytest.raises(DataError, match="column of pictures"):
        DETECTION.encode_targets(without, LABELS)


def test_an_answer_has_boxes_in_pixels_the_surest_first() -> None:
    answer = answered(RIGHT, Calibration())
    assert (answer.width, answer.height) == SIZE
    assert [(found.label, round(found.score, 3)) for found in answer.objects] == [
        ("cat", 0.953),
        ("dog", 0.881),
    ]
    assert msgspec.to_builtins(answer.objects[1].box) == pytest.approx(
        dict(zip(("xmin", "ymin", "xmax", "ymax"), WITHIN_DOG, strict=True)), abs=0.01
    )
    back = msgspec.json.decode(msgspec.json.encode(answer), type=DetectionAnswer)
    assert back == answer


def test_echoes_of_a_box_are_left_out_but_not_those_of_another_label() -> None:
    near = (22.0, 11.0, 82.0, 41.0)
    rows = output((WITHIN_CAT, 1.0, NEVER), (near, 3.0, 2.0), (WITHIN_DOG, NEVER, NEVER))[None]
    assert [(found.label, found.box.xmin) for found in answered(rows, Calibration()).objects] == [
        ("cat", pytest.approx(22.0, abs=0.01)),
        ("dog", pytest.approx(22.0, abs=0.01)),
    ]


def test_boxes_beyond_the_picture_are_cut_and_empty_ones_left_out() -> None:
    rows = output(((-50.0, -50.0, 50.0, 50.0), 3.0, NEVER), ((90.0, 40.0, 90.0, 60.0), 3.0, NEVER))[None]
    [found] = answered(rows, Calibration()).objects
    assert msgspec.to_builtins(found.box) == {"xmin": 0.0, "ymin": 0.0, "xmax": 50.0, "ymax": 50.0}


def test_the_caller_s_threshold_stands_in_place_of_the_fitted_ones() -> None:
    fitted = Calibration(thresholds=(0.99, 0.5))
    assert [found.label for found in answered(RIGHT, fitted).objects] == ["dog"]
    assert len(answered(RIGHT, fitted, threshold=0.5).objects) == 2
    assert len(answered(RIGHT, fitted, threshold=0.5, top_k=1).objects) == 1
    assert len(answered(RIGHT, fitted, threshold=1.0).objects) == 0


def test_a_picture_without_any_place_has_no_objects() -> None:
    assert answered(output()[None], Calibration()).objects == ()


def test_right_boxes_measure_one_and_wrong_labels_nothing() -> None:
    targets = DETECTION.encode_targets(BOTH, LABELS)
    metrics = DETECTION.measure(targets, RIGHT, Calibration())
    assert metrics == pytest.approx(dict.fromkeys(metrics, 1.0))
    swapped = RIGHT[:, :, [0, 1, 2, 3, 5, 4]]
    assert set(DETECTION.measure(targets, swapped, Calibration()).values()) == {0.0}
    assert DETECTION.quality(targets, RIGHT, Calibration()).tolist() == [1.0]
    assert DETECTION.primary(targets, RIGHT, Calibration()) == metrics["map_50"]
    json.dumps(metrics, allow_nan=False)


def test_quality_is_one_where_nothing_is_there_and_nothing_is_said() -> None:
    targets = DETECTION.encode_targets(dataset_of([], []), LABELS)
    outputs = np.concatenate([RIGHT, RIGHT])
    outputs[0, :, 4:] = NEVER
    assert DETECTION.quality(targets, outputs, Calibration()).tolist() == [1.0, 0.0]


def test_thresholds_part_the_right_boxes_from_the_wrong_ones() -> None:
    far = (0.0, 60.0, 30.0, 90.0)
    outputs = np.stack([output((WITHIN_CAT, 0.5, NEVER), (WITHIN_DOG, NEVER, -1.0), (far, -1.0, -3.0))] * 4)
    targets = np.concatenate([DETECTION.encode_targets(BOTH, LABELS)] * 4)
    calibration = DETECTION.calibrate(targets, outputs)
    assert calibration.fitted_on == 4
    assert 0.269 < calibration.thresholds[0] < 0.622
    assert 0.047 < calibration.thresholds[1] < 0.269
    assert DETECTION.measure(targets, outputs, calibration)["micro_f1"] == 1.0


def test_outputs_of_rows_with_shapes_of_their_own_are_read_too() -> None:
    rows = np.empty(2, object)
    rows[0], rows[1] = RIGHT[0], RIGHT[0][:2]
    targets = np.concatenate([DETECTION.encode_targets(BOTH, LABELS)] * 2)
    assert [label.hits[0].sum() for label in found_of(targets, rows)] == [2, 1]
    assert len(DETECTION.decode(rows, LABELS, Calibration(), DetectionParameters())) == 2


def test_another_model_s_labels_are_brought_into_order() -> None:
    known = ("cow", "dog", "cat")
    theirs = np.concatenate([RIGHT[:, :, :4], RIGHT[:, :, [4, 5, 4]]], axis=2)
    ordered, calibration = DETECTION.aligned(theirs, Calibration(thresholds=(0.1, 0.2, 0.3)), known, LABELS)
    assert np.array_equal(ordered[0][1:, 4:], RIGHT[0][1:, 4:])
    assert calibration.thresholds == (0.3, 0.2)
    alone, _ = DETECTION.aligned(RIGHT, Calibration(), LABELS, ("dog", "fox"))
    assert (alone[0][:, 5] == NEVER).all()


def test_the_trivial_model_says_the_same_of_every_picture() -> None:
    targets = np.concatenate([DETECTION.encode_targets(BOTH, LABELS)] * 3)
    trivial = DETECTION.trivial_outputs(targets, 2, 5)
    assert trivial.shape == (5, 3, 6)
    assert (trivial == trivial[0]).all()
    assert trivial[0, 1, :4] == pytest.approx([0.1, 0.1, 0.4, 0.4])
    unseen = DETECTION.trivial_outputs(targets[:0], 2, 1)
    assert np.isfinite(unseen).all()


def test_the_hub_gets_whole_pixels() -> None:
    answers = DETECTION.decode(RIGHT, LABELS, Calibration(), DetectionParameters())
    [shaped] = DETECTION.hub_answers(answers, frozenset({Kind.IMAGE}), True)
    assert shaped == DETECTION.hub_answers(answers, frozenset({Kind.IMAGE}), False)
    assert shaped[0]["box"] == {"xmin": 20, "ymin": 10, "xmax": 80, "ymax": 40}
    assert DETECTION.hub_name(frozenset({Kind.IMAGE})) == "object-detection"
