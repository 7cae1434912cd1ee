"""Who registered here, or got a card, is known until the cache has them: also by a journal that took the place of one
that was put aside while the till sells. Its ops have other ids."""

import asyncio
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import (
    LiveAgent,
    body_of,
    enrol_by_hand,
    fill_cache,
    live_agent,
    receipt,
    settings_for,
)
from till_agent.core import Core
from till_sync.wire import ChangesAnswer, HelloAnswer

CARD = "2900000000025"


def page(epoch: int, acked_seq: int, cursor: str) -> ChangesAnswer:
    return ChangesAnswer(
        incarnation="i1",
        rows=(),
        next=cursor,
        more=False,
        epoch=epoch,
        acked_seq=acked_seq,
        server_time_ms=1_763_700_000_001,
    )


def hello(till: str) -> HelloAnswer:
    """Of a cloud that has seen epochs of this till of which its journal knows nothing: that is an old copy."""
    return HelloAnswer(
        incarnation="i1", till=till, store="s1", epoch=4, acked_seq=0, head_hash="", server_time_ms=1_763_700_000_001
    )


def core_of(agent: LiveAgent) -> Core:
    core = agent.running.agent.open_core
    assert core is not None
    return core


def sold_and_given(agent: LiveAgent) -> None:
    """A sale, and then a card for Anna: ops 1 and 2."""
    body_of(agent.call("PUT", "/v1/sales/s-1", receipt(10_000)))
    given = body_of(agent.call("POST", "/v1/members/m-anna/cards", {"uid": "c-1", "card": CARD}))
    assert given["state"] == "attached"


def whose(agent: LiveAgent) -> Any:
    return body_of(agent.call("POST", "/v1/identify", {"card": CARD})).get("reference")


def test_a_card_given_here_leads_to_its_member_after_the_journal_was_put_aside(tmp_path: Path) -> None:
    """The sale before it is through by its new id, and the card is not."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    with live_agent(settings_for(tmp_path)) as agent:
        core = core_of(agent)
        sold_and_given(agent)
        assert whose(agent) == "m-anna"
        agent.on_loop(lambda: core.journal.reconcile(hello(core.identity.till)))
        assert (core.journal.figures.epoch, core.journal.figures.waiting) == (5, 2)
        agent.on_loop(core.journal.caught_up)
        agent.on_loop(lambda: core.cache.store_page(page(5, 1, "c2")))
        assert whose(agent) == "m-anna"
        agent.on_loop(lambda: core.cache.store_page(page(5, 2, "c3")))
        assert whose(agent) != "m-anna", "the cache's word counts once it includes the op"


def test_a_page_forgets_nobody_while_the_new_journal_is_read(tmp_path: Path) -> None:
    """By the ids of before, all of them would be included."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    with live_agent(settings_for(tmp_path)) as agent:
        core = core_of(agent)
        sold_and_given(agent)
        rebuilding, may_read = core.journal._rebuilding, asyncio.Event()
        read = rebuilding.also_reads

        async def read_when_told() -> None:
            await may_read.wait()
            await read()

        rebuilding.also_reads = read_when_told
        agent.on_loop(lambda: core.journal.reconcile(hello(core.identity.till)))
        agent.on_loop(lambda: core.cache.store_page(page(5, 1, "c2")))
        assert whose(agent) == "m-anna"

        async def go_on() -> None:
            may_read.set()
            await core.journal.caught_up()

        agent.on_loop(go_on)
        agent.on_loop(lambda: core.cache.store_page(page(5, 1, "c3")))
        assert whose(agent) == "m-anna"
