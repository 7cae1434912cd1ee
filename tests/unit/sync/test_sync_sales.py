"""Asking the cloud about another till's sale: what the gateway hands on, and what it calls everything else."""

from typing import Any

import pytest
from msgspec.structs import replace

from kit.loops import run
from till_loyalty.results import Calculation
from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudUnreachable, SaleRefused
from till_sync.ops import Subject
from till_sync.retry import Line
from till_sync.sales import CloudSaleGateway
from till_sync.transport import Reply
from unit.sync.sync_fakes import TILL, WALL_MS, FakeClock, FakeCloud, FixedRandom, json_reply, problem_reply

ANSWER = SaleAnswer(
    till="t9",
    store="s1",
    sale_uid="u1",
    op="t9:1:1",
    number="77",
    date="2026-01-31",
    at_wall_ms=WALL_MS,
    subject=Subject(member_id="m-1"),
    tier="",
    voided=False,
    result=Calculation(programme_id="p", programme_version=1, total_minor=0, payable_minor=0, lines=()),
    reversals=(),
    usage=(),
    server_time_ms=WALL_MS,
)
CHOICE = SaleChoice(till="t9", store="s1", number="77", date="2026-01-31", at_wall_ms=WALL_MS, total_minor=100)


class Bench:
    def __init__(self, *replies: Any) -> None:
        clock = FakeClock()
        self.cloud = FakeCloud(clock)
        self.cloud.script["u1"] = list(replies)
        self.line = Line(FixedRandom())
        self.line.succeeded()
        client = CloudClient(self.cloud, till=TILL, token="secret", clock=clock)
        self.gateway = CloudSaleGateway(client, self.line)

    def find(self, **narrower: str) -> SaleAnswer:
        return run(self.gateway.find(SaleQuestion(sale_uid="u1", **narrower), budget_ms=800))


def test_the_question_is_a_get_that_names_what_is_known() -> None:
    """The uid in the path, the rest in the query, and nothing that is not known."""
    bench = Bench(json_reply(ANSWER), json_reply(ANSWER))
    assert bench.find(of_till="t9", number="7 7").op == "t9:1:1"
    assert bench.find() == ANSWER
    assert [(each.method, each.path) for each in bench.cloud.requests] == [
        ("GET", f"/v1/tills/{TILL}/sales/u1?of_till=t9&number=7+7"),
        ("GET", f"/v1/tills/{TILL}/sales/u1"),
    ]


def test_none_and_several_are_answers_and_the_line_is_well() -> None:
    """The choices come along; those that can't be read are left out."""
    several = problem_reply(409, "sale_ambiguous", choices=[CHOICE])
    strange = problem_reply(409, "sale_ambiguous", choices="none of your business")
    bench = Bench(problem_reply(404, "sale_unknown"), several, strange)
    told = []
    for _ in range(3):
        with pytest.raises(SaleRefused) as caught:
            bench.find()
        told.append((caught.value.code, caught.value.choices))
    assert told == [("sale_unknown", ()), ("sale_ambiguous", (CHOICE,)), ("sale_ambiguous", ())]
    assert bench.gateway.online


@pytest.mark.parametrize(
    ("reply", "online"),
    [
        (problem_reply(404, "not_found"), True),
        (problem_reply(409, "sale_too_long"), True),
        (problem_reply(401, "token_invalid"), True),
        (problem_reply(503, "busy"), False),
        (Reply(200, {"content-type": "text/html"}, b"<html>pay for the wifi</html>"), False),
        (CloudUnreachable("no route"), False),
        (json_reply(replace(ANSWER, sale_uid="x")), True),
    ],
)
def test_whatever_else_comes_back_nothing_is_known(reply: Any, online: bool) -> None:
    """A cloud that does not know the question, or answers another one, tells as little as one that is not there."""
    bench = Bench(reply)
    with pytest.raises(CloudUnreachable):
        bench.find()
    assert bench.gateway.online is online


def test_a_sale_of_another_till_than_was_named_is_no_answer() -> None:
    bench = Bench(json_reply(ANSWER))
    with pytest.raises(CloudUnreachable):
        bench.find(of_till="t8")
