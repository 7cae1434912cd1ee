"""`tillside pos` by script against a real agent: receipts, refusals, records, and sales that wait for an agent."""

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from click.testing import CliRunner, Result

from fakes.till import ANNA_CARD
from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, settings_for
from integration.client_kit.client_kit_world import stream_to_open, token_of
from kit.waiting import wait_for
from till_agent.api import ScanEvent
from till_agent.cli.pos import pos
from till_agent.cli.pos_carrying import carry_out
from till_agent.cli.pos_parsing import Units
from till_agent.cli.pos_screen import Screen
from till_agent.cli.pos_session import Session
from till_agent.cli.pos_unsent import Document, Unsent
from till_agent.client import Till


def run(state_dir: Path, script: str, *options: str) -> Result:
    """Run a script on the agent of a state directory."""
    config = state_dir / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{state_dir}"\n', encoding="utf-8")
    return CliRunner().invoke(pos, ["--config", str(config), *options], input=script)


def documents(ran: Result) -> list[Any]:
    """What a run with --json printed, without events."""
    return [row for row in map(json.loads, ran.stdout.splitlines()) if "event" not in row]


def journalled(agent: LiveAgent) -> list[str]:
    """Uids of all ops."""
    return [op["uid"] for op in agent.call("GET", "/v1/queue?which=newest&limit=1000", client="admin").json["ops"]]


def test_a_wish_that_can_not_be_met_says_why(agent: LiveAgent) -> None:
    """The quote has no line for it: the cashier would think that nothing was understood."""
    ran = run(agent.running.state_dir, "card 2900000000025\nmilk 100\nredeem 50\nclose", "--language", "en")
    assert ran.exit_code == 0, ran.output
    told = "the customer is not on this till"
    assert told in " ".join(ran.stdout.partition("redeem 50")[2].partition("close")[0].split()), ran.stdout


def test_a_day_is_rung_up_by_a_script(agent: LiveAgent) -> None:
    """Lines, member, quote, payments, slips, a return by line, a void, the last receipts."""
    script = f"""
        # the first customer
        card {ANNA_CARD}
        3x молоко 89.90
        сок 50
        change 2 2x
        хлеб 45 category=FOOD/BREAD
        del 3
        lines
        quote explain
        pay card 300
        pay cash 100
        close
        slip
        look
        return 1 1=1 2
        cashier Вера
        shift 7
        milk 10
        drop
        milk 20
        close
        void
        last
        status
        unsent
    """
    ran = run(agent.running.state_dir, script)
    assert ran.exit_code == 0, ran.output
    assert "  card 300.00, change 0.00\n  left to pay 69.70\n" in ran.stdout
    assert "  cash 100.00, change 30.30\n" in ran.stdout
    assert "369.70 RUB" in ran.stdout
    assert "  back: 189.90 RUB" in ran.stdout, "one milk and both juices"
    assert "  back: 20.00 RUB" in ran.stdout
    assert "returned_in_part" in ran.stdout
    assert "t1 of s1, takes sales" in ran.stdout


def test_a_sale_says_how_its_member_was_named(agent: LiveAgent, tmp_path: Path) -> None:
    """By which the journal shows cards that are typed, and members who come when the money is there."""
    script = f"""
        card {ANNA_CARD}
        milk 1
        close
        milk 2
        pay cash
        scan {ANNA_CARD}
        close
        card {ANNA_CARD}
        nobody
        milk 3
        close
    """
    record = tmp_path / "exchanges.jsonl"
    assert run(agent.running.state_dir, script, "--record", str(record)).exit_code == 0
    sales = [
        each["request"] for each in map(json.loads, record.read_text("utf-8").splitlines()) if each["method"] == "PUT"
    ]
    named = [(sale.get("entry", ""), sale.get("late", False)) for sale in sales]
    assert named == [("typed", False), ("scanned", True), ("", False)]


def test_answers_come_as_documents_for_programs(agent: LiveAgent) -> None:
    """One for each command, as the agent gave it; a script stops at the first that can't be done, with status 1."""
    ran = run(agent.running.state_dir, f"card {ANNA_CARD}\nmilk 100\nclose\nfrob\nmilk 5\n", "--json")
    card, line, sale, bad = documents(ran)
    assert ran.exit_code == 1
    assert (card["command"], card["line"], card["ok"]) == ("card", 1, True)
    assert line["answer"]["amount_minor"] == 10_000
    assert sale["answer"]["calculation"]["earned_points"] == 5
    assert sale["answer"]["uid"] in journalled(agent)
    assert (bad["ok"], bad["error"]["code"]) == (False, "not_understood")
    assert ran.stderr.startswith("line 4: add: expected goods and a price")


def test_a_refusal_can_be_what_a_script_expects(agent: LiveAgent) -> None:
    """`!` turns it round; --keep-going goes on, and the status still says that something failed."""
    state_dir = agent.running.state_dir
    ran = run(state_dir, "!void nothing\n!card 1\nmilk 1\n!pay card 5\n!return nothing\nclose\n")
    assert ran.exit_code == 0, ran.output
    assert "refused: sale_unknown (404)" in ran.stdout
    assert "to the cashier: " in ran.stdout
    ran = run(state_dir, "!milk 5\nvoid nothing\nclose\n", "--keep-going", "--json")
    assert ran.exit_code == 1
    assert [row["ok"] for row in documents(ran)] == [True, False, True]
    assert "line 1: add: expected a refusal, and it was done" in ran.stderr


def test_the_record_has_every_exchange_and_names_nobody(agent: LiveAgent, tmp_path: Path) -> None:
    """Neither the card nor the token."""
    record = tmp_path / "record.jsonl"
    ran = run(agent.running.state_dir, f"card {ANNA_CARD}\nmilk 1\nclose\n", "--record", str(record))
    assert ran.exit_code == 0, ran.output
    text = record.read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["method"] for row in rows] == ["GET", "GET", "POST", "POST", "PUT"]
    assert rows[-1]["status"] == 200
    assert rows[-1]["answer"]["uid"] == rows[-1]["target"].rpartition("/")[2]
    assert ANNA_CARD not in text
    assert token_of(agent) not in text


def test_a_receipt_has_the_stores_time_wherever_it_is_rung_up(agent: LiveAgent, tmp_path: Path) -> None:
    """On a machine of another zone a receipt of today would be yesterday's."""
    record = tmp_path / "record.jsonl"
    before = datetime.now(ZoneInfo("Asia/Almaty")).replace(tzinfo=None)
    ran = run(agent.running.state_dir, "milk 1\nclose\n", "--record", str(record))
    assert ran.exit_code == 0, ran.output
    sale = json.loads(record.read_text("utf-8").splitlines()[-1])["request"]
    after = datetime.now(ZoneInfo("Asia/Almaty")).replace(tzinfo=None)
    assert before.replace(microsecond=0) <= datetime.fromisoformat(sale["local_time"]) <= after


def test_sales_made_without_an_agent_are_sent_when_it_is_there(tmp_path: Path) -> None:
    """Under the uids that they had; status 3 says that some are left."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    keep = tmp_path / "unsent.json"
    away = run(tmp_path, f"!card {ANNA_CARD}\nmilk 100\nclose\n", "--keep", str(keep), "--json")
    assert away.exit_code == 3, away.output
    uid = documents(away)[-1]["answer"]["uid"]
    assert "no agent is running" in away.stderr
    assert f"1 documents were not sent: {uid}" in away.stderr
    assert keep.stat().st_mode & 0o077 == 0
    with live_agent(settings_for(tmp_path)) as agent:
        back = run(tmp_path, "unsent\n", "--keep", str(keep), "--json")
        assert back.exit_code == 0, back.output
        sent, left = documents(back)
        assert (sent["sent"], left["answer"]) == (uid, [])
        assert journalled(agent) == [uid]
        earned = agent.call("GET", f"/v1/sales/{uid}").json["sale"]["calculation"]["earned_points"]
        assert earned == 5, "the card was keyed while nobody could be asked whose it is"


class Silent(httpx.HTTPTransport):
    """A way to the agent whose answers to sales are lost while `lost`."""

    lost = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if self.lost and request.method == "PUT":
            answer.read()
            answer.close()
            raise httpx.ReadError("lost", request=request)
        return answer


def lose_a_sale(agent: LiveAgent) -> list[str]:
    """Close a receipt whose answers are lost, send it again when they are not; uids that the agent then has of it."""
    before = journalled(agent)
    way = Silent()
    with Till(agent.running.url, token=token_of(agent), patience_ms=0, transport=way) as till:
        session = Session(till, Screen(Units(), as_json=False), Unsent(None))
        assert carry_out(session, "milk 100").ok
        closed = carry_out(session, "close")
        assert closed.ok
        assert closed.answer["unsent"] is True
        way.lost = False
        assert carry_out(session, "send").answer == {"left": 0}
        assert session.unsent.documents == []
    return [uid for uid in journalled(agent) if uid not in before]


def test_a_sale_whose_answer_was_lost_is_one_sale(agent: LiveAgent) -> None:
    """The same uid and bytes later on."""
    assert len(lose_a_sale(agent)) == 1


def test_a_mutant_that_makes_a_new_uid_for_the_repetition_is_found(
    agent: LiveAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sells twice."""
    send = Document.send
    calls: list[str] = []

    def anew(self: Document, till: Till) -> Any:
        calls.append(self.uid)
        self.uid += "-again"
        return send(self, till)

    monkeypatch.setattr(Document, "send", anew)
    assert len(lose_a_sale(agent)) == 2
    assert calls


def test_what_is_refused_for_good_does_not_keep_the_rest_waiting(agent: LiveAgent) -> None:
    """It stays on the list with its code."""
    with Till(agent.running.url, token=token_of(agent)) as till:
        session = Session(till, Screen(Units(), as_json=False), Unsent(None))
        session.unsent.put(Document(uid="never-sold"))
        carry_out(session, "milk 1")
        receipt = session.open
        session.unsent.put(Document(uid=receipt.uid, sale=receipt.sale_request(None, shift="1", cashier="")))
        assert carry_out(session, "send").answer == {"left": 0}
        assert [(each.uid, each.refused) for each in session.unsent.documents] == [("never-sold", "sale_unknown")]
        assert receipt.uid in journalled(agent)


def test_a_script_waits_for_a_scan(agent: LiveAgent) -> None:
    """And the card that was scanned is the receipt's."""
    hub = agent.running.agent.events
    member = agent.call("POST", "/v1/identify", {"card": ANNA_CARD}).json
    scan = ScanEvent(device="s", seq=1, text=ANNA_CARD, symbology="ean13", kind="card")
    told = json.loads(json.dumps({"device": "s", "seq": 1, "text": "", "symbology": "", "kind": scan.kind}))
    script_listens = stream_to_open(agent)

    def hold_it_under() -> None:
        wait_for(script_listens, "the script to listen")
        agent.on_loop(lambda: hub.publish("scan", {**told, "member": member}))

    thread = threading.Thread(target=hold_it_under)
    thread.start()
    ran = run(agent.running.state_dir, "wait ready\nwait scan 20\nmilk 100\nclose\n!wait scan 1\n", "--json")
    thread.join()
    assert ran.exit_code == 0, ran.output
    ready, scanned, _, sale, _ = documents(ran)
    assert ready["answer"]["ready"] is True
    assert scanned["answer"]["member"]["reference"] == member["reference"]
    assert sale["answer"]["member"]["reference"] == member["reference"]


def test_a_client_that_is_not_configured_is_said_to_be_none(tmp_path: Path) -> None:
    """With those that are; and a record that can't be written, and a file that nobody kept."""
    ran = run(tmp_path, "", "--client", "nobody")
    assert (ran.exit_code, "expected a client of bridge.clients (pos, admin), not 'nobody'" in ran.stderr) == (1, True)
    ran = run(tmp_path, "", "--record", str(tmp_path / "no" / "where"))
    assert (ran.exit_code, "can't be written" in ran.stderr) == (1, True)
    (tmp_path / "odd").write_text("{", encoding="utf-8")
    ran = run(tmp_path, "", "--keep", str(tmp_path / "odd"))
    assert (ran.exit_code, "can't be read" in ran.stderr) == (1, True)
