"""The cloud's HTTP interface over real sockets: every path, every refusal a problem, long polls, load."""

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from integration.cloud.cloud_http_kit import TillClient, served
from kit.loops import run
from till_cloud import busy
from till_cloud.store import members
from till_cloud.store.connection import Gate
from till_cloud.store.writer import Writer
from till_sync.asking import HoldAnswer
from till_sync.wire import ChangesAnswer, EpochEnd, HelloAnswer, Limits, PushAnswer

PROBLEM = "application/problem+json"


def problem(response: httpx.Response, status: int, code: str) -> dict:
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM), response.text
    body = response.json()
    assert (body["code"], body["status"], body["type"]) == (
        code,
        status,
        "https://tillside.dev/problems/" + code.replace("_", "-"),
    )
    return body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.db"


def test_a_till_says_hello_pushes_pulls_and_holds(path: Path) -> None:
    """The whole conversation of a till, typed by the wire's own structs."""

    async def case() -> None:
        async with served(path) as (chain, client):
            chain.member("m-1", points=500)
            till = TillClient(client, chain.till())
            first = msgspec.json.decode((await till.hello()).content, type=HelloAnswer)
            assert (first.till, first.store, first.epoch, first.acked_seq, first.head_hash) == ("k1", "s1", 0, 0, "")
            fields = {"hold": "h-k1-1", "till": "k1", "sale_uid": "a", "member_id": "m-1", "points": 200}
            hold = msgspec.json.decode((await till.hold(**fields)).content, type=HoldAnswer)
            assert (hold.points, hold.held) == (200, 200)
            till.till.sale("a", "m-1", 10_000, redeem=200, hold="h-k1-1")
            answer = msgspec.json.decode((await till.push()).content, type=PushAnswer)
            assert (answer.acked_seq, answer.results[0].status, answer.results[0].balance) == (1, "applied", 1280)
            assert answer.incarnation == first.incarnation
            page = msgspec.json.decode((await till.changes(since="")).content, type=ChangesAnswer)
            assert (page.epoch, page.acked_seq, page.more) == (1, 1, False)
            again = msgspec.json.decode((await till.hello()).content, type=HelloAnswer)
            assert (again.epoch, again.acked_seq, again.head_hash) == (1, 1, till.till.heads[1])

    run(case())


def test_hello_tells_how_far_the_newest_of_the_former_epochs_went(path: Path) -> None:
    """By it a till knows what of that which waits again is through, when a newer backup took an older one's place."""

    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            ends: list[EpochEnd] = []
            for epoch in range(1, 12):
                for number in range(epoch):
                    till.till.sale(f"s-{epoch}-{number}")
                await till.push()
                told = msgspec.json.decode((await till.hello()).content, type=HelloAnswer)
                assert told.former == tuple(ends[:8])
                ends.insert(0, EpochEnd(epoch=epoch, seq=epoch, fingerprint=till.till.ops[-1].fingerprint))
                till.till.new_journal()

    run(case())


def test_an_ops_bytes_are_kept_exactly_as_sent(path: Path) -> None:
    """Blanks and the order of fields inside a body are the till's own; the fingerprint is over them."""

    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            raw = b'{ "kind" : "hold-release",\n"hold":"h-1", "uid":"u","store":"s1","at_wall_ms":1,"at_mono_ms":1,'
            raw += b' "boot":"\xc3\xa9"}'
            till.till.add_raw(raw)
            assert (await till.push()).json()["results"][0]["status"] == "applied"
            assert chain.rows("SELECT body FROM ops") == [(raw,)]

    run(case())


def test_without_its_token_a_till_gets_nothing(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            other = chain.till("k2")
            till.till.sale("a")
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {other.token}"}):
                till.headers = headers
                for response in (await till.push(), await till.hello(), await till.changes()):
                    problem(response, 401, "token_invalid")
                fields = {"hold": "h", "till": "k1", "sale_uid": "a", "member_id": "m-1", "points": 2}
                problem(await till.hold(**fields), 401, "token_invalid")
            assert chain.rows("SELECT count(*) FROM ops") == [(0,)]

    run(case())


def test_enrolment_is_open_to_who_has_the_code(path: Path) -> None:
    """A code is traded for a token once; wrong guesses are problems and are counted."""

    async def case() -> None:
        async with served(path) as (chain, client):
            from till_cloud import enrolment
            from till_cloud.store import tills

            def add(connection) -> str:  # type: ignore[no-untyped-def]  # as every work of the writer
                tills.add_till(connection, "k7", "s1", 0)
                return enrolment.issue_code(connection, "k7", chain.wall())

            code = chain.centre.write(add).result()
            wrong = await client.post("/v1/enrolments", json={"code": "k7.AAAA", "salt": "s"})
            problem(wrong, 403, "code_wrong")
            assert chain.rows("SELECT tries FROM enrolment_codes WHERE till = 'k7'") == [(1,)]
            answer = await client.post("/v1/enrolments", json={"code": code, "salt": "s"})
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
            problem(await client.post("/v1/enrolments", json={"code": code, "salt": "s"}), 409, "code_used")
            headers = {"Authorization": f"Bearer {answer.json()['token']}"}
            assert (await client.get("/v1/tills/k7/hello", headers=headers)).status_code == 200

    run(case())


def test_what_is_no_push_is_told_why(path: Path) -> None:
    async def case() -> None:
        async with served(path, limits=Limits(max_ops=2, max_bytes=20_000)) as (chain, client):
            till = TillClient(client, chain.till())
            for uid in "abc":
                till.till.sale(uid)
            problem(await till.push(raw=b"{"), 400, "body_malformed")
            problem(await till.push(raw=b"\xff\xfe"), 400, "body_malformed")
            body = problem(await till.push(raw=b'{"protocol":"1"}'), 422, "body_invalid")
            assert body["pointer"] == "/protocol"
            problem(await till.push(raw=b"{}", **{"Content-Type": "text/plain"}), 415, "not_json")
            problem(await till.push(till.till.request(protocol=9)), 426, "protocol_unsupported")
            assert problem(await till.push(), 413, "batch_too_large")["limits"]["max_ops"] == 2
            large = problem(await till.push(raw=b" " * 400_000), 413, "batch_too_large")
            assert large["limits"] == {"max_ops": 2, "max_bytes": 20_000}
            gap = problem(await till.push(till.till.request(2, 3)), 409, "seq_gap")
            assert (gap["expected_seq"], gap["retryable"]) == (1, False)
            assert (await till.push(till.till.request(1, 2))).status_code == 200
            problem(await client.get("/v1/nowhere"), 404, "not_found")
            problem(await client.get("/v1/enrolments"), 405, "method_not_allowed")

    run(case())


def test_a_refused_hold_says_what_is_there(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (chain, client):
            chain.member("m-1", points=100)
            till = TillClient(client, chain.till())
            fields = {"hold": "h", "till": "k1", "sale_uid": "a", "member_id": "m-1", "points": 101}
            assert problem(await till.hold(**fields), 409, "insufficient_points")["available"] == 100
            problem(await till.hold(**fields | {"points": 0}), 422, "body_invalid")
            problem(await till.hold(**fields | {"ttl_ms": 10}), 422, "body_invalid")

    run(case())


def test_cursors_and_numbers_of_a_pull_are_checked(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            problem(await till.changes(since="garbage"), 400, "cursor_invalid")
            problem(await till.changes(since="garbage", wait=1000), 400, "cursor_invalid")
            cursor = (await till.changes()).json()["next"]
            for query in (
                {"limit": 0},
                {"limit": 10_001},
                {"limit": "x"},
                {"limit": "१"},
                {"wait": -1},
                {"limit": "9" * 30},
            ):
                problem(await till.changes(since=cursor, **query), 400, "parameter_invalid")
            from till_cloud.store import meta

            chain.centre.write(lambda c: meta.set_incarnation(c, "next")).result()
            problem(await till.changes(since=cursor), 410, "cursor_gone")
            problem(await till.changes(since=cursor, wait=1000), 410, "cursor_gone")

    run(case())


async def waiting(till: TillClient, cursor: str, wait_ms: int = 25_000) -> "asyncio.Task[httpx.Response]":
    """A long poll that the cloud is known to hold."""
    task = asyncio.create_task(till.changes(since=cursor, wait=wait_ms))
    await asyncio.sleep(0.2)
    assert not task.done()
    return task


def test_a_long_poll_wakes_when_something_is_committed(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (chain, client):
            chain.member("m-1")
            till = TillClient(client, chain.till())
            cursor = (await till.changes()).json()["next"]
            poll = await waiting(till, cursor)
            till.till.sale("a", "m-1", 10_000)
            await till.push()
            rows = (await asyncio.wait_for(poll, 5)).json()["rows"]
            assert [(row["member_id"], row["balance"]) for row in rows] == [("m-1", 1000)]

    run(case())


def test_a_long_poll_wakes_when_another_process_commits(path: Path) -> None:
    """The command line has its own connection; nobody tells the server."""

    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            cursor = (await till.changes()).json()["next"]
            poll = await waiting(till, cursor)
            other = Writer(path)

            def add(connection) -> None:  # type: ignore[no-untyped-def]  # as every work of the writer
                from till_cloud.ledger.book import Book

                book = Book(connection, 0)
                profile = members.MemberProfile("m-9", "active", "", "", "", "", "", "")
                members.add(connection, profile, (), book.next_position(), 0)
                book.flush()

            await asyncio.to_thread(other.call, add)
            rows = (await asyncio.wait_for(poll, 5)).json()["rows"]
            assert [row["member_id"] for row in rows] == ["m-9"]
            await asyncio.to_thread(other.close)

    run(case())


def test_a_long_poll_ends_with_its_time_or_with_the_server(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            cursor = (await till.changes()).json()["next"]
            assert (await till.changes(since=cursor, wait=50)).json()["rows"] == []
            poll = await waiting(till, cursor)
        answer = (await asyncio.gather(poll, return_exceptions=True))[0]
        assert isinstance(answer, httpx.TransportError) or answer.json()["rows"] == []

    run(case())


def test_more_than_it_can_take_is_told_when_to_come_back(path: Path) -> None:
    """One push of a till at a time; a number of requests in all; both with a spread Retry-After."""

    async def case() -> None:
        async with served(path, busy=busy.Busy(1)) as (chain, client):
            one, two = TillClient(client, chain.till("k1")), TillClient(client, chain.till("k2"))
            one.till.sale("a")
            two.till.sale("a")
            arrived, go = asyncio.Event(), asyncio.Event()

            async def slowly():  # type: ignore[no-untyped-def]  # a body that arrives in two parts
                raw = msgspec.json.encode(one.till.request())
                yield raw[:10]
                arrived.set()
                await go.wait()
                yield raw[10:]

            headers = {**one.headers, "Content-Type": "application/json"}
            slow = asyncio.create_task(client.post("/v1/tills/k1/ops", content=slowly(), headers=headers))
            await arrived.wait()
            await asyncio.sleep(0.1)
            told = problem(await one.push(), 429, "push_under_way")
            assert told["retryable"]
            assert busy.RETRY_AFTER_MS <= told["retry_after_ms"] < busy.RETRY_AFTER_MS + busy.RETRY_SPREAD_MS
            full = await two.push()
            problem(full, 503, "busy")
            assert 1 <= int(full.headers["retry-after"]) <= 3
            go.set()
            assert (await slow).status_code == 200
            assert (await two.push()).status_code == 200

    run(case())


def test_a_database_that_cannot_be_written_is_said_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, ready no more; reads go on; afterwards everything is as before."""
    monkeypatch.setattr("till_cloud.store.connection.BUSY_TIMEOUT_MS", 300)

    async def case() -> None:
        async with served(path) as (chain, client):
            till = TillClient(client, chain.till())
            till.till.sale("a")
            assert (await client.get("/readyz")).text == "ready\n"
            gate = Gate(path)
            with gate.held():
                told = problem(await till.push(), 503, "store_unavailable")
                assert told["retryable"]
                problem(await client.get("/readyz"), 503, "store_unavailable")
                assert (await till.hello()).status_code == 200
                assert (await client.get("/livez")).text == "alive\n"
            gate.close()
            assert (await till.push()).json()["acked_seq"] == 1

    run(case())


def test_it_listens_on_loopback_only(path: Path) -> None:
    async def case() -> None:
        async with served(path) as (_chain, client):
            assert client.base_url.host == "127.0.0.1"
            port = client.base_url.port
            listening = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
            hosts = {line.split()[1].split(":")[0] for line in listening if line.split()[1].endswith(f":{port:04X}")}
            assert "00000000" not in hosts

    run(case())


def test_tills_in_parallel_lose_nothing(path: Path) -> None:
    """Eight tills, one member: batches that share commits, every one applied once."""

    async def case() -> None:
        async with served(path) as (chain, client):
            chain.member("m-1")
            tills = [TillClient(client, chain.till(f"k{n}")) for n in range(8)]

            async def day(till: TillClient) -> None:
                for number in range(10):
                    till.till.sale(f"u{number}", "m-1", 1_000)
                    response = await till.push(till.till.request(number + 1))
                    assert response.json()["results"][0]["status"] == "applied"

            await asyncio.gather(*[day(till) for till in tills])
            assert chain.balances("m-1") == (8 * 10 * 100, 0, 0)

    run(case())


def test_any_till_of_the_chain_may_ask_about_a_sale_and_nobody_else(tmp_path: Path) -> None:
    """By its own token only; a question that can't be read is a problem, not a guess."""

    async def case() -> None:
        async with served(tmp_path / "c.db") as (chain, client):
            seller, other = TillClient(client, chain.till("k1")), TillClient(client, chain.till("k2"))
            seller.till.sale("a", "", 10_000)
            assert (await seller.push()).status_code == 200
            path = "/v1/tills/k2/sales/a"
            found = await client.get(path, params={"of_till": "k1"}, headers=other.headers)
            assert (found.status_code, found.json()["op"]) == (200, "k1:1:1")
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=seller.headers)).status_code == 401
            gone = await client.get("/v1/tills/k2/sales/b", headers=other.headers)
            assert (gone.status_code, gone.json()["code"]) == (404, "sale_unknown")
            for bad in ({"date": "yesterday"}, {"of_till": "k" * 41}, {"number": "9" * 65}):
                answer = await client.get(path, params=bad, headers=other.headers)
                assert (answer.status_code, answer.json()["code"]) == (400, "parameter_invalid")

    run(case())
