"""Recommendation: what a user or a session takes next, and what is like an item."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.recommendation_next_items import OFFER

FIELD = Field(
    name="recommendation",
    title={"en": "Recommendation", "zh": "推荐系统"},
    summary={
        "en": "Recommends the next items to a user or a session, finds items that go with one, and says why.",
        "zh": "为用户或会话推荐接下来的物品，查找与某物品相配的物品，并说明理由。",
    },
    offers=(OFFER,),
    limits_of_use=(
        "A list is made of what people like the user did before: it repeats their habits, favours what is popular and "
        "knows nothing of new items. Histories are personal data. Do not use it to decide what somebody may see of "
        "news, jobs, housing, credit or medicine."
    ),
)
