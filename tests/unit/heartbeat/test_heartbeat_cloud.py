"""Heartbeats at the cloud: kept, held against the books, shown, and given to Prometheus."""

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from kit.loops import run
from till_cloud.heartbeats import JOURNAL_CUT, JOURNAL_OLD, JOURNAL_REWRITTEN, Arrivals, newest
from till_cloud.metrics import PROBLEMS_LIMIT, render
from till_cloud.overview import SILENT_MS, overview
from till_cloud.server import CloudServer
from till_cloud.store import heartbeats as rows
from till_cloud.store.tills import TillRow
from till_config.main import main
from till_sync.heartbeat import DeviceBeat, Heartbeat, HeartbeatAnswer
from unit.cloud.cloud_kit import Chain, Till

TOKEN = "a-token-for-prometheus"
A, B = "a" * 64, "b" * 64


def beat(seq: int = 0, head: str = A, **changes: Any) -> Heartbeat:
    fields: dict[str, Any] = {"version": "1.0", "started_ms": 1, "at_ms": 1_000 + seq, "epoch": 1, "head_seq": seq}
    return Heartbeat(**(fields | {"head_hash": head if seq else ""} | changes))


class Told:
    """A chain with one till that sends heartbeats straight to the writer."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "c.db"
        self.chain = Chain(self.path)
        self.till: Till = self.chain.till("t1")

    def tell(self, sent: Heartbeat, **told: Any) -> HeartbeatAnswer:
        from till_cloud import heartbeats
        from till_cloud.store import tills

        now_ms = self.chain.wall()

        def keep(connection: Any) -> HeartbeatAnswer:
            till = tills.till(connection, "t1")
            assert till is not None
            return heartbeats.receive(connection, till, sent, now_ms, **told)

        answer = self.chain.centre.write(keep).result()
        self.chain.wall.ms += 300_000
        return answer

    def found(self) -> list[str]:
        return [each.code for each in self.chain.centre.read(rows.findings)]

    def state(self) -> Any:
        now_ms = self.chain.wall()
        return self.chain.centre.read(lambda connection: overview(connection, now_ms))[0]


@pytest.fixture
def told(tmp_path: Path) -> Any:
    made = Told(tmp_path)
    yield made
    made.chain.centre.close()


def test_a_journal_that_grows_is_in_order(told: Told) -> None:
    """Also one that stands still, and one that begins a new epoch."""
    for each in (beat(5), beat(5), beat(9, B), beat(2, A, epoch=2)):
        told.tell(each)
    assert told.found() == []


@pytest.mark.parametrize(
    ("later", "code"),
    [(beat(8), JOURNAL_CUT), (beat(9, B), JOURNAL_REWRITTEN), (beat(9), "")],
)
def test_a_head_that_went_back_or_changed_is_found(told: Told, later: Heartbeat, code: str) -> None:
    """Named by what it is; the same head again is none."""
    told.tell(beat(9))
    told.tell(msgspec.structs.replace(later, at_ms=100_000))
    assert told.found() == ([code] if code else [])


def test_an_earlier_epoch_is_found(told: Told) -> None:
    """An old copy was put back."""
    told.tell(beat(1, epoch=3))
    told.tell(beat(500, epoch=2))
    assert told.found() == [JOURNAL_OLD]


def test_a_head_below_what_was_acknowledged_is_found(told: Told) -> None:
    """The cloud has seen more of this journal than there is now."""
    told.till.add_raw(b"{}")
    told.till.add_raw(b"{}")
    told.till.push()
    told.tell(beat(0))
    assert told.found() == []
    told.tell(beat(1, "", at_ms=9_999))
    assert told.found() == [JOURNAL_CUT]


def test_a_push_that_overtakes_a_heartbeat_is_no_finding(told: Told) -> None:
    """It was made before the sale that the cloud has by now."""
    told.tell(beat(0))
    told.till.add_raw(b"{}")
    told.till.push()
    told.tell(beat(0))
    assert told.found() == []


def test_a_heartbeat_that_was_held_up_is_no_finding(told: Told) -> None:
    """It tells of an earlier moment of the same start."""
    told.tell(beat(9, at_ms=5_000))
    told.tell(beat(7, B, at_ms=4_000))
    assert told.found() == []


def test_a_heartbeat_that_was_overtaken_is_not_the_newest(told: Told) -> None:
    """Also of a till whose clock was set back in between: its journal's order counts, and its own numbers."""
    told.tell(beat(9, at_ms=5_000))
    answer = told.tell(beat(7, B, at_ms=4_000))
    assert answer.next_ms
    kept = told.chain.centre.read(lambda c: newest(c, "t1"))
    assert (kept.beat.head_seq, kept.beat.at_ms) == (9, 5_000)
    # The clock was set back: the newest all the same.
    told.tell(beat(11, B, at_ms=1_000))
    kept = told.chain.centre.read(lambda c: newest(c, "t1"))
    assert (kept.beat.head_seq, kept.beat.at_ms) == (11, 1_000)
    # The number it was signed with says that it was overtaken, whatever else it says.
    told.tell(beat(20, A, at_ms=9_000), is_late=True)
    told.tell(beat(11, B, at_ms=900, version="2.0"), is_late=False)
    kept = told.chain.centre.read(lambda c: newest(c, "t1"))
    assert (kept.beat.head_seq, kept.beat.version) == (11, "2.0")
    assert told.found() == []


def test_the_number_a_heartbeat_was_signed_with_orders_it() -> None:
    """By till and key: an enrolment begins anew; a till that signs nothing is not ordered by a number."""
    arrivals = Arrivals()
    row = TillRow("t1", "s1", "", 1, "", 0, "", 0, 0, public_key="k")
    assert [arrivals.is_late(row, each) for each in (5, 7, 6, 8)] == [False, False, True, False]
    assert arrivals.is_late(msgspec.structs.replace(row, till="t2"), 1) is False
    assert arrivals.is_late(msgspec.structs.replace(row, public_key="other"), 1) is False
    assert arrivals.is_late(msgspec.structs.replace(row, public_key=""), 1) is None


def test_a_finding_is_counted_until_it_is_settled(told: Told) -> None:
    """One line for what is found again and again; found anew after that, it is another."""
    told.tell(beat(9))
    for seq in (8, 7, 6):
        told.tell(beat(seq, at_ms=100_000))
    (finding,) = told.chain.centre.read(rows.findings)
    assert finding.times == 3
    assert told.state().state == "found"
    assert told.chain.centre.write(lambda c: rows.settle(c, "t1", told.chain.wall())).result() == 1
    assert told.state().state == "ok"
    told.tell(beat(5, at_ms=100_000))
    assert told.found() == [JOURNAL_CUT]


def test_the_newest_is_kept_whole_and_a_day_of_figures(told: Told) -> None:
    """However many came."""
    for seq in range(300):
        told.tell(beat(seq))
    kept = told.chain.centre.read(lambda c: newest(c, "t1"))
    assert kept is not None
    assert kept.beat == beat(299)
    points = told.chain.centre.read(lambda c: rows.history(c, "t1"))
    assert 280 <= len(points) <= 290
    assert points[-1].head_seq == 299


def test_who_says_much_is_not_kept_more_of(told: Told) -> None:
    """A row every few minutes, whatever comes."""
    for seq in range(50):
        told.tell(beat(seq))
        told.chain.wall.ms -= 299_000
    assert len(told.chain.centre.read(lambda c: rows.history(c, "t1"))) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, "ok"), ({"problems": ("offline",)}, "problems"), ({"ready": False}, "not_ready")],
)
def test_a_till_is_as_its_gravest_trouble(told: Told, changes: dict[str, Any], state: str) -> None:
    """By its own word."""
    told.tell(beat(1, **changes))
    assert told.state().state == state


def test_a_till_that_is_silent_is_so_after_three_pauses(told: Told) -> None:
    """Not before; and one that never spoke has never spoken."""
    assert told.state().state == "never"
    told.tell(beat(1))
    told.chain.wall.ms += SILENT_MS - 300_000
    assert told.state().state == "ok"
    told.chain.wall.ms += 1
    assert told.state().state == "silent"


def test_the_command_shows_tills_and_says_if_any_wants_looking_at(told: Told) -> None:
    """Exit status 3 then; --settle takes findings off."""
    told.tell(beat(9))
    told.tell(beat(8, at_ms=100_000))
    words = ["cloud", "tills", "--db", str(told.path)]
    done = CliRunner().invoke(main, [*words, "--json", "--problems"])
    assert done.exit_code == 3, done.output
    assert json.loads(done.stdout)[0]["findings"] == [JOURNAL_CUT]
    assert CliRunner().invoke(main, [*words, "--settle", "t1"]).exit_code == 0
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "1 tills" in done.output) == (0, True), done.output


def test_a_till_has_a_bounded_number_of_series(told: Told) -> None:
    """Whatever it says; no more than forty, and every name is parsed by Prometheus' own parser."""
    many = tuple(f"problem_{number}" for number in range(64))
    devices = tuple(DeviceBeat(name=f"d{number}", role="scanner", state="fault") for number in range(64))
    told.tell(beat(1, problems=many, devices=devices, disk_free_bytes=5, clock_offset_ms=3))
    text = render([told.state()], "1.0").decode()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    mine = [s for each in families.values() for s in each.samples if s.labels.get("till") == "t1"]
    assert len(mine) <= 40
    assert len(families["tillside_till_problem"].samples) == PROBLEMS_LIMIT
    assert families["tillside_till_problems"].samples[0].value == 64


def test_the_route_keeps_a_heartbeat_and_metrics_want_their_token(tmp_path: Path) -> None:
    """Over real sockets: 401 without the till's token, 404 for metrics where no token was set."""

    async def case() -> None:
        chain = Chain(tmp_path / "c.db")
        till = chain.till("t1")
        server = CloudServer(chain.centre, metrics_token=TOKEN)
        port = await server.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                path, body = "/v1/tills/t1/heartbeat", msgspec.json.encode(beat(3))
                json_type = {"Content-Type": "application/json"}
                assert (await client.post(path, content=body, headers=json_type)).status_code == 401
                headers = json_type | {"Authorization": f"Bearer {till.token}"}
                answer = await client.post(path, content=body, headers=headers)
                assert msgspec.json.decode(answer.content, type=HeartbeatAnswer).next_ms == 300_000
                bad = await client.post(path, content=b'{"version":1}', headers=headers)
                assert bad.status_code in (400, 422)
                assert (await client.get("/metrics")).status_code == 401
                metrics = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
                assert 'tillside_till_queue_records{store="s1",till="t1"} 0.0' in metrics.text
        finally:
            await server.stop()

    run(case())


@pytest.mark.parametrize("field", ["disk_free_bytes", "clock_offset_ms"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_beyond_all_measure_is_refused(field: str, sign: str) -> None:
    """It would keep the figures of every other till from Prometheus: no float holds it."""
    sent = msgspec.json.encode(beat(1)).decode()[:-1] + f',"{field}":{sign}{"9" * 400}}}'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(sent, type=Heartbeat)


def test_what_another_version_kept_hides_no_till(tmp_path: Path) -> None:
    """A cloud that went back a version can't read a stage that is new: that till has told nothing, until it tells."""
    told = Told(tmp_path)
    told.tell(beat(5))
    body = msgspec.json.encode(beat(6)).decode()[:-1] + ',"update":{"stage":"of a later version"}}'
    told.chain.centre.write(lambda c: c.execute("UPDATE heartbeats SET body = ?", (body.encode(),))).result()
    assert told.state().state == "never"
    told.tell(beat(7))
    assert told.state().state == "ok"


def test_what_a_till_says_of_itself_is_no_command_to_a_terminal(tmp_path: Path) -> None:
    """Its words are shown to whoever runs the cloud, with what would colour, move or hide lines taken out."""
    told = Told(tmp_path)
    told.tell(beat(5, version="\x1b[2J1.0\r", problems=("a\nb\u202e",)))
    shown = CliRunner().invoke(main, ["cloud", "tills", "--db", str(told.path)]).output
    assert "1.0" in shown
    assert all(each == "\n" or each.isprintable() for each in shown)
    assert len(shown.splitlines()) == 3
