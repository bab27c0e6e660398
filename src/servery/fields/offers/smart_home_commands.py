"""The offer of typed commands: invented sentences to a home, English and Chinese, with intent and slots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.command_files import COMMAND, read_commands
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

KINDS = {"text": "text", COMMAND: "command"}
TRIES = 20
_POLITE_SHARE = 0.1
_AREAS = {
    "en": "kitchen|living room|bedroom|hallway|garage|attic|office|nursery|cellar|pantry|terrace|guest room|gym|"
    "library",
    "zh": "厨房|客厅|卧室|走廊|车库|阁楼|书房|婴儿房|地下室|储藏室|露台|客房|健身房|图书室",
}
_DEVICES = {
    "en": "ceiling lamp|coffee maker|desk fan|heater|night light|radio|floor lamp|air purifier|kettle|fountain|"
    "towel rail|dehumidifier|lantern|oven",
    "zh": "吸顶灯|咖啡机|台扇|取暖器|小夜灯|收音机|落地灯|空气净化器|热水壶|喷泉|毛巾架|除湿机|灯笼|烤箱",
}
_ITEMS = {
    "en": "apples|oat milk|soap|bread|batteries|rice|lemons|coffee|candles|flour|tomatoes|paper towels",
    "zh": "苹果|燕麦奶|肥皂|面包|电池|大米|柠檬|咖啡|蜡烛|面粉|番茄|厨房纸巾",
}
_TITLES = {
    "en": "Silver River|The Long Winter|Marble Street|Paper Boats|Northern Lights|Harvest Moon|Glass Garden|Blue Hour",
    "zh": "银色河流|漫长的冬天|石板街|纸船|北方的光|收获之月|玻璃花园|蓝色时刻",
}

_WHEN = {
    "en": "now|at once|today|for me|this evening|before dinner|later on|this morning|tomorrow|right away|"
    "tonight|at noon",
    "zh": "现在|马上|今天|帮我|今晚|晚饭前|待会儿|今早|明天|立刻|夜里|中午",
}

# Intent to what is said; {area}, {name} and {item} take a word, {number} a number under the slot's name; {when} fills
# no slot; what stands behind the bar is meant and not said.
_SENTENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "HassTurnOn": {
        "en": (
            "turn on the {name}",
            "switch the {name} on please",
            "lights on in the {area}|domain=light",
            "turn on the lights in the {area}|domain=light",
            "turn on every light {when}|domain=light",
        ),
        "zh": (
            "{when}打开全部的灯|domain=light",
            "打开{name}",
            "请把{name}打开",
            "把{area}的灯打开|domain=light",
            "开一下{area}的灯|domain=light",
        ),
    },
    "HassTurnOff": {
        "en": (
            "turn off the {name}",
            "shut the {name} off",
            "kill the lights in the {area}|domain=light",
            "{area} lights off|domain=light",
            "switch all the lights off {when}|domain=light",
        ),
        "zh": (
            "{when}把灯全关掉|domain=light",
            "关掉{name}",
            "把{name}关了",
            "把{area}的灯关掉|domain=light",
            "关上{area}所有的灯|domain=light",
        ),
    },
    "HassLightSet": {
        "en": (
            "set the {area} to {brightness} percent",
            "dim the {name} to {brightness}%",
            "{area} brightness to the maximum|brightness=100",
            "make the {name} as bright as possible|brightness=100",
        ),
        "zh": (
            "把{area}亮度调到百分之{brightness}",
            "{name}亮度设为{brightness}%",
            "{area}亮度调到最大|brightness=100",
            "把{name}调到最亮|brightness=100",
        ),
    },
    "HassClimateSetTemperature": {
        "en": ("set the {area} to {temperature} degrees", "make it {temperature} degrees in the {area}"),
        "zh": ("把{area}温度调到{temperature}度", "{area}设为{temperature}度"),
    },
    "HassClimateGetTemperature": {
        "en": ("how warm is it in the {area}", "what is the temperature in the {area}?"),
        "zh": ("{area}现在多少度", "{area}的温度是多少"),
    },
    "HassStartTimer": {
        "en": (
            "set a timer for {minutes} minutes",
            "start a {minutes} minute timer in the {area}",
            "wake me in half an hour|minutes=30",
        ),
        "zh": ("设一个{minutes}分钟的计时器", "在{area}开始{minutes}分钟倒计时", "半小时后叫我|minutes=30"),
    },
    "HassShoppingListAddItem": {
        "en": ("put {item} on the shopping list", "we need {item}", "add {item} to my list"),
        "zh": ("把{item}加入购物清单", "要买{item}", "购物清单加上{item}"),
    },
    "HassGetWeather": {
        "en": ("what's the weather like {when}", "do I need an umbrella {when}?"),
        "zh": ("{when}天气怎么样", "{when}出门要带伞吗"),
    },
    "HassMediaSearchAndPlay": {
        "en": ("play {search_query} in the {area}", "I want to hear {search_query} in the {area}"),
        "zh": ("在{area}播放{search_query}", "我想在{area}听{search_query}"),
    },
}
_WORDS = {"area": _AREAS, "name": _DEVICES, "item": _ITEMS, "search_query": _TITLES}
_NUMBERS: Mapping[str, Callable[[Random], int]] = {
    "brightness": lambda chance: chance.randrange(5, 100, 5),
    "temperature": lambda chance: chance.randint(15, 28),
    "minutes": lambda chance: chance.randint(2, 59),
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make commands to an invented home, half of them Chinese.

    Args:
        rows: How many commands.
        seed: Equal seeds give equal rows.
    """
    chance = Random(f"commands {seed}")
    found: dict[str, tuple[str, str, dict[str, Any]]] = {}
    # No command twice while there are others: copies would only tell how well one remembers.
    for _ in range(TRIES * rows):
        if len(found) < rows:
            made_up = _command(chance)
            found.setdefault(made_up[0], made_up)
    made = [_politely(one, chance) for one in found.values()]
    made += [_command(chance) for _ in range(rows - len(made))]
    columns = {
        "text": [text for text, _, _ in made],
        COMMAND: [
            json.dumps({"intent": intent, "slots": slots}, ensure_ascii=False) for _, intent, slots in made
        ],
    }
    raw = RawTable(
        {name: object_array(cells) for name, cells in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real home"},
    )
    return build_dataset(raw, "smart-home-commands-sample", target=COMMAND, kinds=KINDS, is_sample=True)


def _command(chance: Random) -> tuple[str, str, dict[str, Any]]:
    language = chance.choice(("en", "zh"))
    intent = chance.choice(sorted(_SENTENCES))
    pattern, _, meant = chance.choice(_SENTENCES[intent][language]).partition("|")
    slots: dict[str, Any] = {}
    for name, words in _WORDS.items():
        if f"{{{name}}}" in pattern:
            slots[name] = chance.choice(words[language].split("|"))
    for name, number in _NUMBERS.items():
        if f"{{{name}}}" in pattern:
            slots[name] = number(chance)
    text = pattern.format(**slots, when=chance.choice(_WHEN[language].split("|")))
    if meant:
        name, _, value = meant.partition("=")
        slots[name] = int(value) if value.isdigit() else value
    return text, intent, slots


def _politely(command: tuple[str, str, dict[str, Any]], chance: Random) -> tuple[str, str, dict[str, Any]]:
    text, intent, slots = command
    if chance.random() < _POLITE_SHARE:
        text = f"hey, {text}" if text.isascii() else f"请{text}"
    return text, intent, slots


OFFER = Offer(
    tasks=("command-understanding",),
    form="text",
    recipes=(
        RecipeChoice("tfidf-linear", "a second; the intent and what is meant, no slot from the text"),
        RecipeChoice("joint-cnn", "a minute; small and quick"),
        RecipeChoice("joint-bilstm", "a minute; the best of them"),
        RecipeChoice("joint-transformer", "two minutes; wants more commands than the others"),
    ),
    starter_recipe="joint-bilstm",
    columns={
        "text": "what somebody typed",
        "intent": "what is to be done",
        "slots": "a JSON object of names and values: texts and numbers",
    },
    sample=sample,
    sample_name="commands-sample",
    example="turn on the lights in the kitchen",
    known_datasets=(
        KnownDataset(
            name="home-commands-en-zh",
            folder="smart-home/home-commands-en-zh",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target=COMMAND,
            kinds={**KINDS, "lang": "category", "group": "category"},
            ignored=("lang",),
            roles={"group": "group"},
            read=read_commands,
            license="CC BY 4.0",
            citation="Home Assistant Intents, Open Home Foundation",
        ),
    ),
    target=COMMAND,
    kinds=KINDS,
    read=read_commands,
    starter_hyperparameters={"epochs": 20},
)
