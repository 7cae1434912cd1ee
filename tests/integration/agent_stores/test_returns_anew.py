"""Goods come back once, also by a journal that took the place of one that was put aside: there the sale has another id
than the one that its return names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.agent_stores.test_registrations_anew import core_of, hello
from integration.bridge.agent_kit import (
    LiveAgent,
    body_of,
    enrol_by_hand,
    fill_cache,
    live_agent,
    receipt,
    settings_for,
)

HALF = {"sale_uid": "s-1", "lines": [{"number": 1, "quantity_thousandths": 500}]}


def put_aside(agent: LiveAgent) -> None:
    """All that waits comes again under ids of a new epoch."""
    core = core_of(agent)
    agent.on_loop(lambda: core.journal.reconcile(hello(core.identity.till)))
    assert (core.journal.figures.epoch, core.journal.figures.waiting) == (5, 2)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[LiveAgent]:
    """It has sold, and nobody has heard of it."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    with live_agent(settings_for(tmp_path)) as made:
        body_of(made.call("PUT", "/v1/sales/s-1", receipt(10_000)))
        yield made


def test_what_came_back_before_does_not_come_back_again(agent: LiveAgent) -> None:
    """The rest does, and a void is refused."""
    body_of(agent.call("PUT", "/v1/returns/r-1", HALF))
    put_aside(agent)
    assert agent.call("POST", "/v1/sales/s-1/void", {}).code == "sale_has_returns"
    back = body_of(agent.call("PUT", "/v1/returns/r-2", {"sale_uid": "s-1"}))
    assert back["reversal"]["money_back_minor"] == 5_000
    assert agent.call("PUT", "/v1/returns/r-3", HALF).code == "return_quantity_exceeds"


def test_of_a_sale_that_was_cancelled_before_nothing_comes_back(agent: LiveAgent) -> None:
    """Neither the whole of it nor a part."""
    body_of(agent.call("POST", "/v1/sales/s-1/void", {}))
    put_aside(agent)
    assert agent.call("PUT", "/v1/returns/r-1", {"sale_uid": "s-1"}).code == "sale_voided"
