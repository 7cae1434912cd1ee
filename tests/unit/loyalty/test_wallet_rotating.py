"""Codes that change by the clock: the RFC's own vectors, the pattern, the window, and texts that are nothing."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty import rotating
from till_loyalty.programme import RotatingCode

SECRET, OTHER = b"s" * 32, b"o" * 32
CARD = "2900000000001"
NOW_S = 1_800_000_010
RULES = RotatingCode()

RFC_KEY = b"12345678901234567890"
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


def text(at_s: int = NOW_S, *, secret: bytes = SECRET, card: str = CARD, rules: RotatingCode = RULES) -> str:
    """What a phone shows at that second."""
    value = rotating.totp(rotating.card_key(secret, card), at_s // rules.period_seconds, rules.digits)
    shown = rules.pattern.replace(rotating.CARD, card).replace(rotating.VALUE, value)
    return shown.replace(rotating.SECONDS, str(at_s)).replace(rotating.MILLIS, str(at_s * 1000))


@pytest.mark.parametrize("at_s", RFC_6238)
def test_the_vectors_of_rfc_6238(at_s: int) -> None:
    """Appendix B, SHA-1, 8 digits, 30 seconds."""
    assert rotating.totp(RFC_KEY, at_s // 30, 8) == RFC_6238[at_s]


@pytest.mark.parametrize(("step", "value"), [(0, "755224"), (1, "287082"), (5, "254676"), (9, "520489")])
def test_the_vectors_of_rfc_4226(step: int, value: str) -> None:
    """Appendix D, 6 digits."""
    assert rotating.totp(RFC_KEY, step, 6) == value


@pytest.mark.parametrize(
    "pattern",
    [
        "{card}-{totp_timestamp_seconds}-{totp_value_0}",
        "loyalty:{totp_value_0}/{card}/{totp_timestamp_millis}",
        "https://shop.example/c?n={card}&t={totp_timestamp_millis}&v={totp_value_0}",
    ],
)
def test_a_code_of_any_pattern_is_read_and_proved(pattern: str) -> None:
    rules = RotatingCode(pattern=pattern)
    assert list(rotating.pattern_problems(pattern)) == []
    shown = rotating.read(text(rules=rules), rules)
    assert shown is not None
    assert (shown.card, shown.at_ms) == (CARD, NOW_S * 1000)
    assert rotating.proved(shown, [SECRET], rules) == NOW_S // 30 * 30


def test_a_code_of_another_secret_another_card_or_another_time_is_not_proved() -> None:
    for wrong in (
        text(secret=OTHER),
        text().replace(CARD, "2900000000018"),
        text().replace(str(NOW_S), str(NOW_S + 30)),
    ):
        shown = rotating.read(wrong, RULES)
        assert shown is not None
        assert rotating.proved(shown, [SECRET], RULES) is None


def test_codes_by_the_former_secret_are_proved_while_it_is_kept() -> None:
    shown = rotating.read(text(secret=OTHER), RULES)
    assert shown is not None
    assert rotating.proved(shown, [SECRET, OTHER], RULES)


def test_every_code_of_one_period_is_the_same_code() -> None:
    """Whoever changes the second in the text has no other code: it counts as used all the same."""
    began = [
        rotating.proved(shown, [SECRET], RULES)
        for s in (0, 10, 29)
        if (shown := rotating.read(text(1_000_001_820 + s), RULES))
    ]
    assert len(began) == 3
    assert len(set(began)) == 1


@pytest.mark.parametrize(
    ("late_s", "fresh"), [(0, True), (-60, True), (-61, False), (89, True), (90, False), (3600, False), (-3600, False)]
)
def test_a_code_is_fresh_within_its_period_and_the_window(late_s: int, *, fresh: bool) -> None:
    """Of 30 seconds, and 60 before and after for clocks that differ."""
    began_s = NOW_S // 30 * 30
    assert rotating.is_fresh(began_s, (began_s + late_s) * 1000, RULES) is fresh


@pytest.mark.parametrize(
    "pattern",
    [
        "{card}",
        "{card}-{totp_value_0}",
        "{card}{totp_timestamp_seconds}-{totp_value_0}",
        "{card}1{totp_timestamp_seconds}-{totp_value_0}",
        "{card}-{totp_timestamp_seconds}-{totp_timestamp_millis}-{totp_value_0}",
        "{card}-{card}-{totp_timestamp_seconds}-{totp_value_0}",
        "{card}-{totp_timestamp_seconds}-{totp_value_0}-{totp_value_1}",
        "7{card}-{totp_timestamp_seconds}-{totp_value_0}",
        "{card}-{totp_timestamp_seconds}-{totp_value_0}8",
        "{card}-{totp_timestamp_seconds}-{totp_value_0}-}",
    ],
)
def test_a_pattern_that_leaves_doubt_is_refused(pattern: str) -> None:
    assert list(rotating.pattern_problems(pattern))


def test_nothing_of_a_code_is_in_its_repr() -> None:
    shown = rotating.read(text(), RULES)
    assert shown is not None
    assert CARD not in repr(shown)
    assert shown.value not in repr(shown)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400) | st.from_regex(r"[0-9]{0,40}-[0-9]{0,20}-[0-9]{0,12}", fullmatch=True))
def test_no_text_makes_it_raise(text: str) -> None:
    """And no text that nobody made is proved."""
    shown = rotating.read(text, RULES)
    if shown is not None:
        assert msgspec.json.encode(rotating.proved(shown, [SECRET, OTHER], RULES)) == b"null"
