"""Natural language processing: what texts are about, what stands in them, and what could follow."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers import natural_language_processing_classification as classification
from servery.fields.offers import natural_language_processing_language_modelling as language_modelling
from servery.fields.offers import natural_language_processing_tagging as tagging

FIELD = Field(
    name="natural-language-processing",
    title={"en": "Natural language processing", "zh": "自然语言处理"},
    summary={
        "en": "Sorts texts by what they are about or want and says so when nothing fits, marks names, and writes on.",
        "zh": "按主题或意图给文本分类，都不符合时会如实说明；标出专名；并能续写文本。",
    },
    offers=(classification.OFFER, tagging.OFFER, language_modelling.OFFER),
    limits_of_use=(
        "Knows only the labels, languages and topics of its training texts. Not for decisions about a person, and not "
        "for legal, medical or safety advice; a score is a guess about the wording, not about what somebody means. A "
        "language model writes what is likely after its training texts, not what is true, and may repeat "
        "them word for word."
    ),
)
