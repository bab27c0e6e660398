"""The model behind FastAPI, as its documentation would have it."""

from __future__ import annotations

import os

from fastapi import FastAPI
from peer_model import PeerModel
from pydantic import BaseModel

model = PeerModel()
app = FastAPI()


class Numbers(BaseModel):
    """Rows of numbers."""

    inputs: list[list[float]]


class Texts(BaseModel):
    """Texts."""

    inputs: list[str]


class Answer(BaseModel):
    """Scores of each input."""

    scores: list[list[float]]


if model.is_text:
    # A forward pass that takes milliseconds belongs into the thread pool: a plain function.
    @app.post("/predict")
    def predict_texts(body: Texts) -> Answer:
        """Answer texts."""
        return Answer(scores=model.scores(body.inputs).tolist())
elif os.environ["BENCHMARK_PLAIN"] == "1":

    @app.post("/predict")
    def predict_numbers(body: Numbers) -> Answer:
        """Answer rows of numbers."""
        return Answer(scores=model.scores(body.inputs).tolist())
else:
    # One of microseconds does not: the hand-over costs more than the model.
    @app.post("/predict")
    async def predict_numbers_at_once(body: Numbers) -> Answer:
        """Answer rows of numbers."""
        return Answer(scores=model.scores(body.inputs).tolist())
