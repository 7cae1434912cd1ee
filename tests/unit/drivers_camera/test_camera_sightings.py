"""Which codes are told, and when: two pictures that agree for bars, one for the rest, four times a second."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from till_drivers.camera.sightings import AGREE_WITHIN_MS, REMEMBERED_LIMIT, TELL_EVERY_MS, Found, Sightings


def bars(text: str, aim: str = "E0", by: str = "zxing") -> Found:
    return Found(raw=text.encode(), text=text, aim=aim, is_matrix=False, by=by)


def matrix(text: str) -> Found:
    return Found(raw=text.encode(), text=text, aim="Q1", is_matrix=True)


def told(sightings: Sightings, found: list[Found], at_ms: int) -> list[str]:
    return [each.found.text for each in sightings.note(found, at_ms)]


def test_a_matrix_code_is_told_at_once() -> None:
    """It corrects its own errors."""
    assert told(Sightings(), [matrix("A")], 0) == ["A"]


def test_bars_are_told_when_two_pictures_agree() -> None:
    """Of any decoders; the two readings have the same symbology and the same bytes."""
    sightings = Sightings()
    assert told(sightings, [bars("4600000000015")], 0) == []
    assert told(sightings, [bars("4600000000015", by="zbar")], 100) == ["4600000000015"]


def test_one_picture_agrees_with_nobody_however_often_it_says_a_code() -> None:
    """Two codes of one text in one picture, or two decoders on it, are one picture."""
    assert told(Sightings(), [bars("1"), bars("1"), bars("1", by="opencv")], 0) == []


def test_bars_that_differ_from_picture_to_picture_are_never_told() -> None:
    """That is what misreading looks like."""
    sightings = Sightings()
    assert [told(sightings, [bars(str(number))], number * 100) for number in range(20)] == [[]] * 20


def test_a_reading_in_doubt_needs_two_pictures_in_a_row() -> None:
    """A smeared code reads as one and as another in turn; what comes twice running is told."""
    sightings = Sightings()
    for at_ms, text in ((0, "1"), (100, "2"), (200, "1"), (300, "2")):
        assert told(sightings, [bars(text)], at_ms) == []
    assert told(sightings, [bars("2")], 400) == ["2"]


def test_two_codes_side_by_side_don_t_doubt_each_other() -> None:
    """Nor does a picture without bars, or one in which a code that was told is missing."""
    sightings = Sightings()
    assert told(sightings, [bars("1"), bars("2")], 0) == []
    assert told(sightings, [], 100) == []
    assert told(sightings, [matrix("A")], 150) == ["A"]
    assert told(sightings, [bars("2"), bars("1")], 200) == ["2", "1"]
    assert told(sightings, [bars("3")], 300) == []
    assert told(sightings, [bars("1")], 500) == ["1"]


def test_the_same_digits_in_two_symbologies_do_not_agree() -> None:
    """One of the two is a misreading."""
    sightings = Sightings()
    assert told(sightings, [bars("12345670", "E4")], 0) == []
    assert told(sightings, [bars("12345670", "I0")], 100) == []


def test_pictures_far_apart_do_not_agree() -> None:
    """The code was out of view between them."""
    sightings = Sightings()
    assert told(sightings, [bars("1")], 0) == []
    assert told(sightings, [bars("1")], AGREE_WITHIN_MS + 1) == []
    assert told(sightings, [bars("1")], AGREE_WITHIN_MS + 100) == ["1"]


def test_a_code_in_view_is_told_four_times_a_second_at_most() -> None:
    """At ten pictures a second, for three seconds."""
    sightings = Sightings()
    times = [at_ms for at_ms in range(0, 3000, 100) if told(sightings, [matrix("A")], at_ms)]
    assert times[0] == 0
    assert all(later - earlier >= TELL_EVERY_MS for earlier, later in pairwise(times))
    assert len(times) >= 9


def test_a_reading_that_knows_more_of_the_code_wins() -> None:
    """zbar does not see that a Code 128 is GS1's; zxing-cpp does."""
    sightings = Sightings()
    assert sightings.note([bars("0104600000000015", "C1")], 0) == []
    (confirmed,) = sightings.note([bars("0104600000000015", "C0", "zbar")], 100)
    assert (confirmed.found.aim, confirmed.frames) == ("C1", 2)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 400)), max_size=200))
def test_what_is_remembered_is_bounded_and_the_rules_hold(steps: list[tuple[int, int]]) -> None:
    """For any sequence of bars: never told from one picture, never twice within a quarter of a second."""
    sightings, now_ms = Sightings(), 0
    last: dict[str, int] = {}
    seen: dict[str, int] = {}
    for number, pause_ms in steps:
        now_ms += pause_ms
        text = str(number)
        for said in told(sightings, [bars(text)], now_ms):
            assert now_ms - seen[said] <= AGREE_WITHIN_MS
            assert said not in last or now_ms - last[said] >= TELL_EVERY_MS
            last[said] = now_ms
        seen[text] = now_ms
        assert len(sightings._seen) <= REMEMBERED_LIMIT
