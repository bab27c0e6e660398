"""Machine translation: what a text says in the other language, and which language a text is in."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers import machine_translation_language_identification as language_identification
from servery.fields.offers import machine_translation_translation as translation

FIELD = Field(
    name="machine-translation",
    title={"en": "Machine translation", "zh": "机器翻译"},
    summary={
        "en": "Translates sentences between the two languages of its training pairs, and tells languages apart.",
        "zh": "在训练所用的两种语言之间翻译句子，并识别文本的语种。",
    },
    offers=(translation.OFFER, language_identification.OFFER),
    limits_of_use=(
        "Translates only between the two languages it learned, best sentences like those of its training; names, "
        "numbers and rare words are often wrong, and what it writes may read well and yet say something else. Not for "
        "contracts, medicine or safety without a person who knows both languages. Very short texts can be of several "
        "languages."
    ),
)
