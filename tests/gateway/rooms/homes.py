"""The smallest honest models of a home and its city: two commands, and air that stays as it is."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.terms import Terms
from servery.models.encoders.windows import Windows
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear
from servery.models.signature import Signature
from servery.tasks.task import Calibration

COMMANDS = ("lights on", "lights off")
HISTORY = [12.0, None, 15.5]


def butler() -> Predictor:
    """A model of commands: the words on and off tell the intent, lights mean the domain."""
    encoder = Terms.fit(
        [{"text": text} for text in COMMANDS], ["text"], min_documents=1, piece_lengths=(0, 0)
    )
    labels = ("HassTurnOff", "HassTurnOn", "{domain}=light")
    weight = np.zeros((encoder.term_count, 3), np.float32)
    for number, term in enumerate(encoder.document_counts):
        weight[number] = [9.0 * (term == "off"), 9.0 * (term == "on"), 9.0 * (term == "lights")]
    runtime = Linear(weight, np.array([0.0, 0.1, -1.0], np.float32))
    columns = (Column("text", Kind.TEXT, Role.INPUT),)
    signature = Signature(
        "command-understanding", "smart-home", columns, labels, "command", example=COMMANDS[0]
    )
    return Predictor(signature, encoder, runtime, Calibration(), "test-commands")


def weather() -> Predictor:
    """A forecaster of three steps: each is the last reading."""
    encoder = Windows("history", ["pm25"], {}, [], 4, [20.0], [10.0])
    weight = np.zeros((4, 3), np.float32)
    weight[3] = 1.0
    columns = (Column("pm25", Kind.SERIES, Role.INPUT, low=0.0, high=200.0),)
    signature = Signature("forecasting", "smart-city", columns, (), "future", example={"pm25": HISTORY})
    margins = tuple(float(step * share) for step in (1, 2, 3) for share in range(1, 9))
    return Predictor(
        signature, encoder, Linear(weight, np.zeros(3, np.float32)), Calibration(margins=margins), "test"
    )
