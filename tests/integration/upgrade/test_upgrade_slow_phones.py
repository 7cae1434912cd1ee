"""A till and a cloud of 0.1.0, upgraded, whose chain gets slow tags of phones in the middle of the till's queue: all is
counted once, everybody is found by their phone, and the till keeps no fast tag of a member."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of
from integration.upgrade.test_upgrade_till import CARDLESS, agent_on, drained, sale
from integration.upgrade.upgrade_kit import TILL, LiveCloud, golden_cloud, live_cloud, unpack
from kit.waiting import wait_for
from till_cloud.ingest import push
from till_cloud.jobs import slow_phones
from till_cloud.store import meta, slow_tags
from till_cloud.verify import verify
from till_loyalty.identifiers import slow_tag, tag
from till_sync.identity import IDENTITY_FILE, load_identity
from till_sync.ops import NEWEST_PROTOCOL, SEALED_PROTOCOL
from till_sync.phone_tags import PhoneTags

COST = 2
BORIS, STRANGER, NEW = "+77010000002", "+77010000093", "+77010000555"


def switch(cloud: LiveCloud) -> None:
    """As `cloud privacy slow-phones --begin` and the running cloud's job do; a chain's cost is 8,192 at least."""
    centre = cloud.centre
    centre.write(lambda c: slow_tags.begin(c, COST)).result()
    done = slow_phones.run(
        centre.read,
        lambda work: centre.write(work).result(),
        cost=COST,
        registry=centre.registry,
        wall_ms=centre.wall_ms,
    )
    assert done >= 5


def fast(cloud: LiveCloud, phone: str) -> str:
    return tag(cloud.read(meta.identifier_key), "phone", phone)


def member(agent: LiveAgent, phone: str) -> dict[str, object]:
    return body_of(agent.call("POST", "/v1/identify", {"phone": phone}))


def bread(phone: str) -> dict[str, object]:
    return sale("", 1_000) | {"member": {"phone": phone}}


def cached_tags(state_dir: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(state_dir / "cache.db")) as connection:
        return {row[0].partition(":")[0] for row in connection.execute("SELECT tag FROM tags")}


def owned(cloud: LiveCloud, phone: str) -> list[str]:
    """Whose a phone is, by either tag."""
    names = (fast(cloud, phone), slow_tag(fast(cloud, phone), COST))
    found = cloud.rows("SELECT member_id FROM identifiers WHERE tag IN (?, ?)", *names)
    return [row[0] for row in found]


def test_a_queue_goes_out_across_the_switch_and_the_till_keeps_slow_tags_only(tmp_path: Path) -> None:
    state_dir = unpack("till", tmp_path / "state")
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud:
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
            boris = str(member(agent, BORIS)["reference"])
            assert boris == "m-boris"
        with agent_on(state_dir) as agent:
            body_of(agent.call("PUT", "/v1/sales/early", bread(NEW)))
        switch(cloud)
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
            agent.wait_for(lambda: "phone2" in cached_tags(state_dir))
            path = state_dir / IDENTITY_FILE
            agent.wait_for(lambda: load_identity(path).phone_tags.cost == COST)
            assert member(agent, BORIS)["reference"] == "m-boris"
            (early,) = owned(cloud, NEW)
            # Of an old queue, by its fast tag: seen to as it comes.
            assert cloud.read(slow_phones.is_due)
            switch_rest(cloud)
            assert owned(cloud, NEW) == [early]
            agent.call("POST", "/v1/sync", client="admin")
            agent.wait_for(lambda: cached_tags(state_dir) == {"card", "phone2"})
            agent.wait_for(lambda: load_identity(path).phone_tags == PhoneTags(cost=COST, only=True))
            wait_for(lambda: member(agent, NEW)["reference"] == early, "the member of an old queue by the phone")
        with agent_on(state_dir) as agent:
            assert member(agent, BORIS)["reference"] == "m-boris"
            replayed = agent.call("PUT", "/v1/sales/early", bread(NEW))
            assert replayed.headers["idempotent-replay"] == "true"
            later = "+77010000666"
            body_of(agent.call("PUT", "/v1/sales/later", bread(later)))
            body_of(agent.call("PUT", "/v1/sales/again", bread(NEW)))
        journal = b"".join(path.read_bytes() for path in state_dir.glob("journal.db*"))
        assert slow_tag(fast(cloud, later), COST).encode() in journal
        assert fast(cloud, later)[6:].encode() not in journal
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
            found = cloud.rows("SELECT uid, status, member_id FROM ops WHERE uid IN ('early', 'later', 'again')")
            assert {row[0]: row[1:] for row in found} == {
                "early": ["applied", early],
                "again": ["applied", early],
                "later": ["applied", owned(cloud, later)[0]],
            }
            assert len(owned(cloud, STRANGER)) == 1
        assert cloud.read(verify).holds


def switch_rest(cloud: LiveCloud) -> None:
    """What came under a fast tag since."""
    centre = cloud.centre
    args = {"cost": COST, "registry": centre.registry, "wall_ms": centre.wall_ms}
    assert slow_phones.run(centre.read, lambda work: centre.write(work).result(), **args) == 1


def test_a_sale_to_a_slow_tag_waits_for_a_cloud_that_knows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A former cloud would turn it away, and it would be lost."""
    state_dir = unpack("till", tmp_path / "state")
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud:
        switch(cloud)
        with agent_on(state_dir, cloud.url) as agent:
            drained(agent)
            path = state_dir / IDENTITY_FILE
            agent.wait_for(lambda: load_identity(path).phone_tags.only)
        with agent_on(state_dir) as agent:
            before = agent.running.agent.core.journal.figures.last_seq
            body_of(agent.call("PUT", "/v1/sales/plain", sale(CARDLESS, 1_000)))
            body_of(agent.call("PUT", "/v1/sales/slow", bread(NEW)))
        monkeypatch.setattr(push, "NEWEST_PROTOCOL", SEALED_PROTOCOL)
        with agent_on(state_dir, cloud.url) as agent:
            worker = agent.running.agent.core.worker
            assert worker is not None
            agent.wait_for(lambda: worker.status.halted == "protocol_unsupported" and worker.status.online)
            assert cloud.acked() == before + 1
            monkeypatch.setattr(push, "NEWEST_PROTOCOL", NEWEST_PROTOCOL)
            agent.call("POST", "/v1/sync", client="admin")
            drained(agent)
        found = cloud.rows("SELECT uid, status FROM ops WHERE till = ? AND seq > ? ORDER BY seq", TILL, before)
        assert found == [["plain", "applied"], ["slow", "applied"]]
