"""The clients for Python against a real agent: calls, lost answers, refusals, events, an agent that comes and goes."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.till import ANNA_CARD
from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, live_agent, settings_for
from integration.client_kit.client_kit_world import stream_to_open, token_of
from kit.processes import free_port
from kit.waiting import PATIENCE_S, wait_for
from till_agent.api import Identify, Message, QuoteRequest, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.bridge.shapes import SlipBlocks
from till_agent.client import (
    AsyncTill,
    ConflictError,
    Event,
    InvalidError,
    NoAnswerError,
    NotAllowedError,
    NotFoundError,
    NotRunningError,
    RefusedError,
    Till,
    TimedOutError,
)
from till_agent.member_api import MemberCreate
from till_config.settings import BridgeSettings
from till_loyalty.receipt import Line, Receipt


def receipt(*amounts: int) -> Receipt:
    """A line an amount."""
    return Receipt(
        lines=tuple(Line(number=n, sku="milk", amount_minor=amount) for n, amount in enumerate(amounts, start=1))
    )


class Losing(httpx.HTTPTransport):
    """A way to the agent on which answers are lost, `losses` times; `sent` is all that went out."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0
        self.sent: list[tuple[str, str, bytes]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.method, request.url.path, request.read()))
        answer = super().handle_request(request)
        if self.losses:
            self.losses -= 1
            answer.read()
            answer.close()
            raise httpx.ReadError("the answer is lost", request=request)
        return answer


@pytest.fixture
def till(agent: LiveAgent) -> Any:
    """A client of the running agent."""
    with Till(agent.running.url, token=token_of(agent), client="tests") as made:
        yield made


def test_a_receipt_is_rung_up_with_types(till: Till) -> None:
    """From the card to the slip, the return and the void."""
    assert till.wait_ready().ready
    member = till.identify(Identify(card=ANNA_CARD), language="en")
    who = Identify(reference=member.reference)
    assert till.quote(QuoteRequest(receipt=receipt(10_000), member=who)).calculation.earned_points == 5
    sale = till.sell("py-1", SaleRequest(receipt=receipt(10_000, 500), member=who))
    assert sale.uid == "py-1"
    assert sale.member is not None
    assert sale.member.reference == member.reference
    assert till.sale("py-1").state == "committed"
    assert isinstance(till.slip("py-1"), str)
    assert till.slip("py-1", "png").startswith(b"\x89PNG")
    assert isinstance(till.slip("py-1", "json", columns=32), SlipBlocks)
    assert isinstance(till.slip("py-1", "frontol"), list)
    lines = (ReturnLineRequest(number=2, quantity_thousandths=1000),)
    back = ReturnRequest(sale_uid="py-1", lines=lines, print_slip=False)
    assert till.return_("py-1-r", back).reversal.money_back_minor == 500
    assert till.return_slip("py-1-r", "png").startswith(b"\x89PNG")
    till.sell("py-2", SaleRequest(receipt=receipt(100)))
    assert till.void("py-2", print_slip="false").reversal.money_back_minor == 100
    assert isinstance(till.void_slip("py-2", columns=32), str)
    assert "tillside_ready 1" in till.metrics()
    assert till.openapi()["openapi"] == "3.1.0"


def test_refusals_are_typed_and_say_what_to_tell_the_cashier(till: Till) -> None:
    """By status; the code and the field are there."""
    till.sell("py-c", SaleRequest(receipt=receipt(100)))
    with pytest.raises(ConflictError) as conflict:
        till.sell("py-c", SaleRequest(receipt=receipt(200)))
    assert (conflict.value.code, conflict.value.status, conflict.value.retryable) == ("uid_conflict", 409, False)
    assert conflict.value.cashier
    with pytest.raises(InvalidError) as empty:
        till.sell("py-e", SaleRequest(receipt=Receipt(lines=())))
    assert empty.value.pointer == "/receipt/lines"
    with pytest.raises(NotFoundError, match="sale_unknown"):
        till.sale("py-none")
    with pytest.raises(NotAllowedError, match="scope_missing"):
        till.queue()
    with pytest.raises(ValueError, match="part of a path"):
        till.sale("..")


def test_a_call_whose_answer_was_lost_is_repeated_where_that_is_safe(agent: LiveAgent) -> None:
    """The same bytes under the same uid: one sale. A copy of a slip, and a code that was keyed, are not sent twice."""
    way = Losing()
    with Till(agent.running.url, token=token_of(agent), transport=way) as till:
        way.losses = 2
        assert till.sell("py-lost", SaleRequest(receipt=receipt(700))).uid == "py-lost"
        assert len(way.sent) == 3
        assert len(set(way.sent)) == 1
        way.sent.clear()
        way.losses = 1
        with pytest.raises(NoAnswerError) as lost:
            till.print("py-lost")
        assert (lost.value.lost, len(way.sent)) == (True, 1)
        for code, times in (("", 2), ("1234", 1)):
            way.sent.clear()
            way.losses = 1
            with contextlib.suppress(NoAnswerError, RefusedError):
                till.register(MemberCreate(uid="py-reg", phone="+79161234567", code=code))
            assert len(way.sent) == times
    queue = agent.call("GET", "/v1/queue?which=newest&limit=1000", client="admin").json
    assert [op["uid"] for op in queue["ops"]].count("py-lost") == 1


def test_what_is_refused_for_a_while_is_asked_again_when_it_was_said(tmp_path: Path) -> None:
    """A client that is too fast is served; one with no patience is told."""
    enrol_by_hand(tmp_path)
    with live_agent(settings_for(tmp_path, bridge=BridgeSettings(port=0, rate_limit_per_second=2))) as agent:
        with Till(agent.running.url, token=token_of(agent)) as till:
            for _ in range(4):
                till.status()
        with Till(agent.running.url, token=token_of(agent), patience_ms=0) as till:
            refused = refusal_of_many(till)
    assert refused.code == "rate_limited"
    assert refused.retry_after_ms > 0


def refusal_of_many(till: Till) -> RefusedError:
    """What calls without a pause end with."""
    while True:
        try:
            till.status()
        except RefusedError as exc:
            return exc


def test_nobody_there_and_too_slow_are_told_apart() -> None:
    """After one attempt where there is no patience."""

    class Slow(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("slow", request=request)

    with Till(f"http://127.0.0.1:{free_port()}", patience_ms=0) as till, pytest.raises(NoAnswerError) as gone:
        till.livez()
    assert gone.value.code == "unreachable"
    with Till(transport=Slow(), patience_ms=0) as till, pytest.raises(TimedOutError) as slow:
        till.livez()
    assert slow.value.code == "timed_out"


def test_the_agent_of_a_state_directory_is_found_again_after_its_restart(tmp_path: Path) -> None:
    """On another port and with another token: the sale goes through, without the program being started anew."""
    enrol_by_hand(tmp_path)
    sale = SaleRequest(receipt=receipt(100))
    with Till.from_state_dir(tmp_path, patience_ms=0) as hasty, pytest.raises(NotRunningError, match="no agent is"):
        hasty.livez()
    with Till.from_state_dir(tmp_path) as till:
        with live_agent(settings_for(tmp_path)):
            till.sell("dir-1", sale)
        (tmp_path / "tokens" / "pos.token").unlink()
        with live_agent(settings_for(tmp_path)):
            assert till.sell("dir-1", sale).uid == "dir-1"


TOLD = ("one", "two", "three")
"""What the tests have the agent tell. It tells troubles of its own besides, whenever it looks after itself."""


def alert(agent: LiveAgent, code: str) -> None:
    """Have the agent tell something."""
    agent.on_loop(lambda: agent.running.agent.events.publish("alert", Message(code=code, text=code)))


def told(event: Event) -> str:
    """The code of an alert of these tests; "" for any other event."""
    return event.data.code if isinstance(event.data, Message) and event.data.code in TOLD else ""


def break_streams(agent: LiveAgent) -> None:
    """End every stream from the agent's side."""
    agent.on_loop(lambda: [listener.close() for listener in list(agent.running.agent.events._listeners)])


def test_events_come_back_after_a_break_with_what_was_missed(agent: LiveAgent, till: Till) -> None:
    """From the event that was last seen; `close` from another thread ends the wait."""
    seen: list[str] = []
    ids: list[str] = []
    stream = till.events()

    def collect() -> None:
        for event in stream:
            ids.append(event.id)
            if told(event):
                seen.append(told(event))

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        wait_for(lambda: stream.open, "the stream to open")
        alert(agent, "foreign")
        alert(agent, "one")
        wait_for(lambda: "one" in seen, "the first event")
        break_streams(agent)
        alert(agent, "two")
        wait_for(lambda: "two" in seen, "the event of the break")
        alert(agent, "three")
        wait_for(lambda: "three" in seen, "the last event")
    finally:
        stream.close()
        thread.join(10)
    assert not thread.is_alive()
    assert tuple(seen) == TOLD
    assert stream.last_event_id == ids[-1]


def test_an_agent_that_refuses_events_for_good_ends_the_loop(agent: LiveAgent) -> None:
    """With its refusal."""
    with Till(agent.running.url, token="x" * 43) as bad, pytest.raises(NotAllowedError, match="token_unknown"):
        next(iter(bad.events()))


def awaiting(work: Callable[[AsyncTill], Any], agent: LiveAgent, **settings: Any) -> Any:
    """Run `work` with an asynchronous client."""

    async def run() -> Any:
        async with AsyncTill(agent.running.url, token=token_of(agent), **settings) as till:
            return await work(till)

    return asyncio.run(run())


def test_the_awaiting_client_does_the_same(agent: LiveAgent) -> None:
    """Calls, a lost answer, a refusal, events after a break."""

    class AsyncLosing(httpx.AsyncHTTPTransport):
        losses = 1

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            if request.method == "PUT" and self.losses:
                self.losses -= 1
                await answer.aread()
                await answer.aclose()
                raise httpx.ReadError("the answer is lost", request=request)
            return answer

    async def work(till: AsyncTill) -> list[str]:
        assert (await till.wait_ready()).ready
        sale = await till.sell("async-1", SaleRequest(receipt=receipt(700), member=Identify(card=ANNA_CARD)))
        assert sale.uid == "async-1"
        assert isinstance(await till.slip("async-1"), str)
        with pytest.raises(NotFoundError):
            await till.sale("async-none")
        seen: list[str] = []
        listens = stream_to_open(agent)

        async def tell() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not listens():
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(alert, agent, "foreign")
                await asyncio.to_thread(alert, agent, "one")
                while "one" not in seen:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(break_streams, agent)
            await asyncio.to_thread(alert, agent, "two")

        telling = asyncio.create_task(tell())
        async with asyncio.timeout(PATIENCE_S):
            async for event in till.events():
                if told(event):
                    seen.append(told(event))
                if "two" in seen:
                    break
            await telling
        return seen

    assert awaiting(work, agent, transport=AsyncLosing()) == ["one", "two"]
