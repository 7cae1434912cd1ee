"""A customer whom this till does not hold: the cloud is asked where it can be, and the sale waits for nobody."""

import json

import msgspec
import pytest

from fakes.till import (
    ANNA_CARD,
    ANNA_PHONE,
    ANNA_TAGS,
    KEY,
    PROGRAMME,
    STRANGER_CARD,
    STRANGER_TAG,
    FakeTill,
    anna,
    receipt,
)
from till_agent.api import Identify, Member, QuoteRequest, SaleRequest
from till_agent.desk.meeting import ASKED_KEPT, ASKED_MS
from till_agent.exceptions import CloudUnreachable, DeskProblem
from till_agent.member_api import MemberCreate
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.wire import MemberRow


class Cloud:
    """Knows some members by their tags and ids."""

    def __init__(self, *rows: MemberRow, online: bool = True) -> None:
        self.online = online
        self.broken = False
        self.asked: list[MemberQuestion] = []
        self.rows = rows

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        assert budget_ms == 800
        self.asked.append(question)
        if self.broken:
            raise CloudUnreachable("no answer")
        names = {question.member_id, *question.tags}
        found = [row for row in self.rows if names & {row.member_id, *row.tags}]
        return MemberAnswer(incarnation="i", epoch=1, acked_seq=0, server_time_ms=5, member=found[0] if found else None)


def till(cloud: Cloud, *, days: int = 90) -> FakeTill:
    made = FakeTill()
    made.members = cloud
    made.cache.window_days = days
    made.desk = made.new_desk()
    return made


def identify(here: FakeTill, **who: str) -> Member:
    return here.run(here.desk.identify(Identify(**who)))


@pytest.mark.parametrize("who", [{"card": ANNA_CARD}, {"phone": ANNA_PHONE}, {"reference": ANNA_TAGS[0]}])
def test_whom_the_cloud_knows_is_served_and_then_held(who: dict[str, str]) -> None:
    """Asked once: the second time they are known here."""
    cloud = Cloud(anna())
    here = till(cloud)
    for _ in range(2):
        member = identify(here, **who)
        assert (member.reference, member.known, member.balance_points) == ("m-anna", True, 500)
    assert len(cloud.asked) == 1


def test_only_tags_leave_the_till() -> None:
    cloud = Cloud()
    identify(till(cloud), card=STRANGER_CARD)
    assert cloud.asked == [MemberQuestion(tags=(STRANGER_TAG,))]


@pytest.mark.parametrize("trouble", ["offline", "broken", "nobody"])
@pytest.mark.parametrize("language", ["ru", "kk", "ky", "uk", "en"])
def test_without_an_answer_the_customer_is_not_known_yet(trouble: str, language: str) -> None:
    """No balance is promised, and the sale is taken by the tag."""
    cloud = Cloud(*([] if trouble == "nobody" else [anna()]), online=trouble != "offline")
    cloud.broken = trouble == "broken"
    here = till(cloud)
    member = here.run(here.desk.identify(Identify(card=ANNA_CARD), language))
    assert (member.known, member.balance_points, member.spendable_points) == (False, 0, 0)
    assert [message.code for message in member.messages][:1] == ["member_unknown"]
    assert member.messages[0].text
    answer = here.run(here.desk.sell("s-1", SaleRequest(receipt=receipt(10_000), member=Identify(card=ANNA_CARD))))
    assert json.loads(answer.body)["uid"] == "s-1"
    assert len(cloud.asked) == (0 if trouble == "offline" else 1)


def test_a_till_that_holds_the_whole_base_asks_nobody() -> None:
    cloud = Cloud(anna())
    assert not identify(till(cloud, days=0), card=ANNA_CARD).known
    assert cloud.asked == []


def quoted(here: FakeTill, **who: str) -> Member:
    member = here.run(here.desk.quote(QuoteRequest(receipt=receipt(10_000), member=Identify(**who)))).member
    assert member is not None
    return member


@pytest.mark.parametrize("who", [{"card": ANNA_CARD}, {"phone": ANNA_PHONE}, {"code": ANNA_PHONE}])
def test_a_quote_with_no_question_before_it_asks_as_well(who: dict[str, str]) -> None:
    """Cash software that goes straight to the quote serves a regular of another store."""
    cloud = Cloud(anna())
    here = till(cloud)
    for _ in range(2):
        assert (quoted(here, **who).reference, quoted(here, **who).balance_points) == ("m-anna", 500)
    assert len(cloud.asked) == 1


@pytest.mark.parametrize("trouble", ["broken", "nobody"])
def test_further_quotes_of_a_receipt_do_not_ask_again_and_a_sale_never_does(trouble: str) -> None:
    """A scan is somebody's wish to know, and asks anew."""
    cloud = Cloud()
    cloud.broken = trouble == "broken"
    here = till(cloud)
    for _ in range(3):
        assert not quoted(here, card=STRANGER_CARD).known
    assert len(cloud.asked) == 1
    identify(here, card=STRANGER_CARD)
    assert len(cloud.asked) == 2
    quoted(here, card=STRANGER_CARD)
    here.run(here.desk.sell("s-1", SaleRequest(receipt=receipt(10_000), member=Identify(card=ANNA_CARD))))
    assert len(cloud.asked) == 2
    here.clock.advance(ASKED_MS)
    quoted(here, card=STRANGER_CARD)
    assert len(cloud.asked) == 3


def test_a_quote_with_no_line_or_of_a_whole_base_asks_nobody() -> None:
    for cloud, days in ((Cloud(anna(), online=False), 90), (Cloud(anna()), 0)):
        assert not quoted(till(cloud, days=days), card=ANNA_CARD).known
        assert cloud.asked == []


def test_few_questions_are_remembered() -> None:
    cloud = Cloud()
    here = till(cloud)
    phones = [f"+7916555{number:04}" for number in range(ASKED_KEPT + 1)]
    for phone in (*phones, phones[-1]):
        quoted(here, phone=phone)
    assert len(cloud.asked) == ASKED_KEPT + 1
    quoted(here, phone=phones[0])
    assert len(cloud.asked) == ASKED_KEPT + 2


def test_digits_of_a_card_or_a_phone_are_whoever_the_cloud_knows() -> None:
    """Each reading is asked about: of two people neither is taken for the other."""
    digits = ANNA_PHONE.removeprefix("+")
    rules = msgspec.structs.replace(PROGRAMME.identifiers, cards=(CardRange(prefix="7", lengths=(11,)),))
    boris = MemberRow(member_id="m-boris", tags=(tag(KEY, "card", digits),))
    for rows, expected in (((anna(),), "m-anna"), ((boris,), "m-boris"), ((anna(), boris), ""), ((), "")):
        cloud = Cloud(*rows)
        here = till(cloud)
        here.cache.sell_by(msgspec.structs.replace(PROGRAMME, identifiers=rules))
        for named in (identify, quoted):
            if expected:
                assert named(here, code=digits).reference == expected
            else:
                with pytest.raises(DeskProblem, match="identifier_ambiguous"):
                    named(here, code=digits)
        readings = (tag(KEY, "card", digits), tag(KEY, "phone", ANNA_PHONE))
        assert cloud.asked == [MemberQuestion(tags=(each,)) for each in readings]


def test_who_is_a_member_elsewhere_is_not_registered_again() -> None:
    """With a line; without one the cloud finds it out when the registration comes."""
    here = till(Cloud(anna()))
    request = MemberCreate(uid="r-1", phone=ANNA_PHONE)
    answer = here.run(here.desk.register(request, commit=False))
    assert json.loads(answer.body)["state"] == "known"
