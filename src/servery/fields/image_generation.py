"""Image generation: small pictures of a category, drawn anew."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.image_generation_categories import OFFER

FIELD = Field(
    name="image-generation",
    title={"en": "Image generation", "zh": "图像生成"},
    summary={
        "en": "Draws new small pictures of the categories that it learned.",
        "zh": "按所学的类别绘制新的小图片。",
    },
    offers=(OFFER,),
    limits_of_use=(
        "Draws pictures of a few dozen pixels of the categories it learned, nothing else, and may come close to a "
        "training picture: look at the copy check of its report before you publish what it draws. What others hold "
        "rights in should not be among its training pictures. Not for pictures of real persons."
    ),
)
