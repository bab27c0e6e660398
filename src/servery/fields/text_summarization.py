"""Text summarization: what a text says, in short, in its own sentences or written anew."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.text_summarization_summarization import OFFER

FIELD = Field(
    name="text-summarization",
    title={"en": "Text summarization", "zh": "文本摘要"},
    summary={
        "en": "Says in short what a text says: its best sentences or phrases, shown where they stand, or new words.",
        "zh": "用简短的话概括文本：选出最重要的句子或短语并标出其在原文中的位置，或生成新的摘要。",
    },
    offers=(OFFER,),
    limits_of_use=(
        "A summary leaves things out, often conditions and doubts; a chosen sentence may mean something else without "
        "those around it, and a text written anew may say what the source does not. Show the source beside it, and let "
        "nobody decide on health, law or money by a summary alone."
    ),
)
