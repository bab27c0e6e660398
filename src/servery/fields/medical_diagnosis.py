"""Medical diagnosis: whether a finding is present, from the values or the picture of an examination."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.medical_diagnosis_pictures import OFFER as PICTURES
from servery.fields.offers.medical_diagnosis_table import OFFER as TABLE

FIELD = Field(
    name="medical-diagnosis",
    title={"en": "Medical diagnosis", "zh": "医学诊断"},
    summary={
        "en": "Estimates whether a finding is present, from the values or the picture of an examination.",
        "zh": "根据检查的数值或图像估计某种病变是否存在。",
    },
    offers=(TABLE, PICTURES),
    limits_of_use=(
        "Not a medical device: for research and teaching only, never for a decision about a patient. It has seen one "
        "hospital's patients and machines; elsewhere, in other groups of people and in rare diseases it may be wrong "
        "without showing it."
    ),
    notice="Not a medical device: for research and teaching only, never for a decision about a patient.",
)
