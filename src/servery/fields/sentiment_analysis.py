"""Sentiment analysis: polarity, emotions, and what is said of one thing, in English and Chinese."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Field, Offer, RecipeChoice
from servery.fields.offers import sentiment_analysis_aspects as aspects

_LABELS = ("positive", "negative", "neutral")
_NOISE_SHARE = 0.03
"""Share of the sample's labels drawn at random, as annotators err too."""


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "thing": _several(
            "room|soup|battery|screen|service|staff|delivery|price|keyboard|breakfast|location|camera|sound|ending"
            "|plot|acting|packaging|seat|app|update|menu|coffee|support team|zip|fabric|manual|website|bed|view"
        ),
        "positive": _several(
            "great|wonderful|excellent|lovely|superb|delightful|fast|friendly|comfortable|reliable|tasty|charming"
            "|helpful|brilliant|worth every cent|a pleasant surprise"
        ),
        "negative": _several(
            "terrible|awful|slow|rude|broken|disappointing|dirty|noisy|bland|overpriced|useless|faulty|boring"
            "|cheaply made|a waste of money|a bad joke"
        ),
        "degree": _several("||really |very |quite |so |truly |rather |absolutely "),
        "who": _several("My wife|My brother|A colleague|We|I|The guests|My parents|Our team|A friend"),
        "place": _several(
            "in Leeds|at the airport|near the station|online|downtown|in the old town|on the coast"
        ),
        "day": _several(
            "on Monday|last week|yesterday|in March|two days ago|this morning|after lunch|in 2021"
        ),
        "colour": _several("black|blue|grey|white|green|red|silver"),
    },
    "zh": {
        "thing": _several(
            "房间|汤|电池|屏幕|服务|店员|物流|价格|键盘|早餐|位置|相机|音质|结局|剧情|演技|包装|座椅|软件|菜单|咖啡|客服"
            "|拉链|面料|说明书|网站|床|风景|充电器|外观"
        ),
        "positive": _several(
            "很棒|非常好|令人满意|出色|惊喜|舒服|贴心|可靠|好用|精致|超值|让人放心|无可挑剔|值得推荐"
        ),
        "negative": _several(
            "很差|糟糕|让人失望|太慢|敷衍|坏了|难用|粗糙|太吵|不值这个价|没法用|令人生气|无聊|问题一大堆"
        ),
        "degree": _several("||真的|确实|实在|完全|总的来说|老实说"),
        "who": _several("我|我们|朋友|同事|家人|我爸妈|室友|客人"),
        "place": _several("在上海|在机场|在网上|在车站附近|在市中心|在老城区|在学校旁边"),
        "day": _several("上周|昨天|三月份|前天|今天早上|午饭后|去年|星期一"),
        "colour": _several("黑色|蓝色|灰色|白色|绿色|红色|银色"),
    },
}

# {good} is a word of the row's own class, {bad} one of the opposite class.
_OPINIONS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "The {thing} was {degree}{good}.",
        "{who} found the {thing} {degree}{good}.",
        "Bought it {place} {day}; the {thing} is {degree}{good}.",
        "{who} stayed {place} {day} and the {thing} was {good}.",
        "Compared with the old {colour} one, the {thing} is {degree}{good}.",
    ),
    "zh": (
        "{thing}{degree}{good}。",
        "{who}觉得{thing}{degree}{good}。",
        "{day}{place}买的，{thing}{degree}{good}。",
        "{who}{day}{place}用过，{thing}{good}！",
        "和以前那个{colour}的比，{thing}{degree}{good}。",
    ),
}
_CONTRASTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "The {thing} was not {bad} at all, it was {good}.",
        "I expected the {thing} to be {bad}, but it turned out {degree}{good}.",
        "Everyone says the {thing} is {bad}. I disagree: {degree}{good}!",
    ),
    "zh": (
        "{thing}一点也不像别人说的{bad}，{good}。",
        "本来以为{thing}会{bad}，结果{degree}{good}。",
    ),
}
_CLOSINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "positive": _several("Recommended!|Would buy again.|Five stars.|We will be back.|Thank you!"),
        "negative": _several("Avoid!|I want my money back.|One star.|Never again.|Do not bother."),
        "neutral": _several("That is all I know.|No opinion yet.|More next week.|For information only."),
    },
    "zh": {
        "positive": _several("推荐！|会再来。|五星好评。|谢谢店家！"),
        "negative": _several("别买！|要求退款。|一星。|再也不来了。"),
        "neutral": _several("目前就知道这些。|还没有想法。|下周再说。|仅供参考。"),
    },
}
_FACTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "{who} ordered the {colour} one {day}.",
        "The {thing} comes in {colour} and {colour2}.",
        "The {thing} is the same as {day}.",
        "{who} asked about the {thing} {place} {day}.",
        "The {thing} is okay, neither {bad} nor {good}.",
        "There is a {colour} label next to the {thing}.",
        "{who} will look at the {thing} again {place}.",
        "The {thing} is listed {place} with a {colour} picture.",
    ),
    "zh": (
        "{who}{day}订了{colour}的。",
        "{thing}有{colour}和{colour2}两种。",
        "{thing}和{day}的一样。",
        "{who}{day}{place}问了{thing}的情况。",
        "{thing}一般，说不上{good}，也说不上{bad}。",
        "{thing}旁边有{colour}的标签。",
        "{who}打算{place}再看看{thing}。",
        "{place}可以查到{thing}，图片是{colour}的。",
    ),
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make short reviews of three classes, half of them English, half Chinese, with some labels wrong.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"sentiment {seed}")
    texts: dict[str, tuple[str, str]] = {}
    while len(texts) < rows:
        language = "en" if len(texts) % 2 == 0 else "zh"
        label = chance.choice(_LABELS)
        text = _review(chance, language, label)
        noisy = chance.choice(_LABELS) if chance.random() < _NOISE_SHARE else label
        texts.setdefault(text, (noisy, language))
    raw = RawTable(
        {
            "text": object_array(list(texts)),
            "label": object_array([label for label, _ in texts.values()]),
            "language": object_array([language for _, language in texts.values()]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real reviews"},
    )
    kinds = {"text": "text", "label": "category", "language": "category"}
    return build_dataset(raw, "sentiment-analysis-sample", target="label", kinds=kinds, is_sample=True)


def _review(chance: random.Random, language: str, label: str) -> str:
    """Return one to three sentences; an opinion may stand beside a fact, but not beside its opposite."""
    sentences = [_sentence(chance, language, label)]
    if chance.random() < 0.4:
        sentences.append(_sentence(chance, language, label if chance.random() < 0.5 else "neutral"))
        chance.shuffle(sentences)
    if chance.random() < 0.45:
        sentences.append(chance.choice(_CLOSINGS[language][label]))
    return ("" if language == "zh" else " ").join(sentences)


def _sentence(chance: random.Random, language: str, label: str) -> str:
    words = _WORDS[language]
    good, bad = ("negative", "positive") if label == "negative" else ("positive", "negative")
    templates = _FACTS if label == "neutral" else _CONTRASTS if chance.random() < 0.15 else _OPINIONS
    return chance.choice(templates[language]).format(
        good=chance.choice(words[good]),
        bad=chance.choice(words[bad]),
        colour2=chance.choice(words["colour"]),
        **{name: chance.choice(words[name]) for name in ("thing", "degree", "who", "place", "day", "colour")},
    )


FIELD = Field(
    name="sentiment-analysis",
    title={"en": "Sentiment analysis", "zh": "情感分析"},
    summary={
        "en": "Says whether a text, or what it says of one thing, is positive or negative, or its emotions.",
        "zh": "判断一段文字，或其中对某一方面的评价，是正面、负面还是中性，或带有哪些情绪。",
    },
    offers=(
        Offer(
            tasks=("classification", "multi-label-classification"),
            form="text",
            recipes=(
                RecipeChoice("tfidf-linear", "seconds; hard to beat below some thousand texts"),
                RecipeChoice("mlp", "a bag of embeddings; under a minute; ignores the order of words"),
                RecipeChoice("cnn", "minutes; sees short phrases such as 'not good'"),
                RecipeChoice("rnn", "minutes; the plain recurrent network, for comparison"),
                RecipeChoice("gru", "minutes; reads in order, with fewer weights than lstm"),
                RecipeChoice("lstm", "minutes; reads in order, remembers across a sentence"),
                RecipeChoice("transformer", "the slowest from scratch; wants tens of thousands of texts"),
                RecipeChoice(
                    "encoder-head", "minutes; a pretrained English encoder as it is, good with few texts"
                ),
                RecipeChoice(
                    "encoder-finetune",
                    "a quarter of an hour and more; the pretrained encoder trained further",
                ),
            ),
            starter_recipe="tfidf-linear",
            columns={
                "text": "the text to judge",
                "label": "positive, negative, neutral, or several emotions with commas",
            },
            known_datasets=(
                KnownDataset(
                    name="goemotions",
                    folder="sentiment-analysis/goemotions",
                    files={"train": "train.csv.gz", "validation": "dev.csv.gz", "test": "test.csv.gz"},
                    target="groups",
                    kinds={"groups": "labels", "emotions": "labels", "text": "text"},
                    ignored=("id", "emotions"),
                    license="Apache-2.0",
                    citation="Demszky et al. 2020, GoEmotions: A Dataset of Fine-Grained Emotions, ACL",
                ),
                KnownDataset(
                    name="goemotions-28",
                    folder="sentiment-analysis/goemotions",
                    files={"train": "train.csv.gz", "validation": "dev.csv.gz", "test": "test.csv.gz"},
                    target="emotions",
                    kinds={"groups": "labels", "emotions": "labels", "text": "text"},
                    ignored=("id", "groups"),
                    license="Apache-2.0",
                    citation="Demszky et al. 2020, GoEmotions: A Dataset of Fine-Grained Emotions, ACL",
                ),
            ),
            kinds={"aspect": "text"},
            sample=sample,
            example="The staff were friendly and the room was spotless.",
        ),
        aspects.OFFER,
    ),
    limits_of_use=(
        "Not for decisions about a person, such as hiring or discipline. Irony, dialect and languages that the "
        "training data lacks are often misread; a score is a guess about the wording, not about what somebody feels."
    ),
)
