"""Asking the cloud who somebody is: what the gateway hands on, and that it rests where it has asked too much."""

from typing import Any

import pytest
from msgspec import structs

from kit.loops import run
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudUnreachable
from till_sync.meeting import CloudMemberGateway
from till_sync.phone_tags import PhoneTags
from till_sync.retry import Line
from unit.sync.sync_fakes import TILL, WALL_MS, FakeClock, FakeCloud, FixedRandom, json_reply, problem_reply

NOBODY = MemberAnswer(incarnation="i", epoch=1, acked_seq=0, server_time_ms=WALL_MS)
QUESTION = MemberQuestion(tags=("card:" + "0" * 32,))


class Bench:
    def __init__(self, *replies: Any) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.cloud.script["members"] = list(replies)
        self.line = Line(FixedRandom())
        self.line.succeeded()
        self.client = client = CloudClient(self.cloud, till=TILL, token="secret", clock=self.clock)
        self.gateway = CloudMemberGateway(client, self.line)

    def find(self) -> MemberAnswer:
        return run(self.gateway.find(QUESTION, budget_ms=800))

    def refused(self) -> str:
        with pytest.raises(CloudUnreachable) as caught:
            self.find()
        return caught.value.code


def too_many(**waiting: Any) -> Any:
    return problem_reply(429, "too_many_questions", **waiting)


@pytest.mark.parametrize(
    ("waiting", "rest_ms"),
    [
        ({"retry_after_ms": 90_500}, 90_500),
        ({"headers": {"retry-after": "7"}}, 7_000),
        ({"retry_after_ms": 3_600_000}, 600_000),  # a till looks again now and then, whatever it is told
    ],
)
def test_a_till_that_asked_too_much_rests_until_it_may_ask_again(waiting: dict[str, Any], rest_ms: int) -> None:
    """Without a round trip for each customer; all else goes on over the line, which is well."""
    bench = Bench(too_many(**waiting), json_reply(NOBODY))
    assert bench.refused() == "too_many_questions"
    assert (bench.gateway.online, bench.line.online) == (False, True)
    assert bench.refused() == "too_many_questions"
    bench.clock.mono += rest_ms - 1
    assert (bench.gateway.online, bench.refused()) == (False, "too_many_questions")
    assert len(bench.cloud.requests) == 1
    bench.clock.mono += 1
    assert bench.gateway.online
    assert bench.find() == NOBODY


def test_which_tags_the_row_has_is_heard_with_it() -> None:
    """A chain that has just begun with slow ones; a cloud that does not say changes nothing."""
    bench = Bench(json_reply(structs.replace(NOBODY, phone_cost=2)), json_reply(NOBODY))
    assert bench.client.phone_tags is None
    for _ in range(2):
        bench.find()
        assert bench.client.phone_tags == PhoneTags(cost=2)


@pytest.mark.parametrize(
    "reply",
    [
        too_many(),  # a cloud of a former release says no time
        problem_reply(503, "busy", retry_after_ms=60_000),
        problem_reply(404, "not_found"),
    ],
)
def test_whatever_else_is_refused_is_asked_about_again(reply: Any) -> None:
    bench = Bench(reply, json_reply(NOBODY))
    bench.refused()
    assert (bench.gateway.online, bench.line.online) == (True, True)
    assert bench.find() == NOBODY
