"""The slip that tries a printer: letters of every language, its code page, its width, and a code to read back."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from till_drivers.blocks import Block, Cut, Pair, QrCode, Rule, Text
from till_drivers.printers.profile import Profile

CODE_PREFIX = "TILLSIDE-TEST-"
CODE_BYTES = 4
"""Enough to tell this slip's code from those of slips that lie about."""

LETTERS = (
    ("Русский", "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    ("Қазақша", "ӘҒҚҢӨҰҮҺІ әғқңөұүһі"),
    ("Кыргызча", "ҢӨҮ ңөү"),
    ("Українська", "ҐЄІЇ ґєії"),
    ("O‘zbekcha / Ўзбекча", "O‘ G‘ Sh Ch ЎҚҒҲ ўқғҳ"),
    ("Тоҷикӣ", "ҒӢҚӮҲҶ ғӣқӯҳҷ"),
    ("English", "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz"),
)
CURRENCIES = "₽ ₸ ₴ сом so‘m сомонӣ 0123456789 № % « »"
DRAWN_MARKS = "₸Ұ→Ґ"
"""One of these is in no code page that a printer has, so that a line with it is drawn as a picture."""


class Hints(NamedTuple):
    """What the slip says in one language."""

    title: str
    letters: str
    width: str
    code: str


_HINTS: Mapping[str, Hints] = {
    "ru": Hints(
        title="Проверка принтера",
        letters="Две строки ниже должны читаться одинаково. Если в первой другие буквы, исправьте code_page_number: "
        "номер напечатан при самопроверке принтера.",
        width="Цифры должны занять ровно одну строку.",
        code="Код для проверки",
    ),
    "kk": Hints(
        title="Принтерді тексеру",
        letters="Төмендегі екі жол бірдей оқылуы керек. Біріншісінде басқа әріптер болса, code_page_number мәнін "
        "түзетіңіз: нөмір принтердің өзін-өзі тексеру чегінде бар.",
        width="Цифрлар дәл бір жолға сыюы керек.",
        code="Тексеру коды",
    ),
    "ky": Hints(
        title="Принтерди текшерүү",
        letters="Төмөнкү эки сап бирдей окулушу керек. Биринчисинде башка тамгалар болсо, code_page_number маанисин "
        "оңдоңуз: номери принтердин өзүн-өзү текшерүү чегинде бар.",
        width="Сандар так бир сапка батышы керек.",
        code="Текшерүү коду",
    ),
    "uk": Hints(
        title="Перевірка принтера",
        letters="Два рядки нижче мають читатися однаково. Якщо в першому інші літери, виправте code_page_number: "
        "номер надруковано під час самоперевірки принтера.",
        width="Цифри мають зайняти рівно один рядок.",
        code="Код для перевірки",
    ),
    "en": Hints(
        title="Printer test",
        letters="The two lines below have to read the same. If the first has other letters, correct "
        "code_page_number: the printer's self-test slip shows the number.",
        width="The digits have to fill exactly one line.",
        code="Code to read back",
    ),
}


def new_code() -> str:
    """A text for the slip's QR code that no member, coupon or article has."""
    return CODE_PREFIX + secrets.token_hex(CODE_BYTES).upper()


def trial_blocks(language: str, profile: Profile, *, printer: str, code: str, moment: datetime) -> list[Block]:
    """The slip; `moment` is the machine's local time."""
    hints = _HINTS.get(language, _HINTS["en"])
    sample = code_page_letters(profile)
    mark = next((each for each in DRAWN_MARKS if not _fits(each, profile.code_page)), DRAWN_MARKS[0])
    blocks: list[Block] = [
        Text(text="TILLSIDE", align="center", double=True),
        Text(text=hints.title, align="center", bold=True),
        Pair(left=printer, right=f"{moment:%d.%m.%Y %H:%M}"),
        Rule(),
    ]
    for name, letters in LETTERS:
        blocks += [Text(text=name, bold=True), Text(text=letters)]
    blocks += [
        Text(text=CURRENCIES),
        Rule(),
        Pair(left=profile.code_page, right=f"code_page_number {profile.code_page_number}"),
        Text(text=hints.letters),
        Text(text=sample),
        Text(text=f"{sample} {mark}"),
        Rule(),
        Text(text=hints.width),
        Text(text="".join(str(column % 10) for column in range(1, profile.columns + 1))),
        Rule(),
        Text(text=hints.code, align="center"),
        QrCode(data=code),
        Text(text=code, align="center"),
        Cut(),
    ]
    return blocks


def code_page_letters(profile: Profile) -> str:
    """Letters of the upper half of the printer's code page, as many as stand on one line with a mark behind them."""
    table = bytes(range(0x80, 0x100)).decode(profile.code_page, errors="ignore")
    return "".join(letter for letter in table if letter.isalpha())[: profile.columns - 2]


def _fits(letter: str, code_page: str) -> bool:
    try:
        letter.encode(code_page)
    except UnicodeEncodeError:
        return False
    return True
