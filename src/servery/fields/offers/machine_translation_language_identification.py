"""Language identification within machine translation: a small sample in twenty languages to judge by."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_CLAUSES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        _several("Good morning|Excuse me|I think|Tomorrow|Please remember|Yesterday|To be honest"),
        _several(
            "the train leaves at eight|we are still waiting for an answer|the children are playing outside|"
            "it is raining again|nobody knows where the key is|this book belongs to my brother|"
            "the shop closes early today"
        ),
    ),
    "zh": (
        _several("早上好|对不起|我觉得|明天|请记住|昨天|说实话"),
        _several(
            "火车八点开|我们还在等回答|孩子们在外面玩|又下雨了|没有人知道钥匙在哪里|这本书是我哥哥的|商店今天关门很早"
        ),
    ),
    "de": (
        _several(
            "Guten Morgen|Entschuldigung|Ich glaube schon|Nächste Woche|Bitte denken Sie daran|Gestern|Ehrlich gesagt"
        ),
        _several(
            "der Zug fährt um acht ab|wir warten noch auf eine Antwort|die Kinder spielen draußen|es regnet "
            "schon wieder|niemand weiß, wo der Schlüssel ist|dieses Buch gehört meinem Bruder|das Geschäft schließt "
            "heute früh"
        ),
    ),
    "fr": (
        _several("Bonjour|Excusez-moi|Je crois|Demain|N'oubliez pas|Hier|À vrai dire"),
        _several(
            "le train part à huit heures|nous attendons toujours une réponse|les enfants jouent dehors|il pleut "
            "encore|personne ne sait où est la clé|ce livre appartient à mon frère|le magasin ferme tôt aujourd'hui"
        ),
    ),
    "es": (
        _several("Buenos días|Perdone|Creo que sí|Mañana|Recuerde|Ayer|La verdad"),
        _several(
            "el tren sale a las ocho|todavía esperamos una respuesta|los niños juegan en la calle|está lloviendo otra "
            "vez|nadie sabe dónde está la llave|este libro es de mi hermano|la tienda cierra temprano hoy"
        ),
    ),
    "pt": (
        _several("Bom dia|Desculpe|Acho que sim|Amanhã|Lembre-se|Ontem|Para ser sincero"),
        _several(
            "o trem parte às oito horas|ainda estamos esperando uma resposta|as crianças estão brincando lá fora|está "
            "chovendo de novo|ninguém sabe onde está a chave|este livro é do meu irmão|a loja fecha cedo hoje"
        ),
    ),
    "it": (
        _several("Buongiorno|Mi scusi|Credo di sì|Domani|Si ricordi|Ieri|A dire il vero"),
        _several(
            "il treno parte alle otto|stiamo ancora aspettando una risposta|i bambini giocano fuori|piove di "
            "nuovo|nessuno sa dove sia la chiave|questo libro è di mio fratello|il negozio oggi chiude presto"
        ),
    ),
    "nl": (
        _several(
            "Goedemorgen|Neem me niet kwalijk|Ik denk het wel|Volgende week|Vergeet niet|Gisteren|Eerlijk gezegd"
        ),
        _several(
            "de trein vertrekt om acht uur|we wachten nog steeds op een antwoord|de kinderen spelen buiten|het regent "
            "alweer|niemand weet waar de sleutel is|dit boek is van mijn broer|de winkel sluit vandaag vroeg"
        ),
    ),
    "sv": (
        _several("God morgon|Ursäkta mig|Jag tror det|Nästa vecka|Kom ihåg|I går|Ärligt talat"),
        _several(
            "tåget går klockan åtta|vi väntar fortfarande på ett svar|barnen leker utomhus|det regnar igen|ingen vet "
            "var nyckeln är|den här boken tillhör min bror|affären stänger tidigt i dag"
        ),
    ),
    "pl": (
        _several("Dzień dobry|Przepraszam|Myślę, że tak|Jutro|Proszę pamiętać|Wczoraj|Szczerze mówiąc"),
        _several(
            "pociąg odjeżdża o ósmej|wciąż czekamy na odpowiedź|dzieci bawią się na dworze|znowu pada deszcz|nikt nie "
            "wie, gdzie jest klucz|ta książka należy do mojego brata|sklep dzisiaj wcześnie zamykają"
        ),
    ),
    "cs": (
        _several("Dobré ráno|Promiňte|Myslím, že ano|Zítra|Nezapomeňte|Včera|Upřímně řečeno"),
        _several(
            "vlak odjíždí v osm hodin|pořád čekáme na odpověď|děti si hrají venku|už zase prší|nikdo neví, kde je "
            "klíč|tahle kniha patří mému bratrovi|obchod dnes zavírá dříve"
        ),
    ),
    "tr": (
        _several("Günaydın|Affedersiniz|Sanırım öyle|Gelecek hafta|Lütfen unutmayın|Dün|Doğrusu"),
        _several(
            "tren saat sekizde kalkıyor|hâlâ bir cevap bekliyoruz|çocuklar dışarıda oynuyor|yine yağmur yağıyor|"
            "anahtarın nerede olduğunu kimse bilmiyor|bu kitap kardeşimin|dükkân bugün erken kapanıyor"
        ),
    ),
    "fi": (
        _several("Hyvää huomenta|Anteeksi|Luulen niin|Huomenna|Muistakaa|Eilen|Rehellisesti sanottuna"),
        _several(
            "juna lähtee kello kahdeksan|odotamme yhä vastausta|lapset leikkivät ulkona|taas sataa vettä|kukaan ei "
            "tiedä, missä avain on|tämä kirja on veljeni|kauppa menee tänään aikaisin kiinni"
        ),
    ),
    "ru": (
        _several("Доброе утро|Извините|Думаю, да|Завтра|Не забудьте|Вчера|Честно говоря"),
        _several(
            "поезд отходит в восемь часов|мы всё ещё ждём ответа|дети играют на улице|опять идёт дождь|никто не знает, "
            "где ключ|эта книга моего брата|магазин сегодня закрывается рано"
        ),
    ),
    "el": (
        _several("Καλημέρα|Με συγχωρείτε|Νομίζω πως ναι|Αύριο|Μην ξεχάσετε|Χθες|Για να είμαι ειλικρινής"),
        _several(
            "το τρένο φεύγει στις οκτώ|περιμένουμε ακόμα μια απάντηση|τα παιδιά παίζουν έξω|βρέχει πάλι|κανείς δεν "
            "ξέρει πού είναι το κλειδί|αυτό το βιβλίο είναι του αδερφού μου|το μαγαζί κλείνει νωρίς σήμερα"
        ),
    ),
    "ja": (
        _several(
            "おはようございます|すみませんが|たぶんそうですね|来週の土曜日|覚えておいてください|昨日聞きましたが|正直に言うと"
        ),
        _several(
            "電車は八時に出ます|まだ返事を待っています|子供たちは外で遊んでいます|また雨が降っています|"
            "鍵がどこにあるか誰も知りません|この本は兄のものです|今日は店が早く閉まります"
        ),
    ),
    "ko": (
        _several("안녕하세요|실례합니다|그런 것 같아요|내일|기억하세요|어제|솔직히 말하면"),
        _several(
            "기차는 여덟 시에 출발합니다|우리는 아직도 대답을 기다리고 있습니다|아이들이 밖에서 놀고 있어요|"
            "또 비가 와요|열쇠가 어디 있는지 아무도 몰라요|이 책은 우리 형 거예요|오늘은 가게가 일찍 닫아요"
        ),
    ),
    "ar": (
        _several("صباح الخير|عفوا|أظن ذلك|غدا|من فضلك تذكر|أمس|بصراحة"),
        _several(
            "القطار يغادر في الساعة الثامنة|ما زلنا ننتظر الجواب|الأطفال يلعبون في الخارج|إنها تمطر مرة أخرى|"
            "لا أحد يعرف أين المفتاح|هذا الكتاب لأخي|المتجر يغلق مبكرا اليوم"
        ),
    ),
    "he": (
        _several("בוקר טוב|סליחה|אני חושב שכן|מחר|אל תשכחו|אתמול|למען האמת"),
        _several(
            "הרכבת יוצאת בשעה שמונה|אנחנו עדיין מחכים לתשובה|הילדים משחקים בחוץ|שוב יורד גשם|אף אחד לא יודע איפה "
            "המפתח|הספר הזה של אחי|החנות נסגרת מוקדם היום"
        ),
    ),
    "hi": (
        _several("सुप्रभात|माफ़ कीजिए|मुझे लगता है|कल|कृपया याद रखें|आज सुबह|सच कहूँ तो"),
        _several(
            "ट्रेन आठ बजे जाती है|हम अभी भी जवाब का इंतज़ार कर रहे हैं|बच्चे बाहर खेल रहे हैं|फिर से बारिश हो रही है|"
            "किसी को नहीं पता कि चाबी कहाँ है|यह किताब मेरे भाई की है|दुकान आज जल्दी बंद होगी"
        ),
    ),
}
"""ISO 639-1 code to ways to begin and things to say; any two together are a sentence."""
_FULL_STOPS = {"zh": "。", "ja": "。", "hi": "।"}
_COMMAS = {"zh": "，", "ja": "、", "ar": "، "}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Put short sentences of twenty languages together, as many of each as of the others.

    Args:
        rows: How many different ones; beyond a thousand they repeat.
        seed: Equal seeds give equal sentences.
    """
    chance = random.Random(f"languages {seed}")
    sentences = {language: _sentences(language) for language in _CLAUSES}
    for found in sentences.values():
        chance.shuffle(found)
    languages = [list(_CLAUSES)[row % len(_CLAUSES)] for row in range(rows)]
    chance.shuffle(languages)
    texts = []
    for language in languages:
        texts.append(sentences[language].pop(0))
        sentences[language].append(texts[-1])
    raw = RawTable(
        {"text": object_array(texts), "language": object_array(languages)},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"put together with seed {seed}, not real"},
    )
    kinds = {"text": "text", "language": "category"}
    return build_dataset(raw, "languages-sample", target="language", kinds=kinds, is_sample=True)


def _sentences(language: str) -> list[str]:
    begins, clauses = _CLAUSES[language]
    comma, stop = _COMMAS.get(language, ", "), _FULL_STOPS.get(language, ".")
    return [f"{begin}{comma}{clause}{stop}" for begin in begins for clause in clauses]


OFFER = Offer(
    tasks=("language-identification",),
    form="text",
    recipes=(RecipeChoice("lingua", "seconds and up to 1 GB; knows 75 languages, nothing is trained"),),
    starter_recipe="lingua",
    columns={"text": "a text", "language": "its language as an ISO 639-1 code: en, zh, de ..."},
    target="language",
    kinds={"text": "text", "language": "category"},
    sample=sample,
    example="Perdone, la tienda cierra temprano hoy.",
)
