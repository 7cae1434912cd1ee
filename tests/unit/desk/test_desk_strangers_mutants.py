"""Who is told to be nobody, and who is asked about: a till that breaks a rule of it is found out by a test."""

from functools import partial

import pytest

from kit.mistakes import Mistake, must_be_caught
from till_agent.desk import bench, meeting
from unit.desk import test_desk_meeting as of_strangers

offline = partial(of_strangers.test_without_an_answer_the_customer_is_not_known_yet, "offline", "en")
broken = partial(of_strangers.test_without_an_answer_the_customer_is_not_known_yet, "broken", "en")
MISTAKES = {
    "without a line nobody has the card": Mistake(
        meeting.Meeting,
        "is_nobody",
        "self._line.online and",
        "",
        of_strangers.test_with_no_line_a_till_that_holds_the_whole_base_does_not_say_that_a_card_is_not_registered,
    ),
    "while members come nobody has the card": Mistake(
        meeting.Meeting,
        "is_nobody",
        "not self._cache.filling",
        "True",
        of_strangers.test_with_no_line_a_till_that_holds_the_whole_base_does_not_say_that_a_card_is_not_registered,
    ),
    "who was not asked about is nobody": Mistake(
        meeting.Meeting, "is_nobody", "asked is not None and asked.answered", "asked is None or asked.answered", offline
    ),
    "no answer is an answer": Mistake(meeting.Meeting, "is_nobody", "asked.answered and", "", broken),
    "nobody is nobody for ever": Mistake(
        meeting.Meeting,
        "is_nobody",
        "self._is_within(asked, ASKED_MS)",
        "True",
        of_strangers.test_what_the_cloud_has_just_said_stands_though_the_line_breaks,
    ),
    "a hold's refusal does not tell them apart": Mistake(
        bench.Bench,
        "stranger",
        "self.meeting.is_nobody(found)",
        "True",
        partial(
            of_strangers.test_a_hold_says_whether_nobody_has_the_card_or_nobody_can_be_asked,
            "offline",
            "member_not_here",
        ),
    ),
    "one scan asks thrice": Mistake(
        meeting.Meeting,
        "_ask",
        "JUST_NOW_MS * asked.answered",
        "0",
        of_strangers.test_who_was_said_to_be_nobody_a_breath_ago_is_not_asked_about_again,
    ),
    "a long list asks": Mistake(
        meeting.Meeting,
        "find",
        "and not (alone or of_sale)",
        "and not of_sale",
        of_strangers.test_whoever_has_a_long_list_asks_this_till_alone,
    ),
    "a member's id is known here or nowhere": Mistake(
        meeting.Meeting,
        "find",
        "lenient=self._has_window",
        "lenient=False",
        of_strangers.test_a_reference_of_another_till_is_asked_about,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_about_strangers_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_caught(MISTAKES[name], monkeypatch)
