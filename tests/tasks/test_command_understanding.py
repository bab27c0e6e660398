"""Command understanding: labels, answers, metrics and the right to ask again."""

import json

import msgspec
import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.fields._field import find_field
from servery.metrics.commands import CommandCounts
from servery.tasks._chains import PLACES, tag_count
from servery.tasks._frames import FrameLabels, SlotLabel
from servery.tasks.command_understanding import COMMAND_UNDERSTANDING
from servery.tasks.task import Abstention, Calibration, find_task

SAMPLE = find_field("smart-home").offer_for("command-understanding").sample(120, 0)
LABELS = COMMAND_UNDERSTANDING.labels_of(SAMPLE)
TASK = COMMAND_UNDERSTANDING.with_labels(LABELS)
TARGETS = TASK.encode_targets(SAMPLE, LABELS)


def outputs_for(targets: np.ndarray, sureness: float = 8.0) -> np.ndarray:
    """What a model puts out that knows the answers: every character of a text is a word."""
    frames = FrameLabels.of(LABELS)
    tags = tag_count(len(frames.said))
    outputs = np.empty(len(targets), object)
    for row, wanted in enumerate(targets):
        whole = np.full(frames.lines * (PLACES + tags), -sureness, np.float32)
        whole[wanted.intent] = sureness
        whole[len(frames.intents) + wanted.meant] = sureness
        words = np.zeros((len(wanted.text), PLACES + tags), np.float32)
        words[:, 0], words[:, 1] = np.arange(len(words)), np.arange(1, len(words) + 1)
        words[:, PLACES] = sureness
        for start, end, label in wanted.spans.tolist():
            words[start:end, PLACES:] = 0
            words[start, PLACES + 1 + 2 * label] = words[start + 1 : end, PLACES + 2 + 2 * label] = sureness
        outputs[row] = np.concatenate(
            [whole.reshape(frames.lines, -1), np.zeros((tags, PLACES + tags), np.float32), words]
        )
    return outputs


def dataset(texts: list[str], commands: list[object]) -> Dataset:
    cells = {
        "text": object_array(texts),
        "command": object_array([json.dumps(command) for command in commands]),
    }
    raw = RawTable(cells, np.arange(2, len(texts) + 2))
    return build_dataset(raw, "by hand", target="command", kinds={"text": "text", "command": "command"})


def test_labels_are_read_back() -> None:
    for label in LABELS:
        assert label.startswith("{") is (label not in FrameLabels.of(LABELS).intents)
        if label.startswith("{"):
            assert str(SlotLabel.parse(label)) == label
    assert {"{domain}=light", "{area}", "{minutes:number}", "{minutes:number}=30"} <= set(LABELS)


def test_a_model_that_knows_all_is_right_and_its_answers_are_those_of_the_data() -> None:
    outputs = outputs_for(TARGETS)
    metrics = TASK.measure(TARGETS, outputs, Calibration())
    assert metrics["frame_accuracy"] == metrics["slot_f1"] == metrics["intent_accuracy"] == 1.0
    answers = TASK.completed(
        TASK.decode(outputs, LABELS, Calibration(), TASK.parameters()), list(SAMPLE.examples())
    )
    for answer, command in zip(answers, SAMPLE["command"], strict=True):
        assert answer.intent == command["intent"]
        assert {slot.name: slot.value for slot in answer.slots} == command["slots"]
    back = msgspec.json.decode(msgspec.json.encode(answers), type=list[TASK.answer])
    assert back == answers


def test_a_slot_in_the_text_says_where_it_stands_and_a_meant_one_does_not() -> None:
    row = next(row for row, command in enumerate(SAMPLE["command"]) if command["slots"].get("domain"))
    text = SAMPLE["text"][row]
    one = TARGETS[row : row + 1]
    [answer] = TASK.completed(
        TASK.decode(outputs_for(one), LABELS, Calibration(), TASK.parameters()), [{"text": text}]
    )
    for slot in answer.slots:
        if slot.name == "domain":
            assert slot.start is None
        else:
            assert text[slot.start : slot.end] == slot.value


def test_a_wrong_slot_makes_the_command_wrong_and_not_its_intent() -> None:
    found = CommandCounts(
        np.array([True, True, False]),
        np.array([1, 1, 1]),
        np.array([1, 2, 1]),
        np.array([1, 1, 1]),
        np.full(3, 0.9),
    )
    metrics = found.measure(np.arange(3))
    assert metrics["frame_accuracy"] == pytest.approx(1 / 3)
    assert metrics["intent_accuracy"] == pytest.approx(2 / 3)
    assert metrics["slot_f1"] == pytest.approx(6 / 7)


def test_a_model_of_whole_commands_is_compared_by_its_labels() -> None:
    turned = (*LABELS[1::-1], *LABELS[2:])
    frames = FrameLabels.of(turned)
    outputs = np.full((len(TARGETS), frames.decisions), -9.0, np.float32)
    for row, wanted in enumerate(TARGETS):
        outputs[row, frames.intents.index(FrameLabels.of(LABELS).intents[wanted.intent])] = 9.0
    aligned, calibration = TASK.aligned(outputs, Calibration(), turned, LABELS)
    assert TASK.measure(TARGETS, aligned, calibration)["intent_accuracy"] == 1.0
    trivial = TASK.trivial_outputs(TARGETS, len(LABELS), len(TARGETS))
    assert TASK.measure(TARGETS, trivial, Calibration())["intent_accuracy"] < 0.4


def test_calibration_softens_a_model_that_is_too_sure() -> None:
    shuffled = outputs_for(TARGETS[np.r_[5:120, 0:5]])
    for row, values in enumerate(shuffled):
        shuffled[row] = values if row % 4 == 0 else outputs_for(TARGETS[row : row + 1])[0]
    assert TASK.calibrate(TARGETS, shuffled).temperature > 1.5


def test_an_unsure_command_is_to_be_asked_again() -> None:
    outputs = outputs_for(TARGETS, 0.05)
    asked = TASK.parameters(least_confidence=0.9)
    answers = TASK.decode(outputs, LABELS, Calibration(), asked)
    assert all(answer.abstains for answer in answers)
    assert "unsure" in TASK.notices(answers)
    wanted = Abstention(cost=0.2)
    wrong = outputs_for(TARGETS[::-1], 0.05)
    fitted = TASK.abstaining(Calibration(), TARGETS, wrong, LABELS, wanted)
    assert fitted.least_confidence > 0
    assert "coverage" in TASK.measure(TARGETS, wrong, fitted)


def test_an_intent_that_was_never_met_is_wrong_and_no_fault() -> None:
    command = {"intent": "MakeTea", "slots": {"item": "tea"}}
    other = dataset(["make tea", "tea please"], [command, command])
    targets = TASK.encode_targets(other, LABELS)[:1]
    assert targets[0].intent == -1
    metrics = TASK.measure(
        targets, outputs_for(TARGETS[:1]), TASK.calibrate(targets, outputs_for(TARGETS[:1]))
    )
    assert metrics["intent_accuracy"] == 0.0


def test_rows_that_are_no_commands_and_single_intents_are_refused() -> None:
    with pytest.raises(DataError, match="line 3"):
        TASK.labels_of(dataset(["a", "b"], [{"intent": "A"}, {"slots": {}}]))
    with pytest.raises(DataError, match="1 intent"):
        TASK.labels_of(dataset(["a", "b"], [{"intent": "A"}, {"intent": "A"}]))


def test_the_hub_gets_slots_by_name() -> None:
    answers = TASK.completed(
        TASK.decode(outputs_for(TARGETS[:2]), LABELS, Calibration(), TASK.parameters()),
        list(SAMPLE.take(np.arange(2)).examples()),
    )
    one = TASK.hub_answers(answers[:1], frozenset(), False)
    assert one["slots"] == SAMPLE["command"][0]["slots"]
    assert len(TASK.hub_answers(answers, frozenset(), True)) == 2
    assert find_task("command-understanding").hub_name(frozenset()) == "command-understanding"
