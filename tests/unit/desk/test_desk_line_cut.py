"""A hold that is larger than the till's own grant, and the line is cut at each moment of it: what lies here stays here
for the customer who waits, and nothing is spent twice."""

from collections.abc import Callable

import pytest

from fakes.till import FakeTill, anna
from till_agent.exceptions import CloudUnreachable, DeskProblem, HoldRefused
from till_sync.asking import HoldRequest
from unit.desk.test_desk_offline_spending import hold, member, refused, released, sell


def cut(till: FakeTill) -> None:
    """As the real gateway does when nobody answers."""
    till.gateway.online = False
    raise CloudUnreachable("no answer in time")


def kinds(till: FakeTill) -> list[str]:
    return [entry.kind for entry in till.journal.entries]


def test_cut_before_the_request_arrives() -> None:
    """Nothing was given back; the answer says how much can be spent, and the next try spends it."""
    till = FakeTill().know(anna()).lend(100)
    till.gateway.before_answer = lambda _request: cut(till)
    error = refused(till, 300, "u1")
    assert (error.code, error.extras["available_points"], error.retryable) == ("offline_limit", 100, True)
    assert released(till) == []
    assert sell(till, hold(till, 100).hold, 100).cover == "grant"
    assert kinds(till) == ["hold-release", "sale"]


def test_cut_before_the_answer_arrives() -> None:
    """The cloud may have reserved it: that is released by an op before what the till gives itself is used."""
    till = FakeTill().know(anna()).lend(100)
    till.gateway.lose_answer = True

    def lose(_request: HoldRequest) -> None:
        till.gateway.online = False

    gateway_reserve = till.gateway.reserve

    async def reserve(request: HoldRequest, *, budget_ms: int) -> object:
        try:
            return await gateway_reserve(request, budget_ms=budget_ms)
        except CloudUnreachable:
            lose(request)
            raise

    till.gateway.reserve = reserve  # type: ignore[method-assign, assignment]  # the fake of a line that goes with it
    error = refused(till, 300, "u1")
    assert (error.code, error.extras["available_points"]) == ("offline_limit", 100)
    assert len(till.gateway.reserved) == 1
    assert refused(till, 300, "u1").extras["available_points"] == 100
    assert hold(till, 100).hold.startswith("g-t1-")
    assert kinds(till) == ["hold-release"]


def _answers(till: FakeTill, *steps: Callable[[], None]) -> None:
    left = list(steps)

    def step(_request: HoldRequest) -> None:
        if left:
            left.pop(0)()

    till.gateway.before_answer = step


def lent() -> None:
    raise HoldRefused("points_lent", "lent", available_points=200)


def test_cut_after_the_cloud_asked_for_the_grant() -> None:
    """The one moment at which it is given back: the cloud had just answered. The same hold is asked for later."""
    till = FakeTill().know(anna()).lend(100)
    _answers(till, lent, lambda: cut(till))
    assert refused(till, 300, "u1").code == "cloud_unreachable"
    assert released(till) == [("m-anna", 100)]
    assert member(till).spendable_points == 0
    till.gateway.online = True
    assert hold(till, 300).hold == till.gateway.asked[0].hold
    assert released(till) == [("m-anna", 100)]


def test_a_disk_that_takes_nothing_when_the_grant_is_to_be_given_back() -> None:
    """Nothing is reserved, and it is said."""
    till = FakeTill().know(anna()).lend(100)

    def breaks() -> None:
        till.journal.broken = True
        lent()

    _answers(till, breaks)
    assert refused(till, 300, "u1").code == "journal_unavailable"


def test_a_cloud_that_has_not_enough_counts_what_lies_here() -> None:
    """It says what is free there; what was lent to this till can be spent as well."""
    till = FakeTill().know(anna()).lend(100)
    till.gateway.points["m-anna"] = 120
    error = refused(till, 400, "u1")
    assert (error.code, error.extras["available_points"]) == ("insufficient_points", 220)
    assert error.detail == "expected at most 220 points, not 400"
    assert released(till) == []


@pytest.mark.parametrize("wish", [300, 250])
def test_while_the_line_is_there_the_lost_hold_is_asked_for_again_or_given_back_first(wish: int) -> None:
    """As before there were grants."""
    till = FakeTill().know(anna()).lend(100)
    till.gateway.lose_answer = True
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till, 300)
    till.gateway.lose_answer = False
    held = hold(till, wish) if wish == 300 else None
    if held is not None:
        assert held.hold == till.gateway.asked[0].hold
    else:
        till.gateway.points["m-anna"] = 1_000
        assert hold(till, wish).hold != till.gateway.asked[0].hold
        assert kinds(till) == ["hold-release"]
