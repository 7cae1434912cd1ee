"""Every sentence in every language: there, with the same values in it, written for people, and spoken right."""

import ast
import re
import string
from importlib.resources import files
from pathlib import Path

import pytest

from fakes.till import PROGRAMME
from till_agent import texts
from till_agent.desk.allowing import ALLOWING_REASONS
from till_agent.desk.codes import STATE_MESSAGES
from till_agent.desk.problems import PROBLEMS
from till_agent.desk.registering import NEED_MESSAGES
from till_agent.desk.rule_views import COUPON_REASONS, RULE_REASONS
from till_agent.desk.views import LIMITING_REASONS, REFUSING_REASONS
from till_agent.exceptions import TextMissing
from till_agent.texts import LANGUAGES, Words, catalogue, supported
from till_loyalty.plural import FORMS
from till_loyalty.programme import Programme

SENTENCES = ("problems", "messages", "slip")
GENERAL = {"request_bad", "agent_failed"}
OTHERS = tuple(language for language in LANGUAGES if language != "ru")
ALPHABETS = {
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "kk": "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
    "ky": "абвгдеёжзийклмнңоөпрстуүфхцчшщъыьэюя",
    "en": string.ascii_lowercase,
}
TECHNICAL = re.compile(
    r"(?i)\b(http|json|uid|null|error|server|timeout|sync|hold|token|агент\w*|сервер\w*|журнал\w*|база|облак\w*|хмар\w*)\b"
)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def sources() -> list[Path]:
    return [path for path in Path(str(files("till_agent"))).rglob("*.py") if path.parts[-2] in ("desk", "slips")]


def called(method: str) -> set[str]:
    """First literal arguments of `....method("code", ...)` anywhere in the desk and the slips."""
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                found |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found


def test_every_problem_has_a_sentence_and_every_sentence_a_problem() -> None:
    """Besides the three general ones; `_plain` stands in where a number was not told."""
    sentences = {name for name in catalogue("ru")["problems"] if not name.endswith("_plain")}
    assert sentences == set(PROBLEMS) | GENERAL


def test_every_message_that_is_said_has_a_sentence_and_the_other_way_round() -> None:
    """The codes are read from the desk's source."""
    said = called("message") | LIMITING_REASONS | REFUSING_REASONS | COUPON_REASONS | RULE_REASONS
    said |= STATE_MESSAGES | NEED_MESSAGES | ALLOWING_REASONS
    assert set(catalogue("ru")["messages"]) == said


def test_every_word_of_the_packaged_slip_is_used() -> None:
    """And none is missing."""
    template = (files("till_drivers") / "slips" / "data" / "default.slip").read_text(encoding="utf-8")
    used = set(re.findall(r'say\("([a-z_]+)"', template)) | {
        f"{kind}_title" for kind in ("sale", "quote", "return", "void")
    }
    used |= {"before", "unknown_member_later", "other_points", "other_discounts"}
    assert set(catalogue("ru")["slip"]) == used


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("section", SENTENCES)
def test_every_language_has_the_same_sentences_with_the_same_values(language: str, section: str) -> None:
    """A value that one language forgets would leave its cashiers guessing."""
    russian, other = catalogue("ru")[section], catalogue(language)[section]
    assert set(russian) == set(other)
    assert {code: placeholders(text) for code, text in russian.items()} == {
        code: placeholders(text) for code, text in other.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_units_have_the_plural_forms_of_their_language(language: str) -> None:
    """Those that `till_loyalty.plural` asks for, no more."""
    for forms in catalogue(language)["units"].values():
        assert set(forms) == set(FORMS[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_in_their_own_alphabet(language: str) -> None:
    """A Latin letter that looks Cyrillic can't be searched, and prints as a hole in some code pages."""
    allowed = set(ALPHABETS[language] + ALPHABETS[language].upper() + " .,:;-'?!()%")
    for section in SENTENCES:
        for code, text in catalogue(language)[section].items():
            letters = re.sub(r"{[a-z_]+}", "", text)
            assert set(letters) <= allowed, f"{code}: {set(letters) - allowed}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_for_cashiers_are_short_whole_and_not_technical(language: str) -> None:
    """A till's window shows some 150 letters."""
    for section in ("problems", "messages"):
        for code, text in catalogue(language)[section].items():
            assert len(text) <= 150, code
            assert text[0].isupper(), code
            assert text[-1] in ".?", code
            assert not TECHNICAL.search(text), code


@pytest.mark.parametrize(
    ("language", "points", "expected"),
    [
        ("ru", 1, "Начислено: 1 бонус."),
        ("ru", 3, "Начислено: 3 бонуса."),
        ("ru", 11, "Начислено: 11 бонусов."),
        ("uk", 1, "Нараховано: 1 бонус."),
        ("uk", 22, "Нараховано: 22 бонуси."),
        ("uk", 12, "Нараховано: 12 бонусів."),
        ("kk", 5, "Есептелді: 5 бонус."),
        ("ky", 5, "Чегерилди: 5 бонус."),
        ("en", 1, "Earned: 1 point."),
        ("en", 5, "Earned: 5 points."),
    ],
)
@pytest.mark.parametrize("programme", [None, PROGRAMME])
def test_points_come_with_their_noun(language: str, points: int, expected: str, programme: Programme | None) -> None:
    """Also before the first programme has come."""
    assert Words(language, programme).message("earned", points=points).text == expected


@pytest.mark.parametrize(
    ("language", "age_ms", "expected"),
    [
        ("ru", 59_999, ""),
        ("ru", -5, ""),
        ("ru", 60_000, "1 минуту"),
        ("ru", 2 * 3_600_000, "2 часа"),
        ("ru", 11 * 3_600_000, "11 часов"),
        ("ru", 30 * 86_400_000, "30 дней"),
        ("uk", 21 * 60_000, "21 хвилину"),
        ("uk", 3 * 86_400_000, "3 дні"),
        ("kk", 86_400_000, "1 күн"),
        ("ky", 7 * 60_000, "7 мүнөт"),
        ("en", 60_000, "1 minute"),
        ("en", 5 * 3_600_000, "5 hours"),
    ],
)
def test_ages_in_the_largest_unit_that_fits(language: str, age_ms: int, expected: str) -> None:
    """Nothing below a minute, nor for a balance from a clock that runs ahead."""
    assert Words(language).age(age_ms).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("language", "thousandths", "expected"),
    [("ru", 1_000, "1"), ("ru", 250, "0,25"), ("en", 1_005, "1.005"), ("kk", 10_000, "10"), ("ru", 0, "0")],
)
def test_quantities_without_needless_zeros(language: str, thousandths: int, expected: str) -> None:
    """With the language's decimal mark."""
    assert Words(language).quantity(thousandths) == expected


def test_dates_are_the_stores_and_never_fail() -> None:
    """A broken clock or a far-off expiry is shown as the nearest that a calendar has."""
    words = Words("ru")
    assert words.moment(1_514_071_800_000, "Asia/Almaty") == "24.12.2017 05:30"
    assert Words("en").moment(1_514_071_800_000, "UTC") == "2017-12-23 23:30"
    for wall_ms in (-(10**18), 10**18):
        assert words.date(wall_ms, "Asia/Tokyo")


def test_a_missing_sentence_or_value_is_our_own_fault_and_said() -> None:
    """Not shown to anybody as a hole in a sentence."""
    words = Words("ru")
    with pytest.raises(TextMissing, match="no_such"):
        words.message("no_such")
    with pytest.raises(TextMissing, match="points"):
        words.message("earned")


def test_languages_that_we_do_not_have_give_way() -> None:
    """To the next wish, at last to Russian."""
    assert supported("tg", None, "uk") == "uk"
    assert supported("", None) == "ru"
    assert Words("tg").language == "ru"


def test_a_value_is_never_taken_for_a_sentence() -> None:
    """Braces in a value stay braces."""
    assert "{points}" in Words("ru").message("balance_stale", date="{points}").text
    assert texts.NO_PROGRAMME.points_exponent == 0
