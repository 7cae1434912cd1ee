"""A customer whom this till does not hold: the cloud is asked where it can be, and the sale waits for nobody."""

import asyncio
import json
from types import SimpleNamespace

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
from till_agent.api import HoldCreate, Identify, Member, QuoteRequest, SaleRequest
from till_agent.desk.meeting import ASKED_KEPT, ASKED_MS, JUST_NOW_MS
from till_agent.exceptions import DeskProblem
from till_agent.frontol_files.watching import _references
from till_agent.member_api import CardAttach, CodeRequest, MemberCreate
from till_agent.texts import LANGUAGES, Words
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.wire import MemberRow
from unit.desk.meeting_cases import Cloud, till

NOT_HERE = ("member_not_here", "warning", "not_here")


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


def test_a_customer_does_not_wait_until_a_new_cache_is_built() -> None:
    """Which holds up the cloud's answer for seconds: it is kept then all the same, and the next scan finds them."""
    cloud = Cloud(anna())
    here = till(cloud)
    built, take = asyncio.Event(), here.cache.take

    async def late(answer: MemberAnswer) -> bool:
        await built.wait()
        return await take(answer)

    async def work() -> None:
        here.cache.take = late
        member = await asyncio.wait_for(here.desk.identify(Identify(card=ANNA_CARD)), 30)
        assert (member.known, member.messages[0].code) == (False, "member_not_here")
        built.set()
        while here.cache.by_id("m-anna") is None:
            await asyncio.sleep(0)
        here.cache.take = take
        assert (await here.desk.identify(Identify(card=ANNA_CARD))).known

    here.run(work())
    assert len(cloud.asked) == 1


def test_only_tags_leave_the_till() -> None:
    cloud = Cloud()
    identify(till(cloud), card=STRANGER_CARD)
    assert cloud.asked == [MemberQuestion(tags=(STRANGER_TAG,))]


@pytest.mark.parametrize("trouble", ["offline", "broken", "nobody"])
@pytest.mark.parametrize("language", ["ru", "kk", "ky", "uk", "en"])
def test_without_an_answer_the_customer_is_not_known_yet(trouble: str, language: str) -> None:
    """No balance is promised, and the sale is taken by the tag. That nobody has the number is said where the cloud said
    so; else that nobody can be asked who it is."""
    cloud = Cloud(*([] if trouble == "nobody" else [anna()]), online=trouble != "offline")
    cloud.broken = trouble == "broken"
    here = till(cloud)
    member = here.run(here.desk.identify(Identify(card=ANNA_CARD), language))
    assert (member.known, member.balance_points, member.spendable_points) == (False, 0, 0)
    told = member.messages[0]
    expected = ("member_unknown", "info", "unknown_member") if trouble == "nobody" else NOT_HERE
    assert (told.code, told.level, member.spendable_reason) == expected
    words = here.desk.programme and Words(language, here.desk.programme)
    assert words
    assert told.text == member.spendable_text == words.message(told.code).text
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
    here.clock.advance(JUST_NOW_MS)
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_and_nobody_to_ask_are_two_sentences_in_each_language(language: str) -> None:
    """A cashier who is told that a card is not registered offers to register; with no line they just sell."""
    words = Words(language, PROGRAMME)
    for said in (words.message("member_unknown").text, words.problem("member_unknown")):
        assert said not in {words.message("member_not_here").text, words.problem("member_not_here")}


def test_with_no_line_a_till_that_holds_the_whole_base_does_not_say_that_a_card_is_not_registered() -> None:
    """It may have been, at another till, since the line broke; nor while members still come."""
    here = till(Cloud(online=False), days=0)
    assert identify(here, card=STRANGER_CARD).messages[0].code == "member_not_here"
    here.gateway.online = True
    here.cache.filling = True
    assert identify(here, card=STRANGER_CARD).messages[0].code == "member_not_here"
    here.cache.filling = False
    assert identify(here, card=STRANGER_CARD).messages[0].code == "member_unknown"


def test_what_the_cloud_has_just_said_stands_though_the_line_breaks() -> None:
    """For the receipt that it was asked for."""
    cloud = Cloud()
    here = till(cloud)
    assert identify(here, card=STRANGER_CARD).messages[0].code == "member_unknown"
    cloud.online = here.gateway.online = False
    assert quoted(here, card=STRANGER_CARD).messages[0].code == "member_unknown"
    here.clock.advance(ASKED_MS)
    assert quoted(here, card=STRANGER_CARD).messages[0].code == "member_not_here"


def wish(here: FakeTill, **who: str) -> int:
    return here.run(here.desk.hold(HoldCreate(sale_uid="s-1", member=Identify(**who), points=100))).points


@pytest.mark.parametrize("who", [{"card": ANNA_CARD}, {"phone": ANNA_PHONE}, {"reference": "m-anna"}])
def test_a_hold_with_no_question_before_it_asks_as_well(who: dict[str, str]) -> None:
    cloud = Cloud(anna())
    here = till(cloud)
    here.gateway.points["m-anna"] = 500
    assert [wish(here, **who), wish(here, **who)] == [100, 100]
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    ("trouble", "code"), [("nobody", "member_unknown"), ("broken", "member_not_here"), ("offline", "member_not_here")]
)
def test_a_hold_says_whether_nobody_has_the_card_or_nobody_can_be_asked(trouble: str, code: str) -> None:
    """One is over, the other worth another try; a code that is to prove a large one tells the same."""
    cloud = Cloud(online=trouble != "offline")
    cloud.broken = trouble == "broken"
    here = till(cloud)
    proof = CodeRequest(uid="s-1", member=Identify(card=STRANGER_CARD), phone=ANNA_PHONE)
    for call in (lambda: wish(here, card=STRANGER_CARD), lambda: here.run(here.desk.confirm(proof))):
        with pytest.raises(DeskProblem) as refused:
            call()
        problem = refused.value
        assert (problem.code, problem.status, problem.retryable) == (code, 409, trouble != "nobody")
    assert len(cloud.asked) == (0 if trouble == "offline" else 1)


def test_a_reference_of_another_till_is_asked_about() -> None:
    """Cash software keeps it with its own card of the customer; the member may have left this till's window."""
    cloud = Cloud(anna())
    here = till(cloud)
    assert identify(here, reference="m-anna").balance_points == 500
    assert cloud.asked == [MemberQuestion(member_id="m-anna")]
    with pytest.raises(DeskProblem, match="reference_unknown"):
        identify(here, reference="m-nobody")
    with pytest.raises(DeskProblem, match="reference_unknown"):
        quoted(here, reference="m-nobody")
    assert len(cloud.asked) == 2
    offline = till(Cloud(anna(), online=False))
    for member in (identify(offline, reference="m-anna"), quoted(offline, reference="m-anna")):
        assert (member.reference, member.known, member.spendable_reason) == ("m-anna", False, "not_here")
    with pytest.raises(DeskProblem, match="reference_unknown"):
        identify(till(Cloud(), days=0), reference="m-nobody")


def test_a_coupon_is_looked_at_for_a_member_of_another_store() -> None:
    cloud = Cloud(anna())
    here = till(cloud)
    here.run(here.desk.coupon("SUMMER", "m-anna"))
    assert here.cache.by_id("m-anna") is not None


def test_a_card_is_given_to_a_member_of_another_store() -> None:
    """Whose card it is, is asked, and who the member is."""
    cloud = Cloud(anna())
    here = till(cloud)
    answer = here.run(here.desk.attach_card("m-anna", CardAttach(uid="c-1", card=STRANGER_CARD)))
    assert json.loads(answer.body)["member"]["reference"] == "m-anna"


def test_who_was_said_to_be_nobody_a_breath_ago_is_not_asked_about_again() -> None:
    """Frontol's form, say, looks somebody up, names their registration and registers them, all by one call."""
    cloud = Cloud()
    here = till(cloud)
    for _ in range(3):
        identify(here, phone=ANNA_PHONE)
    here.run(here.desk.register(MemberCreate(uid="r-1", phone=ANNA_PHONE), commit=False))
    assert len(cloud.asked) == 1
    cloud.broken = True
    here.clock.advance(JUST_NOW_MS)
    identify(here, phone=ANNA_PHONE)
    identify(here, phone=ANNA_PHONE)
    assert len(cloud.asked) == 3


def test_whoever_has_a_long_list_asks_this_till_alone() -> None:
    """A sales report has thousands of cards, and the questions of an hour are for customers at the till."""
    cloud = Cloud(anna())
    here = till(cloud)
    member = here.run(here.desk.identify(Identify(code=ANNA_CARD), alone=True))
    assert (member.reference, member.known, member.spendable_reason) == (ANNA_TAGS[0], False, "not_here")
    core = SimpleNamespace(desk=here.desk)
    assert here.run(_references(core, (ANNA_CARD, "12"))) == ((ANNA_TAGS[0],), 1)  # type: ignore[arg-type]  # a desk is all it takes
    assert cloud.asked == []
