"""AI-assisted design: how a design would perform, and which designs would perform better."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.ai_assisted_design_surrogate import OFFER as SURROGATE

FIELD = Field(
    name="ai-assisted-design",
    title={"en": "AI-assisted design", "zh": "人工智能辅助设计"},
    summary={
        "en": "Predicts how a design would perform, with an interval, before anybody builds or simulates it.",
        "zh": "在建造或仿真之前预测设计方案的性能，并给出区间。",
    },
    offers=(SURROGATE,),
    limits_of_use=(
        "A prediction is no proof: build or simulate what is chosen before anybody relies on it. Outside the range of "
        "the designs it learned from a model guesses; it knows no codes, standards or safety margins."
    ),
)
