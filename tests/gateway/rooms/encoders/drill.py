"""Reads orders for the drill runtime from texts: how long to sleep, and whether to fail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import TooLongError
from servery.models.encoder import Batch, Encoder


class DrillEncoder(Encoder):
    """`sleep=0.2` sleeps that long, `poison` fails, `nan` gives NaN, `toolong` is refused; else the text's length."""

    name = "drill"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        texts = [str(example["text"]) for example in examples]
        if any("toolong" in text for text in texts):
            raise TooLongError("One of the texts is too long for the drill.")
        sleeps = [float(found[1]) if (found := re.search(r"sleep=([0-9.]+)", t)) else 0.0 for t in texts]
        return {
            "length": np.array([len(text) for text in texts], np.float32),
            "sleep": np.array(sleeps, np.float32),
            "poison": np.array([("poison" in t) + 2 * ("nan" in t) for t in texts], np.int64),
        }

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        return [len(str(example["text"])) for example in examples]

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> DrillEncoder:
        return cls()


ENCODER = DrillEncoder
