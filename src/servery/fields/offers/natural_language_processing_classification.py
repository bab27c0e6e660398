"""Text classification: what somebody wants, or what a text is about, with the right to say that nothing fits."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

OUTSIDE = "oos"
"""The label of texts that none of the other labels fits, as clinc150 has it."""
_OUTSIDE_SHARE = 0.16
_NOISE_SHARE = 0.02
"""Share of the sample's labels drawn at random, as annotators err too."""


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_REQUESTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "weather": _several(
            "will it rain {place} {day}|do I need an umbrella {day}|how cold does it get {place}|"
            "what is the forecast for {day}|is it sunny {place}|how windy will it be {day}"
        ),
        "alarm": _several(
            "wake me at {hour} {day}|set an alarm for {hour}|get me up by {hour} please|"
            "can you ring at {hour} {day}|I must be awake at {hour}, set the alarm"
        ),
        "transfer": _several(
            "send {sum} to {person}|transfer {sum} from savings to checking|pay {person} {sum} {day}|"
            "move {sum} into my other account|I owe {person} {sum}, please pay it"
        ),
        "music": _several(
            "play some {music}|I want to hear {music}|put on {music} {place}|next {music} song please|"
            "turn the {music} up|start my {music} playlist"
        ),
        "flight": _several(
            "is the plane {place} on time|book a flight {place} {day}|when do I board {day}|"
            "find me a seat to fly {place}|has my flight at {hour} been cancelled"
        ),
        OUTSIDE: _several(
            "who painted the ceiling {place}|how many teeth does a cat {place} have|translate good night for {person}|"
            "why is the sea salty {place}|what did {person} study|how old is the bridge {place}|"
            "tell me a riddle for {person}|how do bees find home {place}|who won the match {day}|"
            "what is seven times {hour}"
        ),
    },
    "zh": {
        "weather": _several(
            "{day}{place}会下雨吗|{day}要带伞吗|{place}冷不冷|查一下{day}的天气预报|{place}{day}风大吗"
        ),
        "alarm": _several("{day}{hour}叫我起床|设一个{hour}的闹钟|{hour}叫醒我|帮我把闹钟定在{hour}"),
        "transfer": _several(
            "给{person}转{sum}|把{sum}转到另一个账户|{day}付{person}{sum}|我欠{person}{sum}，帮我还了"
        ),
        "music": _several("放点{music}|我想听{music}|下一首{music}|把{music}的音量调大|打开我的{music}歌单"),
        "flight": _several(
            "{place}的航班准点吗|订一张{day}飞{place}的机票|{day}几点登机|{hour}的航班取消了吗"
        ),
        OUTSIDE: _several(
            "{place}的壁画是谁画的|{place}的猫有几颗牙|{place}的水为什么是咸的|{person}学的什么专业|{place}那座桥多少年了|"
            "给{person}讲个谜语|{place}的蜜蜂怎么认路|{day}的比赛谁赢了"
        ),
    },
}
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "place": _several(
            "in Leeds|to Oslo|in Porto|near the lake|to Lima|in Kyoto|downtown|in the mountains"
        ),
        "day": _several("today|tomorrow|on Monday|this weekend|on Friday|next week|tonight"),
        "hour": _several("six|seven thirty|eight|5 am|noon|quarter past nine|10:40"),
        "sum": _several("20 dollars|fifty euros|$300|a hundred pounds|12.50|two thousand yen"),
        "person": _several("Anna|my brother|Mr Okafor|Li Wei|the landlord|grandma|Tomas"),
        "music": _several("jazz|rock|piano music|the Beatles|something quiet|folk|hip hop"),
    },
    "zh": {
        "place": _several("北京|上海|昆明|伦敦|山上|海边|杭州|京都"),
        "day": _several("今天|明天|星期一|这个周末|周五|下周|今晚"),
        "hour": _several("六点|七点半|八点|早上五点|中午|九点一刻"),
        "sum": _several("二十块|五十欧元|300元|一百块钱|两千日元"),
        "person": _several("小王|我哥|李老师|房东|奶奶|安娜"),
        "music": _several("爵士|摇滚|钢琴曲|周杰伦|安静一点的歌|民谣|说唱"),
    },
}
_OPENINGS: Mapping[str, tuple[str, ...]] = {
    "en": _several("||||hey, |please |could you tell me, |quick question: |hello, |um, "),
    "zh": _several("||||你好，|麻烦你，|请问，|那个，|嗨，"),
}
_CLOSINGS: Mapping[str, tuple[str, ...]] = {
    "en": _several(
        "?|!| ...|, it is for {person}, {day}| and be quick, I leave at {hour}|, I am {place} until {hour}|"
        ", {person} wants to know {day}|, thanks in advance from {person}|. {person} told me to ask {day}|"
        ", before {hour} if you can"
    ),
    "zh": _several(
        "？|！|，是{person}{day}要的|，我{hour}在{place}|，{person}{day}让我问的|，谢谢，{person}|，{day}{hour}之前告诉我|，快点，{hour}要出门"
    ),
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make short requests with what is wanted, half English, half Chinese; about a sixth want something else.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = random.Random(f"requests {seed}")
    intents = [intent for intent in _REQUESTS["en"] if intent != OUTSIDE]
    texts: dict[str, tuple[str, str]] = {}
    while len(texts) < rows:
        language = "en" if len(texts) % 2 == 0 else "zh"
        intent = OUTSIDE if chance.random() < _OUTSIDE_SHARE else chance.choice(intents)
        words = {name: chance.choice(values) for name, values in _WORDS[language].items()}
        text = chance.choice(_REQUESTS[language][intent]).format(**words)
        others = {name: chance.choice(values) for name, values in _WORDS[language].items()}
        text = chance.choice(_OPENINGS[language]) + text + chance.choice(_CLOSINGS[language]).format(**others)
        noisy = chance.choice(intents) if chance.random() < _NOISE_SHARE else intent
        texts.setdefault(text, (noisy, language))
    raw = RawTable(
        {
            "text": object_array(list(texts)),
            "intent": object_array([intent for intent, _ in texts.values()]),
            "language": object_array([language for _, language in texts.values()]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real requests"},
    )
    kinds, roles = {"text": "text", "intent": "category", "language": "category"}, {"language": "ignored"}
    name = "natural-language-processing-sample"
    return build_dataset(raw, name, target="intent", kinds=kinds, roles=roles, is_sample=True)


OFFER = Offer(
    tasks=("classification", "multi-label-classification"),
    form="text",
    recipes=(
        RecipeChoice("tfidf-linear", "seconds; hard to beat below some thousand texts"),
        RecipeChoice("mlp", "a bag of embeddings; under a minute; ignores the order of words"),
        RecipeChoice("cnn", "minutes; sees short phrases"),
        RecipeChoice("rnn", "minutes; the plain recurrent network, for comparison"),
        RecipeChoice("gru", "minutes; reads in order, with fewer weights than lstm"),
        RecipeChoice("lstm", "minutes; reads in order, remembers across a sentence"),
        RecipeChoice("transformer", "the slowest from scratch; wants tens of thousands of texts"),
        RecipeChoice("encoder-head", "minutes; a pretrained English encoder as it is, good with few texts"),
        RecipeChoice(
            "encoder-finetune", "a quarter of an hour and more; the pretrained encoder trained further"
        ),
    ),
    starter_recipe="tfidf-linear",
    columns={
        "text": "the text to judge",
        "label": "what it is about or what is wanted; 'oos' where none of the other labels fits",
    },
    known_datasets=(
        KnownDataset(
            name="clinc150",
            folder="natural-language-processing/clinc150",
            files={"train": "train.csv.gz", "validation": "val.csv.gz", "test": "test.csv.gz"},
            target="intent",
            kinds={"text": "text", "intent": "category"},
            license="CC BY 3.0",
            citation="Larson et al. 2019, An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction",
        ),
        KnownDataset(
            name="csl-category-zh",
            folder="natural-language-processing/csl-category-zh",
            files={"train": "train.csv.gz", "validation": "dev.csv.gz", "test": "test.csv.gz"},
            target="label",
            kinds={"text": "text", "label": "category"},
            license="Apache-2.0",
            citation="Li et al. 2022, CSL: A Large-scale Chinese Scientific Literature Dataset, COLING",
        ),
    ),
    sample=sample,
    outside=OUTSIDE,
    example="Will it rain in Leeds tomorrow?",
)
