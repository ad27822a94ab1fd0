"""The encoding of text that is not UTF-8, recognised by its letters: Korean, Japanese, Chinese or Western European.

The same bytes are letters of several encodings. Each candidate's letters are weighed by how usual they are in its
language; the one whose letters weigh most is taken, and doubted aloud where another's weigh nearly as much.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

WINDOW = 65_536  # bytes that are weighed, from the line of the first letter that is not ASCII on
NEAR = 0.25  # of a letter's weight: so near is another encoding in doubt
DOUBTED = 0.4  # a mean weight under it is no language's
SEEN = 0.9  # of the letters: so many are UTF-8's in a text that has a broken letter somewhere

COMMON, KNOWN, STRANGE = 1.0, 0.35, -0.5

_KOREAN = set(
    "가각간갈감강개객거건것게격결경계고곳공과관광교구국군권귀균그근글금급기길김까께끝나난날남내너널네녀년노논농높누눈늘는능니다단달담답당대댁더덕데도"
    "독돈동되된두둘드득든들등디따때또라락란람래랜량러럼럽레려력련령로록론료루류률르른를름릉리린림립마막만많말맞매맥머먼메며면명모목몸무문물미민밀및바박반"
    "받발밤방배백버번범법벽변별병보복본봄봉부북분불비빈빙빛사삭산살삼상새색생서석선설섬성세소속손송수숙순술숨스슬습승시식신실심십싱쌀써쓰씨아악안않알암압"
    "앞애액야약양어억언얼업없에여역연열염엽영예오온올옮와완왕외요욕용우운울원월위유육율으은을음응의이익인일임입잉있자작잔잘잠장재쟁저적전절점접정제조족존종"
    "좋좌죄주죽준줄중즉즌증지직진질집짜차착찬찰참창찾채책처척천철첨첫청체초촌총최추축춘출충취측층치칙친칠침카칼커코콜쿠크큰클키타탁탄탈태택터테토톤통투트"
    "특틀티파판팔패퍼편평폐포폭표품풍프플피필하학한할함합항해핵했행향허험혁현혈협형혜호혹혼홍화확환활황회획효후훈휘휴흐흑흔흙희히힘값갑겨겠굴궁귤넓넷닭됨떤뜻"
)
_CHINESE = set(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看"
    "文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女男问力机给"
    "等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九性通目华报"
    "立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战接它许八特觉望直服林题建南度统"
    "色字请交爱认算论百吃义科元社术结六功指思非流每青管连远资队带花快条院变联言权往展该领传近红治决周保达办运武半候七必城父强步完深区即求品士转量空技轻"
    "程告江语英基派满式李写识极黄德收钱未持取设始版双历史商千片容研像找友站广改议形委早房音火际首单据导影网专石兵校读志飞观争究包组造视济离姓龄价格岁省县"
    "州温湿速额销售型号类编码址户房屋面积居室厅款率差值深圳津渝苏浙川湖河陕辽吉黑龙福徽贵云甘宁香港澳病医院症药质油糖米茶酒饭菜鱼肉"
)
_JAPANESE = set(
    "日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎白天母火"
    "右読友左休父雨会社部合事者地方場対業内回新田自手通代力理体員主動物明発度関数性表全化開立実目平加意定正心不所同題選点県価格値身齢阪京都府市区町村番号"
    "種類品売店額温率積速量重春夏秋冬色赤青黒桜米茶酒魚肉病院医薬家族住所職業収入支払計算結果平均最低最大合計単位備考曜"
)
_WESTERN = set("áéíóúàèìòùâêîôûäëïöüãõñçåæøœßÿÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÄËÏÖÜÃÕÑÇÅÆØŒŠšŽž")
_SIGNS = set("°µ²³€£±·–—’‘“”…½¼¾«»©®™§¿¡×ºª\u00a0")


class Guess(NamedTuple):
    """An encoding, and another that the letters leave possible, "" where they leave none."""

    encoding: str
    other: str


def guess(data: bytes) -> list[Guess]:
    """Return the encodings that bytes may be in, the likeliest first; UTF-8 is one where a few letters are broken."""
    window = _window(data)
    if _mostly_utf8(window):
        return [Guess("utf-8", "")]
    weighed = []
    for encoding, weigh in LANGUAGES.items():
        try:
            text = window.decode(encoding)
        except UnicodeDecodeError:
            continue
        if (weight := weigh(text)) >= 0:  # below it they are no letters of that language
            weighed.append((weight, encoding))
    weighed.sort(key=lambda found: -found[0])
    made = []
    for place, (weight, encoding) in enumerate(weighed):
        near = [other for other_weight, other in weighed[place + 1 :] if other_weight > weight - NEAR]
        elsewhere = "cp1251" if encoding == "cp1252" else "big5"
        made.append(Guess(encoding, near[0] if near else elsewhere if weight < DOUBTED else ""))
    return made


def _window(data: bytes) -> bytes:
    """Return whole lines from the first that is not ASCII on."""
    first = next((start for start in range(0, len(data), WINDOW) if not data[start : start + WINDOW].isascii()), 0)
    start = data.rfind(b"\n", 0, first) + 1
    window = data[start : first + 2 * WINDOW]
    end = window.rfind(b"\n") + 1 if first + 2 * WINDOW < len(data) else 0
    return window[: end or len(window)]


def _mostly_utf8(window: bytes) -> bool:
    high = sum(byte > 127 for byte in window)
    kept = sum(len(letter.encode()) for letter in window.decode("utf-8", "ignore") if not letter.isascii())
    return high > 8 and kept >= SEEN * high


def _mean(weights: list[tuple[float, int]]) -> float:
    total = sum(count for _, count in weights)
    return sum(weight * count for weight, count in weights) / total if total else 0.0


def _letters(text: str) -> Counter[str]:
    return Counter(letter for letter in text if not letter.isascii())


def _korean(text: str) -> float:
    def weight(letter: str) -> float:
        if letter in _KOREAN:
            return COMMON
        if "가" <= letter <= "힣":
            return KNOWN if _bytes(letter, "euc_kr") else STRANGE
        return KNOWN if letter in _SIGNS or "㎀" <= letter <= "㏿" else 0.0 if _bytes(letter, "euc_kr") else STRANGE

    return _mean([(weight(letter), count) for letter, count in _letters(text).items()])


def _chinese(text: str) -> float:
    def weight(letter: str) -> float:
        if letter in _CHINESE:
            return COMMON
        code = _bytes(letter, "gb2312")
        if 0xB0 <= code[:1].ljust(1, b"\0")[0] <= 0xD7:  # the first level: the 3,755 most used
            return KNOWN
        return KNOWN if letter in "，。、；：？！（）％《》“”℃㎡" else 0.0 if code else STRANGE

    return _mean([(weight(letter), count) for letter, count in _letters(text).items()])


def _japanese(text: str) -> float:
    def weight(letter: str) -> float:
        if letter in _JAPANESE or "ぁ" <= letter <= "ー":
            return COMMON
        if "｡" <= letter <= "ﾟ":  # of half width: rare, and what any byte from A1 to DF is
            return 0.1
        code = _bytes(letter, "shift_jis")
        if 0x88 <= code[:1].ljust(1, b"\0")[0] <= 0x97:  # the first level: the 2,965 most used
            return KNOWN
        return KNOWN if letter in "，。、（）％㎡々〒" else 0.0 if code else STRANGE

    return _mean([(weight(letter), count) for letter, count in _letters(text).items()])


def _western(text: str) -> float:
    """Score accented letters and signs as Western European text: single ones, and two in a word (größe, ação)."""
    weights: list[tuple[float, int]] = []
    for run in re.finditer(r"[^\x00-\x7f]+", text):
        letters, beside = run.group(), text[max(run.start() - 1, 0) : run.start()] + text[run.end() : run.end() + 1]
        accented = set(letters) <= _WESTERN
        if len(letters) == 1:
            weight = COMMON if accented else 0.8 if letters in _SIGNS else STRANGE
        elif len(letters) == 2 and accented and beside.isascii() and any(map(str.isalpha, beside)):
            weight = 0.7 if letters.islower() or letters.isupper() else STRANGE
        else:
            weight = STRANGE
        weights.append((weight, len(letters)))
    return _mean(weights)


def _bytes(letter: str, encoding: str) -> bytes:
    try:
        return letter.encode(encoding)
    except UnicodeEncodeError:
        return b""


LANGUAGES = {"cp949": _korean, "cp932": _japanese, "gbk": _chinese, "cp1252": _western}
