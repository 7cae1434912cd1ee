"""A till of 0.1.0 starts as one of today: its queue is the same and goes out whole, its answers stay as they were."""

import contextlib
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, settings_for
from integration.upgrade.upgrade_kit import (
    TILL,
    LiveCloud,
    answers,
    by_place,
    expected,
    golden_cloud,
    live_cloud,
    named_members,
    opened_journal,
    queue,
    unpack,
    wanted_balances,
)
from kit.loops import run
from kit.waiting import wait_for
from till_cloud.ingest import push
from till_cloud.verify import verify
from till_config.settings import CloudSettings
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity
from till_sync.ops import NEWEST_PROTOCOL, PROTOCOL

OPS, ACKED = 58, 14
STATES = ("till", "till-cut")
OPEN_HOLD = "100 points of m-boris, asked for before the upgrade, which no sale can use after it"
CACHE_VERSION = 3
GOLDEN_CACHE_VERSION = 1
BLOCKED = "m-emil"
CARDLESS = "2900000000926"
SPOILT = 30
"""A waiting row: a sale."""


def agent_on(state_dir: Path, url: str = "") -> Any:
    """Today's agent on a golden state directory."""
    return live_agent(settings_for(state_dir, cloud=CloudSettings(url=url, poll_interval_ms=100, spread_ms=0)))


def cache_version(state_dir: Path) -> int:
    connection = sqlite3.connect(state_dir / "cache.db")
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def drained(agent: LiveAgent) -> None:
    """Nothing waits any more, and the cache has every page."""
    core = agent.running.agent.core

    def done() -> bool:
        return not core.journal.figures.waiting and core.cache.as_of_ms > 0 and not core.cache.filling

    agent.wait_for(done)


def spoil_row(journal: Path, seq: int) -> None:
    """Change one character of a body, as a bad disk does."""
    with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        (body,) = connection.execute("SELECT body FROM entries WHERE id & 1099511627775 = ?", (seq,)).fetchone()
        changed = body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]
        connection.execute("UPDATE entries SET body = ? WHERE id & 1099511627775 = ?", (changed, seq))


def release_of_open_hold(cloud: LiveCloud) -> None:
    """The old code still held it; the restarted till has given it back by an op of its own."""
    assert cloud.rows("SELECT state FROM holds WHERE state = 'open'") == []
    assert cloud.rows("SELECT held FROM balances WHERE held <> 0") == []


@pytest.mark.parametrize("state", STATES)
def test_the_queue_is_the_same(tmp_path: Path, state: str) -> None:
    """Same count and same hash of all waiting rows; no new epoch, no damage, nothing lost by the witness."""
    state_dir = unpack(state, tmp_path / "state")
    before = queue(unpack(state, tmp_path / "untouched") / "journal.db")
    assert before[0] == OPS - ACKED

    async def look() -> None:
        async with opened_journal(state_dir) as journal:
            figures = journal.figures
            assert (figures.epoch, figures.last_seq, figures.acked_seq, figures.waiting) == (1, OPS, ACKED, OPS - ACKED)
            assert journal.report.reason == ""
            assert journal.report.damage is None
            assert await journal.verify() == OPS

    run(look())
    assert queue(state_dir / "journal.db") == before
    run(look())
    assert queue(state_dir / "journal.db") == before


@pytest.mark.parametrize("state", STATES)
def test_the_queue_goes_out_whole_into_the_upgraded_cloud(tmp_path: Path, state: str) -> None:
    """Every verdict and balance is what the old till and the old cloud would have come to; the ledger adds up."""
    state_dir = unpack(state, tmp_path / "state")
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, agent_on(state_dir, cloud.url) as agent:
        drained(agent)
        assert cloud.acked() >= OPS
        found = cloud.rows(
            "SELECT seq, kind, uid, status, code, effect_points FROM ops WHERE till = ? AND seq <= ? ORDER BY seq",
            TILL,
            OPS,
        )
        assert found == expected()["verdicts"]
        assert by_place(cloud.balances()) == by_place(wanted_balances())
        lots = "SELECT member_id, issued, left, used, expired, reversed FROM lots ORDER BY member_id, lot"
        assert [row for row in cloud.rows(lots) if row[0] in named_members()] == [
            row for row in expected()["lots"] if row[0] in named_members()
        ]
        agent.wait_for(lambda: not cloud.rows("SELECT 1 FROM holds WHERE state = 'open'"))
        release_of_open_hold(cloud)
        checked = cloud.read(verify)
        assert checked.holds, checked.breaches
        kept = agent.on_loop(lambda: agent.running.agent.core.journal.list_newest(100))
        assert [op.status for op in kept[::-1][:OPS]] == [verdict[3] for verdict in expected()["verdicts"]]


def test_what_members_bought_before_is_counted(tmp_path: Path) -> None:
    """0.1.0 counted no purchases: the upgrade counts those that it finds, and the cloud those that waited. Sales that
    were voided, or whose goods all came back, are none."""
    state_dir = unpack("till", tmp_path / "state")
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, agent_on(state_dir, cloud.url) as agent:
        drained(agent)
        found = cloud.rows("SELECT member_id, purchases FROM members WHERE purchases > 0 ORDER BY member_id")
    # Sales to a blocked member are no purchases; whether he was blocked when they were made, 0.1.0 did not note.
    known = named_members() - {BLOCKED}
    assert {who: count for who, count in found if who in known} == {w: n for w, n in purchases().items() if w in known}


def purchases() -> dict[str, int]:
    """By member, from what the cash software of both tills was answered."""
    kept: dict[str, str] = {}
    left: dict[str, dict[int, int]] = {}
    for _till, kind, uid, _request, answer in expected()["answers"]:
        told = json.loads(answer)
        if kind == "sale" and told["member"]:
            kept[uid] = told["member"]["reference"]
            left[uid] = {line["number"]: line["quantity_thousandths"] for line in told["calculation"]["lines"]}
        elif kind == "void":
            kept.pop(uid, None)
        elif kind == "return":
            for line in told["reversal"]["lines"]:
                if told["sale_uid"] in left:
                    left[told["sale_uid"]][line["number"]] -= line["quantity_thousandths"]
            if not any(left.get(told["sale_uid"], {}).values()):
                kept.pop(told["sale_uid"], None)
    counts = Counter(kept.values())
    return {who: counts[who] for who in sorted(named_members()) if counts[who]}


def test_sales_go_on_while_the_cache_is_filled_again(tmp_path: Path) -> None:
    """The cache of the old version is replaced by an empty one: with no line sales accrue to the card, whose owner
    the cloud then finds; with the line everybody is known again, and nothing was sold twice or lost."""
    state_dir = unpack("till", tmp_path / "state")
    assert cache_version(state_dir) == GOLDEN_CACHE_VERSION
    card = json.loads(answers("sale")["k1-001"][0])["member"]["card"]
    database = golden_cloud(tmp_path / "cloud")
    with agent_on(state_dir) as agent:
        core = agent.running.agent.core
        assert core.cache.member_count == 0
        assert agent.on_loop(lambda: core.journal.figures.waiting) >= OPS - ACKED
        sold = body_of(agent.call("PUT", "/v1/sales/new-1", sale(card, 100_000)))
        assert sold["member"]["known"] is False
        assert sold["offline"] is True
    assert cache_version(state_dir) == CACHE_VERSION
    with live_cloud(database) as cloud, agent_on(state_dir, cloud.url) as agent:
        count = 0
        while agent.running.agent.core.cache.filling or count < 5:
            count += 1
            body_of(agent.call("PUT", f"/v1/sales/new-{count + 1}", sale(card, 100_000)))
        drained(agent)
        core = agent.running.agent.core
        assert core.cache.member_count == len(cloud.balances())
        wanted = wanted_balances()["m-anna"][0] + 5_000 * (1 + count)

        def shown() -> dict[str, Any]:
            return body_of(agent.call("POST", "/v1/identify", {"card": card}))

        # What a sale gave that was made before the programme came is known once the verdict is in the cache too, which
        # is a moment after the journal has it.
        wait_for(lambda: shown()["balance_points"] == wanted, "the last verdict to reach the cache")
        member = shown()
        assert cloud.balances()["m-anna"][0] == member["balance_points"]
        assert member["unconfirmed_points"] == 0
        checked = cloud.read(verify)
        assert checked.holds, checked.breaches


def sale(card: str, *amounts: int) -> dict[str, Any]:
    """Bread for these amounts: 5 % of the golden programme."""
    lines = [{"number": n, "sku": "bread", "amount_minor": amount} for n, amount in enumerate(amounts, start=1)]
    return {"receipt": {"lines": lines}, "member": {"card": card}, "print_slip": False}


@pytest.mark.parametrize("filled", [False, True], ids=["no line", "drained"])
def test_what_was_answered_is_answered_byte_for_byte(tmp_path: Path, filled: bool) -> None:
    """Every sale, void and return of the old till, asked for again as the cash software first did."""
    state_dir = unpack("till", tmp_path / "state")
    with (
        live_cloud(golden_cloud(tmp_path / "cloud")) as cloud,
        agent_on(state_dir, cloud.url if filled else "") as agent,
    ):
        if filled:
            drained(agent)
        before = agent.running.agent.core.journal.figures.last_seq
        asked = 0
        for kind, path in (("sale", "/v1/sales/{}"), ("return", "/v1/returns/{}"), ("void", "/v1/sales/{}/void")):
            for uid, (request, answer) in answers(kind).items():
                method = "POST" if kind == "void" else "PUT"
                reply = agent.call(method, path.format(uid), request.encode() if request else None)
                assert reply.status == 200, (kind, uid, reply.body)
                assert reply.body == answer.encode(), (kind, uid)
                assert reply.headers["idempotent-replay"] == "true"
                asked += 1
        assert asked == OPS - 2, "all but the two hold-releases, which are nobody's request"
        assert agent.running.agent.core.journal.figures.last_seq - before <= 1, OPEN_HOLD


def test_another_request_under_an_old_uid_is_refused(tmp_path: Path) -> None:
    """The digest of a request is the same in both versions, so another one is told from it."""
    with agent_on(unpack("till", tmp_path / "state")) as agent:
        request = json.loads(answers("sale")["k1-001"][0])
        request["receipt"]["lines"][0]["amount_minor"] += 1
        reply = agent.call("PUT", "/v1/sales/k1-001", request)
        assert (reply.status, reply.code) == (409, "uid_conflict")


def test_sales_of_before_the_upgrade_come_back_after_it(tmp_path: Path) -> None:
    """A return of an acknowledged sale, of a waiting one, one of spent points, and voids: in figures as ever."""
    state_dir = unpack("till", tmp_path / "state")
    done = {uid: json.loads(answer) for uid, (_request, answer) in answers("sale").items()}
    gone = {json.loads(asked)["sale_uid"] for asked, _answer in answers("return").values()} | set(answers("void"))
    acked = [uid for uid in ("k1-002", "k1-005") if uid not in gone]
    waiting = [uid for uid in sorted(done) if uid > "k1-020" and uid not in gone][:4]
    backs = {*acked[:1], *waiting[:2], "k1-late"}
    voids = {*acked[1:], *waiting[2:]}
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud:
        with agent_on(state_dir) as agent:
            for uid in sorted(backs):
                back = body_of(agent.call("PUT", f"/v1/returns/back-{uid}", {"sale_uid": uid}))
                assert back["reversal"]["points_taken"] == done[uid]["calculation"].get("earned_points", 0)
                assert back["reversal"]["points_back"] == done[uid]["calculation"].get("redeemed_points", 0)
            for uid in sorted(voids):
                body_of(agent.call("POST", f"/v1/sales/{uid}/void"))
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
            agent.wait_for(lambda: not cloud.rows("SELECT 1 FROM holds WHERE state = 'open'"))
        verdicts = {
            row[0]: row[1:] for row in cloud.rows("SELECT uid, status, effect_points FROM ops WHERE seq > ?", OPS)
        }
        counted = {row[2]: row for row in expected()["verdicts"] if row[1] == "sale"}
        for uid in backs | voids:
            status, effect = counted[uid][3], counted[uid][5]
            assert verdicts[f"back-{uid}" if uid in backs else uid] == [status, -effect], uid
        checked = cloud.read(verify)
        assert checked.holds, checked.breaches


def test_a_registration_waits_for_a_cloud_that_does_not_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The till is upgraded before the cloud: sales of before go out, the new member is kept until the cloud can read
    of them, and pages come all the same. 0.1.0 would have rejected the op for ever."""
    state_dir = unpack("till", tmp_path / "state")
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud:
        monkeypatch.setattr(push, "NEWEST_PROTOCOL", PROTOCOL)
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
        with agent_on(state_dir) as agent:
            before = agent.running.agent.core.journal.figures.last_seq
            body_of(agent.call("PUT", "/v1/sales/early", sale(CARDLESS, 1_000)))
            person = {"uid": "reg", "phone": "+77010000444", "consent": {"version": "1", "given": True}}
            assert body_of(agent.call("POST", "/v1/members", person))["state"] == "registered"
            body_of(agent.call("PUT", "/v1/sales/late", sale(CARDLESS, 1_000)))
        with agent_on(state_dir, cloud.url) as agent:
            worker = agent.running.agent.core.worker
            assert worker is not None
            agent.wait_for(lambda: worker.status.halted == "protocol_unsupported" and worker.status.online)
            assert cloud.acked() == before + 1
            monkeypatch.setattr(push, "NEWEST_PROTOCOL", NEWEST_PROTOCOL)
            agent.call("POST", "/v1/sync", client="admin")
            drained(agent)
        found = cloud.rows("SELECT kind, uid, status FROM ops WHERE seq > ? ORDER BY seq", before)
        assert found == [["sale", "early", "applied"], ["register", "reg", "applied"], ["sale", "late", "applied"]]


def test_a_sale_is_shown_with_what_became_of_it(tmp_path: Path) -> None:
    """Looked up after the upgrade: its first answer, its return, and the old cloud's verdict."""
    with agent_on(unpack("till", tmp_path / "state")) as agent:
        first = body_of(agent.call("GET", "/v1/sales/k1-001"))
        assert (first["state"], first["sync"], len(first["returned"])) == ("returned_in_part", "applied", 2)
        adjusted = body_of(agent.call("GET", "/v1/sales/k1-011"))
        assert (adjusted["sync"], adjusted["sync_code"]) == ("adjusted", "points_differ")
        assert body_of(agent.call("GET", "/v1/sales/k1-010"))["state"] == "voided"
        assert body_of(agent.call("GET", "/v1/sales/k1-022"))["sync"] == "waiting"


def test_an_old_identity_gets_a_key_and_the_cloud_s_by_itself(tmp_path: Path) -> None:
    """0.1.0 wrote neither: the till hands in a key of its own at its first greeting, signs from then on, takes grants,
    and knows by which key vouchers are checked."""
    state_dir = unpack("till", tmp_path / "state")
    path = state_dir / IDENTITY_FILE
    before = json.loads(path.read_text("utf-8"))
    assert not {"private_key", "cloud_key"} & before.keys()
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, agent_on(state_dir, cloud.url) as agent:
        drained(agent)
        agent.wait_for(lambda: cloud.rows("SELECT public_key FROM tills WHERE till = ?", TILL) != [[""]])
        agent.wait_for(lambda: load_identity(path).cloud_key != "")
        after = load_identity(path)
        assert after.private_key != ""
        now = json.loads(path.read_text("utf-8"))
        assert {name: now[name] for name in before} == before
        assert path.stat().st_mode & 0o777 == 0o600
        unsigned = {"Authorization": f"Bearer {after.token}"}
        reply = httpx.get(f"{cloud.url}/v1/tills/{TILL}/hello", headers=unsigned, trust_env=False)
        assert reply.status_code in (401, 403), "the token alone is not enough any more"
        body_of(agent.call("PUT", "/v1/sales/signed", sale(CARDLESS, 1_000)))
        drained(agent)
        assert cloud.rows("SELECT takes_grants FROM tills WHERE till = ?", TILL) == [[1]]


def test_a_damaged_journal_of_before_is_salvaged(tmp_path: Path) -> None:
    """A changed bit in a waiting row that 0.1.0 wrote: what can be proven goes out, once; the one row is named."""
    state_dir = unpack("till", tmp_path / "state")
    spoil_row(state_dir / "journal.db", SPOILT)
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, agent_on(state_dir, cloud.url) as agent:
        drained(agent)
        damage = agent.running.agent.core.journal.report.damage
        assert damage is not None
        assert damage.salvage is not None
        assert (damage.salvage.lost, damage.salvage.sent_on) == (1, SPOILT - ACKED - 1)
        found = cloud.rows("SELECT epoch, seq FROM ops WHERE till = ? ORDER BY epoch, seq", TILL)
        kept = [[1, seq] for seq in range(1, SPOILT)]
        assert found[: len(kept)] == kept
        assert len(found) >= OPS - 1
        assert {epoch for epoch, _seq in found[len(kept) :]} == {2}
        checked = cloud.read(verify)
        assert checked.holds, checked.breaches


def test_an_old_epoch_that_waited_goes_out_first(tmp_path: Path) -> None:
    """0.1.0 had begun a second epoch over ops that waited, since its journal had lost rows: both go out, in order."""
    state_dir = unpack("till", tmp_path / "state")
    with contextlib.closing(sqlite3.connect(state_dir / "journal.db", isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO epochs (epoch, till, salt, made_wall_ms, reason) VALUES (2, ?, ?, 1763700000000, 'gap')",
            (TILL, "ab" * 16),
        )
    identity = load_identity(state_dir / IDENTITY_FILE).with_epoch(2)
    save_identity(state_dir / IDENTITY_FILE, identity)
    (state_dir / "journal.db-witness").unlink()
    with agent_on(state_dir) as agent:
        body_of(agent.call("PUT", "/v1/sales/newer", sale(CARDLESS, 1_000)))
        figures = agent.on_loop(lambda: agent.running.agent.core.journal.figures)
        assert (figures.epoch, figures.waiting) == (2, OPS - ACKED + figures.last_seq)
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, agent_on(state_dir, cloud.url) as agent:
        drained(agent)
        found = cloud.rows("SELECT epoch, count(*), max(seq) FROM ops WHERE till = ? GROUP BY epoch", TILL)
        assert found[0] == [1, OPS, OPS]
        assert found[1][0] == 2
        assert cloud.rows("SELECT status FROM ops WHERE uid = 'newer'") == [["adjusted"]], "sold with no rules at hand"
