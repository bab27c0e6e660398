"""What a task sends to protocols of tensors: the same as its answers say."""

import numpy as np
import pytest

from servery.data.columns import Role
from servery.errors import InputError
from servery.tasks.classification import CLASSIFICATION, ClassificationParameters
from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION
from servery.tasks.task import Answer, Calibration, Task, all_tasks

LABELS = ("a", "b", "c")
OUTPUTS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def told(task, **more):
    parameters = task.tensor_parameters(task.parameters(**more))
    return task.decode(OUTPUTS, LABELS, Calibration(), parameters)


@pytest.mark.parametrize("task", all_tasks().values(), ids=lambda task: task.name)
def test_every_task_says_what_its_tensors_are(task):
    columns = task.output_tensors(LABELS)
    assert columns
    assert len({column.name for column in columns}) == len(columns)
    assert all(column.role is Role.TARGET for column in columns)


@pytest.mark.parametrize("task", [CLASSIFICATION, MULTI_LABEL_CLASSIFICATION], ids=lambda task: task.name)
def test_scores_are_those_of_the_answers_in_the_order_of_the_labels(task):
    tensors = task.to_tensors(told(task), LABELS, ["scores"])
    assert tensors["scores"].dtype == np.float32
    answers = task.decode(OUTPUTS, LABELS, Calibration(), task.parameters())
    for row, answer in zip(tensors["scores"], answers, strict=True):
        by_label = {found.label: found.score for found in answer.labels}
        assert np.allclose(row, [by_label[label] for label in LABELS])
    assert task.units_of(told(task)) == 5


def test_the_best_label_of_a_row_is_that_of_its_answer():
    tensors = CLASSIFICATION.to_tensors(told(CLASSIFICATION), LABELS, ["scores", "label"])
    answers = CLASSIFICATION.decode(OUTPUTS, LABELS, Calibration(), ClassificationParameters())
    assert [label.decode() for label in tensors["label"]] == [answer.label for answer in answers]
    assert "label" not in CLASSIFICATION.to_tensors(told(CLASSIFICATION), LABELS, ["scores"])


def test_what_tensors_cannot_say_is_refused():
    with pytest.raises(InputError, match="whole"):
        told(CLASSIFICATION, top_k=1)


def test_a_task_that_says_nothing_else_sends_its_answers_as_json():
    class Word(Answer, frozen=True):
        word: str

    task = next(t for t in all_tasks().values())
    found = Task.to_tensors(task, [Word("é")], (), ["answer"])
    assert found["answer"].tolist() == ['{"word":"é"}'.encode()]
