"""A number is read once a call: what was read before slow tags were made serves the look-up after it, and no other."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from fakes.till import ANNA_CARD, ANNA_PHONE, ANNA_TAGS, FakeTill, anna
from till_agent.api import Identify
from till_agent.desk.finding import Learnt
from till_agent.desk.problems import problem
from till_agent.exceptions import DeskProblem
from till_agent.member_api import MemberCreate
from till_loyalty import identifiers
from till_sync.phone_tags import PhoneTags
from unit.desk.registration_cases import AGREED

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


def test_what_was_read_serves_its_own_call_and_no_look_up_after_a_new_programme() -> None:
    """Two are read before either is looked for; ranges of cards and countries of phones may have changed meanwhile."""
    made = till()
    finder = made.desk._enrolled().bench.meeting._finder
    anna_, boris = Identify(phone=ANNA_PHONE), Identify(phone=BORIS_PHONE)
    learnt = [made.run(finder.learn(who)) for who in (anna_, boris)]
    found = [finder.find(who, learnt=read) for who, read in zip((anna_, boris), learnt, strict=True)]
    assert [each.cached is not None for each in found] == [True, False]
    assert learnt[1] is not None
    of_before = learnt[1]._replace(programme=msgspec.structs.replace(learnt[1].programme))
    assert finder.find(anna_, learnt=of_before).cached is not None


def test_nobody_keeps_a_number_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody is looked for after it: a registration reads the phone itself, and who is told `too_busy` is
    gone."""
    made = till()
    finder = made.desk._enrolled().bench.meeting._finder
    made.run(made.desk.register(MemberCreate(uid="r-1", phone=BORIS_PHONE, consent=AGREED)))

    async def busy(tags: Iterable[str], *, of_sale: bool = False) -> None:
        raise problem("too_busy", f"{of_sale}: {len([*tags])}")

    monkeypatch.setattr(finder._slow, "learn", busy)
    with pytest.raises(DeskProblem, match="too_busy"):
        made.run(made.desk.identify(Identify(scan=ANNA_PHONE)))
    assert not [name for name, kept in vars(finder).items() if isinstance(kept, Learnt)]
