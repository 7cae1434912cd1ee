"""A till whose chain has slow tags of phones: it finds members by either kind, records what the chain says, and answers
a repeated request from before as then."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.confirmations import CODE
from fakes.till import ANNA_CARD, ANNA_PHONE, ANNA_TAGS, KEY, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, SaleRequest
from till_agent.desk import slow_tags
from till_agent.desk.aside import aside
from till_agent.exceptions import CloudUnreachable, DeskProblem
from till_agent.member_api import CardAttach, MemberCreate
from till_agent.texts import LANGUAGES
from till_loyalty.identifiers import slow_tag, tag
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.ops import decode_body, names_slow_phone
from till_sync.phone_tags import PhoneTags
from unit.desk.meeting_cases import Cloud, till
from unit.desk.registration_cases import AGREED, to_spend

MAKING, ONLY = PhoneTags(cost=2), PhoneTags(cost=2, only=True)
CARD_TAG, FAST = ANNA_TAGS
SLOW = slow_tag(FAST, 2)
STRANGER = "+79165554433"
WAIT_S = 60.0
STRANGER_FAST = tag(KEY, "phone", STRANGER)
STRANGER_SLOW = slow_tag(STRANGER_FAST, 2)
WAYS = {
    "phone": Identify(phone="8 916 123-12-34"),
    "code": Identify(code=ANNA_PHONE),
    "scan": Identify(scan=ANNA_PHONE),
    "fast reference": Identify(reference=FAST),
    "slow reference": Identify(reference=SLOW),
}


def till_with(told: PhoneTags, *tags: str) -> FakeTill:
    till = FakeTill()
    till.phone_tags = told
    return till.know(anna(tags=(CARD_TAG, *tags))) if tags else till


def sell(till: FakeTill, uid: str, who: Identify) -> Any:
    return till.run(till.desk.sell(uid, SaleRequest(receipt=receipt(10_000), member=who)))


def subject(till: FakeTill) -> Any:
    return decode_body(till.journal.entries[-1].body).subject


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("told", [MAKING, ONLY])
@pytest.mark.parametrize("kept", [FAST, SLOW])
def test_a_member_is_found_by_whichever_tag_the_cache_has(name: str, told: PhoneTags, kept: str) -> None:
    till = till_with(told, kept)
    if name == "slow reference":
        till.run(till.desk.identify(Identify(phone=ANNA_PHONE)))  # which gave it
    member = till.run(till.desk.identify(WAYS[name]))
    assert (member.reference, member.balance_points) == ("m-anna", 500)
    assert till.run(till.desk.identify(Identify(card=ANNA_CARD))).reference == "m-anna"


@pytest.mark.parametrize(
    ("told", "recorded"), [(PhoneTags(), STRANGER_FAST), (MAKING, STRANGER_FAST), (ONLY, STRANGER_SLOW)]
)
def test_what_is_recorded_of_an_unknown_phone_is_as_the_chain_says(told: PhoneTags, recorded: str) -> None:
    """Also where an earlier answer gave the fast tag as reference; and the journal has no other tag of it then."""
    till = till_with(told)
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).reference == recorded
    for uid, who in (("u1", Identify(phone=STRANGER)), ("u2", Identify(reference=STRANGER_FAST))):
        sell(till, uid, who)
        assert subject(till).tag == recorded
        entry = till.journal.entries[-1]
        assert (STRANGER_FAST[6:].encode() in entry.body + entry.answer) is (told is not ONLY)
        assert names_slow_phone(entry.body) is (told is ONLY)
    # Own sales count for whoever is named by the other tag.
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 10


class Begun(Cloud):
    """A cloud that has just made slow tags: it finds by the fast one, answers with a row of the slow one, and says so
    to a till that knows of none yet."""

    def __init__(self) -> None:
        super().__init__(anna(tags=(CARD_TAG, FAST)))

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        answer = await super().find(question, budget_ms=budget_ms)
        self.till.phone_tags = MAKING
        return replace(answer, member=answer.member and replace(answer.member, tags=(CARD_TAG, SLOW)))


@pytest.mark.parametrize("name", ["phone", "code", "scan"])
def test_the_first_look_up_after_slow_tags_began_finds_whom_the_cloud_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any page or greeting has told of them; and the loop goes on while the tag is made."""
    cloud = Begun()
    cloud.till = made = till(cloud)
    loops: list[bool] = []

    def noted(*values: Any) -> str:
        loops.append(threading.current_thread() is threading.main_thread())
        return slow_tag(*values)

    monkeypatch.setattr(slow_tags, "slow_tag", noted)
    assert made.run(made.desk.identify(WAYS[name])).reference == "m-anna"
    assert (len(cloud.asked), loops) == (1, [False])


def test_sales_from_before_the_switch_count_for_the_same_stranger_after_it() -> None:
    till = till_with(PhoneTags())
    sell(till, "u1", Identify(phone=STRANGER))
    till.phone_tags = ONLY
    sell(till, "u2", Identify(phone=STRANGER))
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 10
    till.know(anna(tags=(STRANGER_SLOW,)))
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 510


@pytest.mark.parametrize("before", [PhoneTags(), MAKING, ONLY])
@pytest.mark.parametrize("after", [MAKING, ONLY])
@pytest.mark.parametrize("name", WAYS)
def test_a_sale_is_answered_as_then_across_a_switch(before: PhoneTags, after: PhoneTags, name: str) -> None:
    till = till_with(before, FAST, SLOW)
    first = sell(till, "u1", WAYS[name])
    till.phone_tags = after
    again = sell(till, "u1", WAYS[name])
    assert (again.body, again.replayed, len(till.journal.entries)) == (first.body, True, 1)
    with pytest.raises(DeskProblem) as caught:
        sell(till, "u1", Identify(phone=STRANGER))
    assert caught.value.code == "uid_conflict"


def test_a_registration_holds_the_slow_tag_and_who_registered_is_known_at_once() -> None:
    till = till_with(ONLY)
    request = MemberCreate(uid="r-1", phone=STRANGER, consent=AGREED, without_code=True, name="Ольга Орлова")
    first = till.run(till.desk.register(request))
    assert subject(till).tag == STRANGER_SLOW
    assert till.run(till.desk.register(request)).body == first.body
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).name_masked == "Ольга О."


@pytest.mark.parametrize("kept", [FAST, SLOW])
def test_a_code_for_spending_goes_to_the_members_own_phone(kept: str) -> None:
    till = till_with(ONLY, kept)
    till.run(till.desk.confirm(to_spend()))
    assert till.codes.asked[-1].tag == SLOW
    assert till.run(till.desk.confirm(to_spend(code=CODE))).confirmation.state == "confirmed"
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.confirm(replace(to_spend(phone=STRANGER), uid="c-2")))
    assert caught.value.code == "phone_mismatch"


def test_the_loop_waits_for_no_slow_tag_and_one_receipt_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def watched(fast: str, cost: int) -> str:
        made.append(threading.get_ident())
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", watched)
    till = till_with(ONLY, SLOW)
    who = Identify(phone=ANNA_PHONE)
    till.run(till.desk.identify(who))
    till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=who, points=1)))
    sell(till, "u1", who)
    assert len(made) == 1
    assert threading.get_ident() not in made
    till.clock.mono += slow_tags.KEPT_MS
    for number in range(slow_tags.KEPT + 1):
        till.run(till.desk.identify(Identify(phone=f"+7916555{number:04}")))
    till.run(till.desk.identify(who))
    assert len(made) == slow_tags.KEPT + 3
    assert threading.get_ident() not in made


def test_fifty_who_look_up_at_once_take_turns_and_no_sale_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each phone once, whoever asks for it; at a till with one core there are two under way at most."""
    gate, counting = threading.Event(), threading.Lock()
    made: list[str] = []
    under_way = most = 0

    def watched(fast: str, cost: int) -> str:
        nonlocal under_way, most
        with counting:
            made.append(fast)
            under_way += 1
            most = max(most, under_way)
        if most > 2:
            gate.set()  # which fails below, and not by waiting
        if fast != STRANGER_FAST:
            gate.wait(WAIT_S)
        with counting:
            under_way -= 1
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", watched)
    monkeypatch.setattr(slow_tags, "TURN_MS", int(WAIT_S * 1000))
    till = till_with(ONLY, SLOW)

    async def case() -> None:
        phones = [f"+7916555{number // 2:04}" for number in range(50)]
        looking = [asyncio.create_task(till.desk.identify(Identify(phone=phone))) for phone in phones]
        try:
            async with asyncio.timeout(WAIT_S):
                while not made:
                    await asyncio.sleep(0.001)
                for uid, who in (("u1", Identify(phone=STRANGER)), ("u2", Identify(card=ANNA_CARD))):
                    await till.desk.sell(uid, SaleRequest(receipt=receipt(10_000), member=who))
            assert not any(each.done() for each in looking)
        finally:
            gate.set()
        assert len(await asyncio.gather(*looking)) == 50

    till.run(case())
    assert (most, len(made)) == (2, 26)


def test_who_waits_too_long_for_a_turn_is_told_so_and_a_sale_and_its_void_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connections of a hub's cash software would have to be served for a quarter of a minute. Whoever is told may
    try again at once: a turn that was not waited for is nobody's."""
    gate = threading.Event()

    def slow(fast: str, cost: int) -> str:
        if fast not in (FAST, STRANGER_FAST):
            gate.wait(WAIT_S)
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", slow)
    till = till_with(ONLY, SLOW)
    former = SaleRequest(receipt=receipt(10_000), member=Identify(reference=FAST))

    def of_phone(number: int) -> SaleRequest:
        return SaleRequest(receipt=receipt(10_000), member=Identify(phone=f"+7916555{number:04}"))

    async def look(number: int) -> str:
        try:
            await till.desk.identify(Identify(phone=f"+7916555{number:04}"))
        except DeskProblem as problem:
            told = [till.desk.sentence(problem.code, language=each) for each in LANGUAGES]
            return problem.code if all(told) and problem.retryable else "untold"
        return "served"

    async def case() -> None:
        first = asyncio.create_task(look(0))
        try:
            await asyncio.sleep(0)
            monkeypatch.setattr(slow_tags, "TURN_MS", 1)
            assert await asyncio.gather(*[look(number) for number in range(1, 5)]) == ["too_busy"] * 4
            await till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=Identify(phone=STRANGER)))
            await till.desk.void("u1")
            await till.desk.sell("u2", former)
            waiting = [asyncio.create_task(till.desk.sell(f"s{number}", of_phone(number))) for number in (8, 9)]
            await asyncio.sleep(0.05)  # in which whoever is not patient is told
        finally:
            gate.set()
        assert len(await asyncio.gather(*waiting)) == 2
        assert await first == "served"
        monkeypatch.setattr(slow_tags, "TURN_MS", int(WAIT_S * 1000))
        assert await asyncio.gather(*[look(number) for number in range(1, 5)]) == ["served"] * 4

    till.run(case())


class NoGateway:
    """Of a cloud that is not reached."""

    online = True

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        raise CloudUnreachable(f"no answer about {question} in {budget_ms} ms")


def test_who_registers_or_gives_a_card_in_a_rush_waits_for_one_turn_and_not_for_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a till with a window the cloud is asked first who it is, for which the phone has to be known too."""
    gate = threading.Event()
    turns: list[bool] = []
    take = slow_tags.SlowTags._take

    async def counted(turn: asyncio.Lock, *, patient: bool) -> None:
        turns.append(patient)
        await take(turn, patient=patient)

    def slow(fast: str, cost: int) -> str:
        gate.wait(WAIT_S)
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", slow)
    monkeypatch.setattr(slow_tags.SlowTags, "_take", staticmethod(counted))
    till = till_with(ONLY, SLOW)
    till.cache.window_days, till.members = 90, NoGateway()
    till.desk = till.new_desk()
    registration = MemberCreate(uid="r-1", phone=STRANGER, consent=AGREED)
    card = CardAttach(uid="a-1", card="2900000000025")

    async def case() -> None:
        first = asyncio.create_task(till.desk.identify(Identify(phone="+79165550000"), alone=True))
        try:
            await asyncio.sleep(0)
            monkeypatch.setattr(slow_tags, "TURN_MS", 1)
            for call in (lambda: till.desk.register(registration), lambda: till.desk.attach_card(FAST, card)):
                turns.clear()
                with pytest.raises(DeskProblem) as refused:
                    await call()
                assert (refused.value.code, refused.value.retryable, turns) == ("too_busy", True, [False])
        finally:
            gate.set()
        await first

    till.run(case())


def test_a_sale_waits_for_no_thread_that_looks_up_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that says nothing keeps each thread of the loop's pool for many seconds, and a line that is cut is
    tried again meanwhile."""
    monkeypatch.setattr("till_agent.desk.counting.BIG_RECEIPT_LINES", 0)
    gate, till = threading.Event(), till_with(ONLY, SLOW)

    async def case() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        resolving = loop.run_in_executor(None, gate.wait, WAIT_S)
        try:
            await till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=Identify(phone=STRANGER)))
            assert not resolving.done()
        finally:
            gate.set()
            await resolving

    till.run(case())


def test_what_is_done_aside_raises_to_whoever_waits_and_to_nobody_else() -> None:
    gate = threading.Event()

    def fails() -> None:
        gate.wait(WAIT_S)
        raise ValueError("no")

    async def case() -> None:
        gone, waits = asyncio.create_task(aside(fails)), asyncio.create_task(aside(fails))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        gate.set()
        with pytest.raises(ValueError, match="no"):
            await waits

    asyncio.run(case())


def test_what_reads_as_no_phone_has_no_slow_tag_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop waited for it: nobody makes one beforehand of a text that is no phone."""
    made: list[str] = []
    monkeypatch.setattr(slow_tags, "slow_tag", lambda fast, _cost: made.append(fast) or fast)
    till = till_with(ONLY)
    with pytest.raises(DeskProblem) as caught:
        sell(till, "u1", Identify(phone="12345"))
    assert (caught.value.code, made) == ("identifier_invalid", [])
    with pytest.raises(DeskProblem):
        till.run(till.desk.register(MemberCreate(uid="r-1", phone="12345", consent=AGREED)))
    assert made == []
