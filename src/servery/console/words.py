"""The fixed texts of the start page, in English and Chinese, and the choice between the two."""

from __future__ import annotations

from urllib.parse import parse_qs

LANGUAGES = {"en": "en", "zh": "zh-CN"}
"""Our name of a language to the one that goes into the page."""

_WORDS = {
    "slogan": ("Models, served.", "模型，即服务。"),
    "lead": (
        "Servery takes your data to a model with a report you can believe, and serves it through one governed API. "
        "This page shows the models of this server and lets you ask them.",
        "Servery 把您的数据变成一个有可信评估报告的模型，并通过统一、受控的 API 提供服务。"
        "在本页可以查看这台服务器上的模型，并直接向它们提问。",
    ),
    "start": ("Start", "首页"),
    "pages": ("Pages", "页面"),
    "api": ("API", "API 文档"),
    "footer": (
        "Everything on this page comes from this server; it makes no other connection.",
        "本页的全部内容都来自这台服务器，不会连接其他地址。",
    ),
    "no_script": (
        "The list and the form below need JavaScript. Without it, the API page shows every call.",
        "下面的列表和表单需要 JavaScript。没有它也可以在 API 文档中查看所有调用。",
    ),
    "key": ("Key", "密钥"),
    "open": ("Show the models", "显示模型"),
    "key_hint": ("prints the admin key.", "可打印管理员密钥。"),
    "key_kept": (
        "The key stays in this tab, until the tab is closed.",
        "密钥只保存在当前标签页，关闭后即清除。",
    ),
    "key_letters": (
        "A key is made of letters, digits and dashes only.",
        "密钥只包含字母、数字和短横线。",
    ),
    "forget": ("Forget the key", "清除密钥"),
    "models": ("Models", "模型"),
    "models_follow": ("New models appear here by themselves.", "新模型会自动出现在这里。"),
    "no_models": (
        "No model yet. The starters are being trained and appear here by themselves.",
        "还没有模型。入门模型正在训练，完成后会自动出现在这里。",
    ),
    "state_ready": ("ready", "就绪"),
    "state_loading": ("loading", "加载中"),
    "state_failed": ("failed", "失败"),
    "state_cold": ("loads when asked", "首次调用时加载"),
    "sample": ("sample data", "样例数据"),
    "warning_sample_data": (
        "This model learned from generated sample data; do not rely on it.",
        "该模型用生成的样例数据训练：适合试用，不可依赖其结果。",
    ),
    "warning_empty_text": (
        "The text is empty: the answer says nothing about it.",
        "文本为空，回答不说明任何问题。",
    ),
    "warning_no_words": (
        "The text has no words; a model of words sees little in it.",
        "文本中没有词语，以词语为基础的模型几乎看不出什么。",
    ),
    "warning_silence": (
        "The recording is silent: the answer says nothing about it.",
        "录音没有声音，回答不说明任何问题。",
    ),
    "warning_unseen_script": (
        "The text has letters that the model did not learn from; it may be far off.",
        "文本含有模型没有学过的文字，结果可能偏差很大。",
    ),
    "warning_unlike_the_training": (
        "The text is not like those the model learned from; is it in the right language?",
        "文本与模型学过的不相似，语言是否正确？",
    ),
    "opening": ("Opening the model…", "正在打开模型……"),
    "version": ("Version", "版本"),
    "recipe": ("Recipe", "算法"),
    "task": ("Task", "任务"),
    "labels": ("Labels", "标签"),
    "score": ("Score", "评分"),
    "report": ("Report", "评估报告"),
    "document": ("OpenAPI", "OpenAPI"),
    "ask": ("Ask", "提问"),
    "asking": ("Asking…", "正在提问……"),
    "example": ("Use the example", "使用示例"),
    "missing": ("(missing)", "（缺失）"),
    "choose_picture": ("Choose a picture to ask about.", "请选择一张图片。"),
    "not_shown": (
        "Your browser cannot show this file; the model may still read it.",
        "浏览器无法显示该文件，但模型也许可以读取。",
    ),
    "example_picture": ("The example's picture", "示例图片"),
    "answer": ("Answer", "回答"),
    "settings": ("Settings", "参数"),
    "as_usual": ("as usual", "默认"),
    "one_a_line": ("one item a line", "每行一个物品"),
    "record": ("Record", "录音"),
    "stop_recording": ("Stop recording", "停止录音"),
    "choose_sound": ("Choose or record a sound to ask about.", "请选择一个音频文件，或者录音。"),
    "example_sound": ("The example's recording", "示例录音"),
    "no_microphone": ("The microphone cannot be used.", "无法使用麦克风。"),
    "asked_picture": ("The picture that was asked about", "提问的图片"),
    "save_picture": ("Save", "保存"),
    "nothing_found": ("Nothing was found.", "没有找到任何内容。"),
    "nothing_heard": ("Nothing was heard.", "没有听到语音。"),
    "word_times": ("When each word was said", "各词的时间"),
    "taken_from": ("Taken from", "原文出处"),
    "alternatives": ("Other answers", "其他回答"),
    "no_relation": ("no relation", "没有关系"),
    "because_of": ("because of", "因为"),
    "band": (
        "Line: forecast. Band: where the truth should lie in so many of 100 cases:",
        "实线为预测，阴影为区间，覆盖率：",
    ),
    "numbers": ("The numbers", "具体数值"),
    "step": ("Step", "步"),
    "forecast": ("Forecast", "预测"),
    "low": ("Low", "下限"),
    "high": ("High", "上限"),
    "tracks": ("Tracks", "轨迹"),
    "tracks_ahead": (
        "Thin: where they were. Thick: where they will be; the circle is where each should be after",
        "细线为过去，粗线为预测；圆圈为其应处范围，时间：",
    ),
    "intent": ("intent", "意图"),
    "name": ("Name", "名称"),
    "value": ("Value", "值"),
    "label": ("Label", "标签"),
    "box": ("Box: left, top, right, bottom", "框：左、上、右、下"),
    "share": ("Share of the picture", "占图像的比例"),
    "keeps_limits": ("within the limits", "满足约束"),
    "breaks_limits": ("outside the limits", "不满足约束"),
    "on_front": ("best trade-off", "最优折中"),
    "evaluated": ("Designs looked at", "评估的设计"),
    "numbers_of_vector": ("numbers", "维向量"),
    "none_selected": ("No label fits", "没有合适的标签"),
    "more_labels": ("More", "更多"),
    "raw": ("As JSON", "JSON 原文"),
    "curl": ("The same call with curl", "用 curl 完成同样的调用"),
    "took": ("Took", "用时"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "close": ("Close", "关闭"),
    "server": ("This server", "这台服务器"),
    "metrics": ("Metrics", "运行指标"),
    "unreachable": (
        "The server cannot be reached. It is asked again every few seconds.",
        "无法连接服务器，每隔几秒会自动重试。",
    ),
    "own_data": ("With your own data", "使用您自己的数据"),
    "own_data_lead": (
        "Three commands take a csv file to a model that this page lists and any program can call.",
        "三条命令即可把一个 csv 文件变成模型：它会出现在本页，任何程序都能调用。",
    ),
    "fields": ("What it can learn", "可以学习的领域"),
    "fields_lead": (
        "Each field knows its columns and its recipes, ordered from quick to thorough.",
        "每个领域都有自己的数据列和算法，按从快到精的顺序排列。",
    ),
}


def words(language: str) -> dict[str, str]:
    """Return every text in one language.

    >>> words("zh")["ask"]
    '提问'
    """
    place = list(LANGUAGES).index(language)
    return {name: texts[place] for name, texts in _WORDS.items()}


def language_of(query: bytes, accepted: str | None) -> str:
    """Return the language to answer in: what `?lang=` says, else the first known one of Accept-Language.

    >>> language_of(b"", "de, zh-TW;q=0.9, en;q=0.8"), language_of(b"lang=en", "zh"), language_of(b"", None)
    ('zh', 'en', 'en')
    """
    asked = parse_qs(query.decode("latin-1")).get("lang", [])
    named = [part.strip()[:2].lower() for part in (accepted or "").split(",")]
    return next((name for name in [*asked, *named] if name in LANGUAGES), "en")
