"""Flags on a cashier's receipts with one card: days made by hand, each with what a person would say of it."""

import sys
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.mistakes import Mistake, broken
from till_loyalty import conduct
from till_loyalty.conduct import Done, Signal, flags

TODAY = "2026-11-22"
HOUR = 3_600_000


def day(ago: int) -> str:
    return (date.fromisoformat(TODAY) - timedelta(days=ago)).isoformat()


def receipts(*marks: tuple[int, float, str], **more: object) -> list[Done]:
    """(days ago, hour of that day, cashier) of each, in order."""
    return [
        Done(place=number, cashier=cashier, at_ms=int((-ago * 24 + hour) * HOUR), day=day(ago), **more)  # type: ignore[arg-type]  # fields by name
        for number, (ago, hour, cashier) in enumerate(marks)
    ]


def codes(done: list[Done], today: str = TODAY) -> dict[str, list[str]]:
    return {each.cashier: [signal.code for signal in each.signals] for each in flags(done, today)}


def of_one_mark() -> None:
    """A caterer shops four times a day, hours apart and at two cashiers: one mark is none."""
    done = receipts(*sorted([*[(0, hour, "7") for hour in (8, 11, 14, 17)], (0, 8.5, "8"), (0, 11.5, "8")]))
    assert codes(done) == {}
    assert codes(done[:3]) == {}


def of_two_marks() -> None:
    """Four receipts a day, two of them within the hour after another: somebody should look."""
    done = receipts(*[(1, hour, "7") for hour in (9, 9.5, 10.4, 15)])
    assert codes(done) == {"7": ["many_a_day", "close_together"]}
    (flag,) = flags(done, TODAY)
    assert flag.signals == (Signal("many_a_day", 4), Signal("close_together", 2))
    assert [each.place for each in flag.receipts] == [0, 1, 2, 3]


def of_gaps() -> None:
    """An hour exactly is no gap under an hour; one gap is none; another cashier between does not part them."""
    assert codes(receipts(*[(1, hour, "7") for hour in (9, 10, 11, 12)])) == {}
    assert codes(receipts(*[(1, hour, "7") for hour in (9, 9.9, 12, 15)])) == {}
    between = receipts((1, 9, "7"), (1, 9.2, "8"), (1, 9.4, "7"), (1, 9.8, "7"), (1, 15, "7"))
    assert codes(between) == {"7": ["many_a_day", "close_together"]}


def of_one_cashier() -> None:
    """Twelve receipts in twenty days, eleven at one cashier, some of them soon after another: 91 of 100."""
    marks = [(ago, 9.0, "7") for ago in range(19, 10, -1)] + [(5, 9.5, "7"), (5, 10.2, "7"), (5, 11.1, "8")]
    assert codes(receipts(*marks)) == {}
    marks[-2:] = [(5, 10.2, "7"), (5, 11.1, "7")]
    assert codes(receipts(*marks)) == {"7": ["mostly_one_cashier", "close_together"]}
    assert codes(receipts(*marks[1:])) == {}


def of_the_share() -> None:
    """85 of 100 is enough, 84 is not; receipts of nobody in particular count in no share."""
    soon = [(0, 9.0, "7"), (0, 9.5, "7"), (0, 10.0, "7")]
    own = [(ago, 9.0, "7") for ago in range(18, 4, -1)]
    others = [(2, hour, "8") for hour in (9.0, 13.0, 17.0)]
    assert codes(receipts(*own, *others, *soon)) == {"7": ["mostly_one_cashier", "close_together"]}
    assert codes(receipts(*own[1:], *others, *soon)) == {}
    assert codes(receipts(*own[1:], *others[:2], (2, 18.0, ""), *soon)) == {
        "7": ["mostly_one_cashier", "close_together"]
    }


def of_the_window() -> None:
    """Twenty days count, today among them; what is older does not, nor does a date to come."""
    done = receipts(*[(19, hour, "7") for hour in (9, 9.5, 10.4, 15)])
    assert list(codes(done)) == ["7"]
    assert codes(done, (date.fromisoformat(TODAY) + timedelta(days=1)).isoformat()) == {}
    assert codes(done, day(20)) == {}


def of_single_marks() -> None:
    """Each of these is worth a look by itself: typed cards, members after the total, points taken back."""
    typed = [(ago, 9.0, "7") for ago in range(5)]
    assert codes(receipts(*typed, entry="typed")) == {"7": ["typed_cards"]}
    assert codes(receipts(*typed[1:], entry="typed")) == {}
    assert codes(receipts(*typed, entry="keyed")) == {}
    assert codes(receipts(*typed[:3], late=True)) == {"7": ["late_member"]}
    assert codes(receipts(*typed[:2], late=True)) == {}
    assert codes(receipts(*typed[:3], back=True)) == {"7": ["return_after_earn"]}
    assert codes(receipts(*typed[:2], back=True)) == {}
    assert codes(receipts(*[(0, hour, "7") for hour in (9, 9.5, 10, 10.5)], back=True)) == {"7": ["return_after_earn"]}


def of_nobody() -> None:
    """Where the cash software names no cashier there is nobody to look at."""
    assert codes(receipts(*[(0, 9 + number / 10, "") for number in range(9)], late=True, entry="typed")) == {}


CHECKS = (
    of_one_mark, of_two_marks, of_gaps, of_one_cashier, of_the_share, of_the_window, of_single_marks, of_nobody,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_day_made_by_hand(check: Callable[[], None]) -> None:
    check()


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            Done,
            place=st.integers(0, 10**6),
            cashier=st.sampled_from(["", "7", "8"]),
            at_ms=st.integers(-(30 * 24) * HOUR, 0),
            day=st.integers(0, 30).map(day),
            entry=st.sampled_from(["", "scanned", "keyed", "typed"]),
            late=st.booleans(),
            back=st.booleans(),
        ),
        max_size=40,
        unique_by=lambda each: each.place,
    ),
    st.randoms(use_true_random=False),
)
def test_flags_hold_for_any_receipts(done: list[Done], chance: object) -> None:
    """Order in is no matter; whom a flag names has what it says; one mark of the first three never makes one."""
    found = flags(done, TODAY)
    mixed = list(done)
    chance.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    assert flags(mixed, TODAY) == found
    for flag in found:
        assert flag.cashier
        assert all(each.cashier == flag.cashier and day(19) <= each.day <= TODAY for each in flag.receipts)
        marks = [signal.code for signal in flag.signals]
        assert len(marks) >= 2 or marks[0] in ("typed_cards", "late_member", "return_after_earn")
        assert all(signal.count > 0 for signal in flag.signals)
    # An honest receipt more of another cashier takes no flag of the last three kinds away.
    other = Done(place=10**7, cashier="9", at_ms=0, day=TODAY)
    kept = {each.cashier for each in flags([*done, other], TODAY)}
    last = {each.cashier for each in found if any(s.code in ("typed_cards", "late_member") for s in each.signals)}
    assert last <= kept


MISTAKES = {
    "one mark is enough": Mistake(conduct, "flags", "first >= OF_THE_FIRST", "first >= 1", of_one_mark),
    "three marks are needed": Mistake(conduct, "flags", "first >= OF_THE_FIRST", "first >= 3", of_two_marks),
    "an hour is under an hour": Mistake(conduct, "_signals", "< SOON_MS", "<= SOON_MS", of_gaps),
    "receipts of others count": Mistake(conduct, "flags", "each.cashier == cashier", "each.cashier", of_one_mark),
    "the share is of one's own": Mistake(conduct, "_signals", "of_all * SHARE", "count * SHARE", of_the_share),
    "nobody counts in the share": Mistake(conduct, "flags", "if each.cashier and since", "if since", of_the_share),
    "the window has a day more": Mistake(conduct, "first_day", "WINDOW_DAYS - 1", "WINDOW_DAYS", of_the_window),
    "returns count as receipts": Mistake(conduct, "_signals", "if not each.back", "if True", of_single_marks),
    "eleven are enough": Mistake(conduct, "_signals", "of_all >= AT_LEAST", "of_all >= 11", of_one_cashier),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_rule_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day made by hand passes without the mistake and fails with it."""
    mistake = MISTAKES[name]
    mistake.caught_by()
    wrong = broken(mistake)
    monkeypatch.setattr(mistake.holder, mistake.name, wrong)
    monkeypatch.setattr(sys.modules[__name__], "flags", conduct.flags)
    with pytest.raises((AssertionError, ValueError)):
        mistake.caught_by()
