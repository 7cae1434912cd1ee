"""Grants over real sockets: pages that tell of them, a hold that waits for a recall, the job at work."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from integration.cloud.cloud_http_kit import TillClient, served
from kit.loops import run
from till_cloud.centre import Centre
from till_cloud.jobs.service import JobsService
from till_cloud.store import meta
from till_sync.asking import GrantAnswer, HoldAnswer
from till_sync.ops import GrantReleaseBody
from till_sync.wire import ChangesAnswer, GrantRow, HelloAnswer
from unit.cloud.cloud_kit import Chain
from unit.cloud.grants_kit import lending


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.db"


async def ready(chain: Chain, client, name: str) -> TillClient:
    """A till that has pushed and asks for grants."""
    till = TillClient(client, chain.till(name))
    till.till.sale(f"{name}-first")
    assert (await till.push()).status_code == 200
    assert (await till.changes(grants=1)).status_code == 200
    return till


async def grants(till: TillClient, since: str = "") -> tuple[list[GrantRow], str]:
    page = msgspec.json.decode((await till.changes(since=since, grants=1)).content, type=ChangesAnswer)
    return [row for row in page.rows if isinstance(row, GrantRow)], page.next


async def asked(till: TillClient, member: str, points: int = 0):
    body = {"member_id": member, "points": points}
    return await till.client.post(f"/v1/tills/{till.till.name}/grants", json=body, headers=till.headers)


def test_a_till_asks_for_a_grant_and_its_next_page_tells_it(path: Path) -> None:
    """With `grants=1`; without, there is no such row."""

    async def case() -> None:
        async with served(path, rules=lending()) as (chain, client):
            chain.member("m-1", points=500)
            till = await ready(chain, client, "k1")
            answer = msgspec.json.decode((await asked(till, "m-1", 300)).content, type=GrantAnswer)
            assert (answer.grant.points, answer.grant.epoch) == (300, 1)
            rows, _ = await grants(till)
            assert rows == [answer.grant]
            assert b'"grant"' not in (await till.changes(since="")).content

    run(case())


def test_only_the_till_itself_may_ask(path: Path) -> None:
    """Another till's token is no good."""

    async def case() -> None:
        async with served(path, rules=lending()) as (chain, client):
            chain.member("m-1", points=500)
            till, other = await ready(chain, client, "k1"), await ready(chain, client, "k2")
            till.headers = other.headers
            assert (await asked(till, "m-1", 300)).status_code == 401

    run(case())


@pytest.mark.parametrize("answers", [True, False])
def test_a_hold_waits_a_moment_for_lent_points(path: Path, *, answers: bool) -> None:
    """The holder hears of it by its long poll and gives back; without it the till is told that points are lent."""

    async def case() -> None:
        async with served(path, rules=lending()) as (chain, client):
            chain.member("m-1", points=500)
            till, other = await ready(chain, client, "k1"), await ready(chain, client, "k2")
            await asked(till, "m-1", 400)
            _, cursor = await grants(till)

            async def give_back() -> None:
                page = await till.changes(since=cursor, grants=1, wait=20_000)
                rows = [
                    row for row in msgspec.json.decode(page.content, type=ChangesAnswer).rows if hasattr(row, "recall")
                ]
                body = GrantReleaseBody(**till.till.common("g"), member_id="m-1", points=rows[-1].recall)
                till.till.add(body)
                await till.push(till.till.request(2, protocol=3))

            giving = asyncio.create_task(give_back()) if answers else None
            fields = {"hold": "h1", "till": "k2", "sale_uid": "a", "member_id": "m-1", "points": 350}
            response = await other.hold(**fields)
            if giving is None:
                assert (response.status_code, response.json()["code"]) == (409, "points_lent")
                assert (response.json()["available"], response.json()["lent"]) == (100, 400)
                assert response.json()["retryable"] is True
                return
            await giving
            hold = msgspec.json.decode(response.content, type=HoldAnswer)
            assert (hold.points, hold.held) == (350, 350)

    run(case())


def test_the_running_cloud_lends_by_itself(path: Path) -> None:
    """A purchase puts points at hand of the store's tills soon after, and the long poll brings them."""

    async def case() -> None:
        async with served(path, rules=lending()) as (chain, client):
            chain.member("m-1", points=500)
            till = await ready(chain, client, "k1")
            jobs = JobsService(chain.centre, lending_period_s=0.05)
            jobs.start()
            try:
                till.till.sale("a", "m-1", 1_000)
                await till.push(till.till.request(2))
                rows: list[GrantRow] = []
                while not rows:
                    rows, _ = await grants(till)
                    await asyncio.sleep(0.02)
                assert rows[0].points == 600
            finally:
                await jobs.stop()

    run(case())


def test_a_greeting_brings_the_key_of_vouchers(path: Path) -> None:
    """It stays the same over restarts."""

    async def key() -> str:
        async with served(path) as (chain, client):
            name = f"k{len(chain.rows('SELECT 1 FROM tills')) + 1}"
            till = TillClient(client, chain.till(name))
            return msgspec.json.decode((await till.hello()).content, type=HelloAnswer).cloud_key

    first = run(key())
    assert len(first) == 64
    assert run(served_again(path)) == first


async def served_again(path: Path) -> str:
    centre = await asyncio.to_thread(Centre, path)
    try:
        return await asyncio.to_thread(centre.read, meta.cloud_key)
    finally:
        centre.close()
