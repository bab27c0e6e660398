"""Answers a batch of jobs, so that a job that cannot be answered fails alone.

What a neighbour of a failing job gets, bit for bit:
    where the encoder or the runtime raised, what the batch gives in which the failing job never was;
    where a row came out as NaN or infinity, what that very batch gave for the neighbour's own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from servery.errors import ModelCrashedError, NonFiniteError, ShapeError
from servery.models.predictor import Predictor, finite_rows
from servery.serving.fair_queue import Job
from servery.tasks.task import Answer

Result = list[Answer] | Exception
"""The answers to one job, or why there are none."""


def answer(predictor: Predictor, jobs: Sequence[Job]) -> list[Result]:
    """Answer jobs in one forward pass; never raises what a model raises, one result a job.

    Where the pass fails, the jobs at fault are looked for by halves, and the others are run once more together.
    """
    try:
        return _decoded(predictor, jobs, _outputs(predictor, jobs))
    except ModelCrashedError as error:
        # Its process is gone; to look for the culprit would kill the next one too.
        return [error] * len(jobs)
    except Exception as error:
        # A model may raise anything; it is told to its own client, not to the neighbours.
        return [error] if len(jobs) == 1 else _answer_apart(predictor, jobs)


def _answer_apart(predictor: Predictor, jobs: Sequence[Job]) -> list[Result]:
    try:
        # A bad input mostly fails to encode already; to find it there costs no forward pass.
        faults = _faults(jobs, lambda some: predictor.encode(_examples(some)))
        faults = faults or _faults(jobs, lambda some: _outputs(predictor, some))
    except ModelCrashedError as error:
        return [error] * len(jobs)
    if not faults:  # none fails alone, but together they do, e.g. for memory
        middle = len(jobs) // 2
        return [*answer(predictor, jobs[:middle]), *answer(predictor, jobs[middle:])]
    sound = [job for job in jobs if job not in faults]
    answers = iter(answer(predictor, sound) if sound else ())
    return [faults[job] if job in faults else next(answers) for job in jobs]


def _faults(jobs: Sequence[Job], attempt: Callable[[Sequence[Job]], Any]) -> dict[Job, Exception]:
    """Return which jobs fail alone, found by halves."""
    try:
        attempt(jobs)
    except ModelCrashedError:
        raise
    except Exception as error:
        if len(jobs) == 1:
            return {jobs[0]: error}
        middle = len(jobs) // 2
        return _faults(jobs[:middle], attempt) | _faults(jobs[middle:], attempt)
    return {}


def _outputs(predictor: Predictor, jobs: Sequence[Job]) -> np.ndarray:
    examples = _examples(jobs)
    outputs = predictor.runtime.run(predictor.encode(examples))
    if len(outputs) != len(examples):
        raise ShapeError(f"The model gave {len(outputs)} rows of outputs for {len(examples)} inputs.")
    return outputs


def _decoded(predictor: Predictor, jobs: Sequence[Job], outputs: np.ndarray) -> list[Result]:
    if outputs.dtype.kind in "fO" and not finite_rows(outputs).all():
        return _decoded_finite(predictor, jobs, outputs)
    parameters = jobs[0].parameters
    if all(job.parameters is parameters or job.parameters == parameters for job in jobs):
        return _decoded_alike(predictor, jobs, outputs)
    results: list[Result] = []
    start = 0
    for _, alike in groupby(jobs, key=lambda job: job.parameters):
        group = list(alike)
        stop = start + sum(job.rows for job in group)
        results += _decoded_alike(predictor, group, outputs[start:stop])
        start = stop
    return results


def _decoded_alike(predictor: Predictor, jobs: Sequence[Job], outputs: np.ndarray) -> list[Result]:
    """Decode jobs with the same parameters; where that fails, each alone."""
    try:
        answers = predictor.decode(outputs, jobs[0].parameters, _examples(jobs))
    except Exception as error:
        return [error] if len(jobs) == 1 else _each_alone(predictor, jobs, outputs)
    if len(answers) == len(jobs):
        return [[answer] for answer in answers]
    rest = iter(answers)
    return [[next(rest) for _ in range(job.rows)] for job in jobs]


def _decoded_finite(predictor: Predictor, jobs: Sequence[Job], outputs: np.ndarray) -> list[Result]:
    """Decode the jobs all of whose rows are finite; the others are told which of their inputs is not."""
    is_finite = finite_rows(outputs)
    rows = np.repeat(np.arange(len(jobs)), [job.rows for job in jobs])
    faulty = set(rows[~is_finite].tolist())
    sound = [job for number, job in enumerate(jobs) if number not in faulty]
    keep = np.array([number not in faulty for number in rows.tolist()])
    answers = iter(_decoded(predictor, sound, outputs[keep]) if sound else ())
    error = NonFiniteError(f"The model '{predictor.recipe}' produced NaN or infinity.")
    return [error if number in faulty else next(answers) for number in range(len(jobs))]


def _each_alone(predictor: Predictor, jobs: Sequence[Job], outputs: np.ndarray) -> list[Result]:
    results: list[Result] = []
    start = 0
    for job in jobs:
        results += _decoded_alike(predictor, [job], outputs[start : start + job.rows])
        start += job.rows
    return results


def _examples(jobs: Sequence[Job]) -> list[Any]:
    return [example for job in jobs for example in job.examples]
