"""What the certificate says in the till's languages."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """Of one language."""

    ready: str
    not_ready: str
    because: str
    till: str
    store: str
    made: str
    valid_until: str
    version: str
    number: str
    skipped: str
    noted: str
    call: str
    steps: Mapping[str, str]


WORDS: Mapping[str, Words] = {
    "ru": Words(
        ready="К ПРОДАЖЕ ГОТОВА",
        not_ready="К ПРОДАЖЕ НЕ ГОТОВА",
        because="Что мешает",
        till="Касса",
        store="Магазин",
        made="Проверена",
        valid_until="Действует до",
        version="Версия",
        number="Номер",
        skipped="не проверялось",
        noted="проверьте",
        call="Сообщите поддержке коды из этого чека.",
        steps={
            "agent": "Программа работает",
            "sale": "Расчёт чека",
            "scanner": "Сканер",
            "printer": "Принтер",
            "clock": "Часы",
            "disk": "Место на диске",
            "cloud": "Связь с облаком",
            "programme": "Правила и балансы",
            "till": "Журнал, права, служба",
        },
    ),
    "kk": Words(
        ready="САТУҒА ДАЙЫН",
        not_ready="САТУҒА ДАЙЫН ЕМЕС",
        because="Не кедергі",
        till="Касса",
        store="Дүкен",
        made="Тексерілді",
        valid_until="Жарамды мерзімі",
        version="Нұсқа",
        number="Нөмірі",
        skipped="тексерілмеді",
        noted="қарап шығыңыз",
        call="Осы чектегі кодтарды қолдау қызметіне айтыңыз.",
        steps={
            "agent": "Бағдарлама жұмыс істейді",
            "sale": "Чекті есептеу",
            "scanner": "Сканер",
            "printer": "Принтер",
            "clock": "Сағат",
            "disk": "Дискідегі орын",
            "cloud": "Бұлтпен байланыс",
            "programme": "Ережелер мен баланстар",
            "till": "Журнал, құқықтар, қызмет",
        },
    ),
    "ky": Words(
        ready="САТУУГА ДАЯР",
        not_ready="САТУУГА ДАЯР ЭМЕС",
        because="Эмне тоскоол",
        till="Касса",
        store="Дүкөн",
        made="Текшерилди",
        valid_until="Жарактуу мөөнөтү",
        version="Версия",
        number="Номери",
        skipped="текшерилген жок",
        noted="карап көрүңүз",
        call="Бул чектеги коддорду колдоо кызматына айтыңыз.",
        steps={
            "agent": "Программа иштеп жатат",
            "sale": "Чекти эсептөө",
            "scanner": "Сканер",
            "printer": "Принтер",
            "clock": "Саат",
            "disk": "Дисктеги орун",
            "cloud": "Булут менен байланыш",
            "programme": "Эрежелер жана баланстар",
            "till": "Журнал, укуктар, кызмат",
        },
    ),
    "uk": Words(
        ready="ДО ПРОДАЖУ ГОТОВА",
        not_ready="ДО ПРОДАЖУ НЕ ГОТОВА",
        because="Що заважає",
        till="Каса",
        store="Магазин",
        made="Перевірено",
        valid_until="Дійсна до",
        version="Версія",
        number="Номер",
        skipped="не перевірялося",
        noted="перевірте",
        call="Повідомте підтримці коди з цього чека.",
        steps={
            "agent": "Програма працює",
            "sale": "Розрахунок чека",
            "scanner": "Сканер",
            "printer": "Принтер",
            "clock": "Годинник",
            "disk": "Місце на диску",
            "cloud": "Зв’язок із хмарою",
            "programme": "Правила й баланси",
            "till": "Журнал, права, служба",
        },
    ),
    "en": Words(
        ready="READY TO SELL",
        not_ready="NOT READY TO SELL",
        because="What stands in the way",
        till="Till",
        store="Store",
        made="Looked over",
        valid_until="Valid until",
        version="Version",
        number="Number",
        skipped="not tried",
        noted="look at it",
        call="Tell support the codes on this slip.",
        steps={
            "agent": "The program runs",
            "sale": "A receipt is worked out",
            "scanner": "Scanner",
            "printer": "Printer",
            "clock": "Clock",
            "disk": "Room on the disk",
            "cloud": "Line to the cloud",
            "programme": "Rules and balances",
            "till": "Journal, rights, service",
        },
    ),
}


def words_of(language: str) -> Words:
    """English where there are none of that language."""
    return WORDS.get(language, WORDS["en"])
