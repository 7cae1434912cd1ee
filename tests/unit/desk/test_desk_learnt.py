"""A number is read once a call: what was read before slow tags were made serves the look-up after it, and no other."""

from collections.abc import Callable
from typing import Any

import pytest

from fakes.till import ANNA_CARD, ANNA_PHONE, ANNA_TAGS, FakeTill, anna
from till_agent.api import Identify
from till_agent.desk.finding import Finder
from till_loyalty import identifiers
from till_sync.phone_tags import PhoneTags

BORIS_PHONE = "+79165554433"


def till() -> FakeTill:
    made = FakeTill()
    made.phone_tags = PhoneTags(cost=2)
    return made.know(anna(tags=ANNA_TAGS))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read from now on."""
    read: list[str] = []
    classify: Callable[..., Any] = identifiers.classify

    def reading(text: str, rules: Any) -> Any:
        read.append(text)
        return classify(text, rules)

    monkeypatch.setattr(identifiers, "classify", reading)
    return read


@pytest.mark.parametrize("scanned", [ANNA_CARD, ANNA_PHONE])
def test_what_was_scanned_is_read_once_a_call_and_by_each_call_anew(
    scanned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, read = till(), counted(monkeypatch)
    for _ in range(2):
        assert made.run(made.desk.identify(Identify(scan=scanned))).reference == "m-anna"
    assert read == [scanned, scanned]


def test_two_calls_whose_tags_were_made_in_turn_find_each_their_own() -> None:
    """Each was read before either is looked for, and the second took the first one's place."""
    made = till()
    finder: Finder = made.desk._enrolled().bench.meeting._finder
    anna_, boris = Identify(phone=ANNA_PHONE), Identify(phone=BORIS_PHONE)
    for who in (anna_, boris):
        made.run(finder.learn(who))
    found = [finder.find(who) for who in (anna_, boris, anna_)]
    assert [each.cached is not None for each in found] == [True, False, True]
