"""What networks do to requests, between the real agent and the real cloud: sales go on, nothing counts as acknowledged
that is not, IT sees why, and when the line is whole again everything reaches the cloud once, with nobody's help."""

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.cashier import Cashier
from kit.chain import ANNA, Chain
from kit.mending import HEALS_WITHIN_S, check_acknowledged, heal, ops_at_cloud
from kit.network import Network, refusal
from kit.proof import DoubledError, LostError, at_cloud
from kit.waiting import wait_for
from kit.world import Till, World

pytestmark = pytest.mark.faults

SEED = 20171223
SALES = 3
REQUEST_TIMEOUT_MS = 1_000
"""So that what a silent line costs is seen within seconds; a till has 10 s."""


class Fault(NamedTuple):
    """A fate of requests and what IT is told of it; "" where exchanges succeed all the same."""

    name: str
    fate: str
    code: str = ""
    path_end: str = ""
    reaches_cloud: bool = False


FAULTS = (
    Fault("requests are lost", "lose", "cloud_unreachable"),
    Fault("half open: taken and never answered", "silent", "timeout"),
    Fault("silent in the middle of an answer's head", "silent-in-head", "timeout", "/ops", reaches_cloud=True),
    Fault("silent in the middle of an answer's body", "silent-in-body", "timeout", "/ops", reaches_cloud=True),
    Fault("RST in the middle of a request", "reset-in-request", "cloud_unreachable"),
    Fault("RST in the middle of an answer", "reset-in-answer", "cloud_unreachable", "/ops", reaches_cloud=True),
    Fault("RST in place of the answer", "reset-after", "cloud_unreachable", "/ops", reaches_cloud=True),
    Fault("an answer at a byte a second", "drip", "timeout", "/ops", reaches_cloud=True),
    Fault("HTML with 200 for what was carried out", "swallow", "not_our_cloud", "/ops", reaches_cloud=True),
    Fault("JSON of somebody else with 200", "json", "not_our_cloud", "/ops"),
)

BEARABLE = (
    Fault("requests arrive twice", "repeat", path_end="/ops", reaches_cloud=True),
    Fault("a byte at a time, both ways", "bytes", reaches_cloud=True),
    Fault("kept connections are dead: RST at the next request", "stale", reaches_cloud=True),
    Fault("kept connections are closed by the cloud", "stale-closed", reaches_cloud=True),
)


def network_of(world: World) -> Network:
    assert isinstance(world.line, Network)
    return world.line


@pytest.fixture(scope="module")
def chain_shop(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[tuple[World, Till, Cashier]]:
    """A till that goes through all faults in turn; at the end everything is proven from the files."""
    with World(tmp_path_factory.mktemp("network"), forking_chain, Network()) as world:
        world.start_cloud()
        till = world.till(request_timeout_ms=REQUEST_TIMEOUT_MS).start().wait_members()
        cashier = Cashier(till, random.Random(SEED))
        yield world, till, cashier
        world.prove(till, cashier.answers, set(cashier.tried))


@pytest.fixture
def world_of_network(tmp_path: Path, forking_chain: Chain) -> Iterator[World]:
    """A fresh one for a broken till."""
    with World(tmp_path, forking_chain, Network()) as world:
        world.start_cloud()
        yield world


@pytest.fixture
def shop(chain_shop: tuple[World, Till, Cashier]) -> tuple[World, Till, Cashier]:
    """The same till, started anew: what it has spent of its retries would make each test wait for the one before."""
    world, till, _ = chain_shop
    world.line.mode = "pass"
    till.kill()
    till.start()
    return chain_shop


def go_through(world: World, till: Till, cashier: Cashier, fault: Fault) -> None:
    """Sales before and during the fault; then the line heals."""
    cashier.sell()
    heal(world, till)
    acked = till.last_seq()
    line = network_of(world)
    struck = line.count(fault.fate, fault.path_end)
    line.mode = lambda _, path: fault.fate if path.partition("?")[0].endswith(fault.path_end) else "pass"
    cashier.sell(SALES)
    line.wait_count(fault.fate, fault.path_end, struck + 1)
    if fault.code:
        seen = till.wait_status(
            lambda s: s["sync"]["last_error"].startswith(f"{fault.code}:") and not s["sync"]["online"],
            f"the status to say {fault.code}",
        )
        assert "offline" in {problem["code"] for problem in seen["problems"]}
        assert till.pos.identify(card=ANNA.card)["offline"] is True
    cashier.sell(SALES)
    check_acknowledged(world, till, acked)
    if fault.code:
        assert till.admin.ask("GET", "/v1/sync")["acked_seq"] == acked
    if not fault.reaches_cloud:
        assert ops_at_cloud(world, till) == acked
    heal(world, till)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_network_that_loses_stalls_or_resets_costs_nothing_but_time(
    shop: tuple[World, Till, Cashier], fault: Fault
) -> None:
    """Nothing is acknowledged, the status says why, and it heals by itself."""
    go_through(*shop, fault)


@pytest.mark.parametrize("fault", BEARABLE, ids=lambda fault: fault.name)
def test_what_a_network_does_to_the_bytes_does_not_stop_them(shop: tuple[World, Till, Cashier], fault: Fault) -> None:
    """Everything gets through while the line is like this."""
    world, till, cashier = shop
    go_through(world, till, cashier, fault)
    turns = itertools.count()

    def fate(_: object, path: str) -> str:
        # The till hears the answer to the copy, which is a replay to the cloud, and signs anew: so not each time.
        spared = fault.fate == "repeat" and next(turns) % 2
        return fault.fate if path.partition("?")[0].endswith(fault.path_end) and not spared else "pass"

    world.line.mode = fate
    cashier.sell(SALES)
    try:
        wait_for(lambda: ops_at_cloud(world, till) == till.last_seq(), "all to get through", patience_s=HEALS_WITHIN_S)
    finally:
        heal(world, till)


def test_an_old_push_that_comes_after_newer_ones_changes_nothing(shop: tuple[World, Till, Cashier]) -> None:
    """The first is held up, sent again, others follow; then the first arrives in the end, and again."""
    world, till, cashier = shop
    cashier.sell()
    heal(world, till)
    line = network_of(world)
    line.mode = lambda _, path: "keep" if path.endswith("/ops") else "pass"
    cashier.sell(SALES)
    wait_for(lambda: len(line.kept) >= 2, "two pushes to be held up")
    heal(world, till)
    cashier.sell(SALES)
    heal(world, till)
    effects = "SELECT * FROM movements ORDER BY position"
    before, line.statuses = at_cloud(world.cloud_db, effects), []
    line.deliver()
    assert line.statuses
    assert at_cloud(world.cloud_db, effects) == before
    cashier.sell()
    heal(world, till)


def test_a_push_that_arrives_long_after_the_till_gave_up_counts_once(shop: tuple[World, Till, Cashier]) -> None:
    """Minutes in life, several times the till's patience here: it has sent the ops again by then, or does so later."""
    world, till, cashier = shop
    cashier.sell()
    heal(world, till)
    acked = till.last_seq()
    line = network_of(world)
    late = line.count("late", "/ops")
    line.mode = lambda _, path: "late" if path.endswith("/ops") else "pass"
    cashier.sell(SALES)
    line.wait_count("late", "/ops", late + 2)
    wait_for(lambda: ops_at_cloud(world, till) > acked, "the cloud to carry out what nobody waits for")
    assert till.admin.ask("GET", "/v1/sync")["waiting"] == SALES
    heal(world, till)


class Away(NamedTuple):
    """An answer that sends the till away. `quiet`: it asks for peace, and gets it, for `most_s` at most: what it asks
    for, or what anybody may."""

    answer: bytes
    quiet: bool = False
    most_s: int = 61


QUIET_S = 2.0
ROUND_OVER_MS = 5_000
"""Longer than any pause between polls: a till that waits so long has ended its round."""
SHARED_S = 121
"""Two minutes, and the second by which tills that were told the same are spread."""
SLOT_S = 600
AWAY = {
    "429 in a minute": Away(refusal("429 Too Many Requests", "60"), quiet=True),
    "503 with a slot": Away(refusal("503 Unavailable", retry_after_ms=60_456), quiet=True),
    "503 in thirty years": Away(refusal("503 Unavailable", str(10**9)), quiet=True, most_s=SHARED_S),
    "503 in the year 9999": Away(
        refusal("503 Unavailable", "Fri, 31 Dec 9999 23:59:59 GMT"), quiet=True, most_s=SHARED_S
    ),
    "503 with an absurd slot": Away(refusal("503 Unavailable", retry_after_ms=10**15), quiet=True, most_s=SLOT_S),
    "503 five seconds ago": Away(refusal("503 Unavailable", "-5")),
    "503 with garbage": Away(refusal("503 Unavailable", "soon \xff; <b>")),
    "503 with a garbage slot": Away(refusal("503 Unavailable", retry_after_ms='"NaN"')),
}


def exchanges(line: Network) -> int:
    """How often the till has pushed or pulled; how it is, and its policy, are asked aside, each at its own pace."""
    return sum(path.partition("?")[0].endswith(("/ops", "/changes")) for _, path, _ in line.seen)


def send_away(world: World, till: Till, cashier: Cashier, away: Away) -> None:
    """Sales while the cloud sends the till away as it says; AssertionError when it asks again before its time."""
    cashier.sell()
    heal(world, till)
    acked = till.last_seq()
    line = network_of(world)
    line.mode = away.answer
    try:
        cashier.sell(SALES)
        # A push that was refused is told before its round is over, which may still ask for changes.
        least_ms = ROUND_OVER_MS if away.quiet else 0
        seen = till.wait_status(
            lambda s: s["sync"]["last_error"] and s["sync"]["retry_in_ms"] >= least_ms, "the till to be sent away"
        )
        assert seen["sync"]["last_error"].startswith(("cloud_busy:", "busy:"))
        asked = exchanges(line)
        if away.quiet:
            cashier.sell(SALES)
            time.sleep(QUIET_S)
            assert exchanges(line) == asked, f"the till asks before its time: {line.seen[-4:]}"
        check_acknowledged(world, till, acked)
        assert ops_at_cloud(world, till) == acked
    finally:
        line.mode = "pass"
    if away.quiet:
        # It will come by itself; a test does not wait so long, and IT need not either.
        assert 0 < till.status()["sync"]["retry_in_ms"] <= away.most_s * 1_000
        till.admin.ask("POST", "/v1/sync")
    heal(world, till)


@pytest.mark.parametrize("kind", AWAY)
def test_a_cloud_that_sends_a_till_away_is_asked_again_when_it_said(
    shop: tuple[World, Till, Cashier], kind: str
) -> None:
    """Good advice is kept to, absurd advice for minutes, garbage is none; sales go on meanwhile."""
    send_away(*shop, AWAY[kind])


@pytest.mark.mutants
def test_a_till_that_hears_no_advice_is_found_out(world_of_network: World) -> None:
    """Mutant: it asks again at once whatever it is told."""
    till = world_of_network.till(request_timeout_ms=REQUEST_TIMEOUT_MS).start("hears-no-advice").wait_members()
    with pytest.raises(AssertionError, match=r"before its time|to be sent away"):
        send_away(world_of_network, till, Cashier(till, random.Random(SEED)), AWAY["429 in a minute"])


def test_a_till_that_believes_lost_pushes_to_have_arrived_is_found_out(world_of_network: World) -> None:
    """Mutant: what broke off in mid-answer is taken for carried out. Once a push was lost all is, so that no hello can
    mend what the till believes before it is looked at; a poll that is lost first would have it push nothing."""
    world, line = world_of_network, network_of(world_of_network)
    till = world.till(request_timeout_ms=REQUEST_TIMEOUT_MS).start("believes-in-luck").wait_members()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell()
    heal(world, till)
    acked = till.last_seq()
    line.mode = lambda _, path: "lose" if path.endswith("/ops") or line.count("lose", "/ops") else "pass"
    cashier.sell(SALES)
    line.wait_count("lose", "/ops")
    with pytest.raises(LostError):
        wait_for(lambda: check_acknowledged(world, till, acked), "a lost push to be believed")


def test_a_cloud_that_applies_what_arrives_twice_is_found_out(tmp_path: Path, forking_chain: Chain) -> None:
    """Mutant: the second arrival of the same bytes moves points again."""
    with World(tmp_path, forking_chain, Network()) as world:
        world.start_cloud("applies-again")
        till = world.till(request_timeout_ms=REQUEST_TIMEOUT_MS).start().wait_members()
        with pytest.raises(DoubledError):
            go_through(world, till, Cashier(till, random.Random(SEED)), BEARABLE[0])
