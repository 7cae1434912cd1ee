"""The whole agent over its bridge: real journal, cache, desk, slips, scanner; no cloud."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.agent_kit import (
    ANNA_CARD,
    ANNA_PHONE,
    LiveAgent,
    body_of,
    enrol_by_hand,
    fill_cache,
    live_agent,
    receipt,
    settings_for,
)
from integration.bridge.test_bridge_events import Stream
from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
from till_agent.bridge.tokens import read_token
from till_config.settings import BridgeSettings, PrinterSettings, ScannerSettings
from till_drivers.simulators.scanner import ScannerSimulator


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def agent(state_dir: Path) -> Iterator[LiveAgent]:
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    with live_agent(settings_for(state_dir)) as running:
        yield running


def test_sale_from_scan_to_slip(agent: LiveAgent) -> None:
    """Identify by phone as people write it, quote, sell, look up, slip in every form."""
    member = body_of(agent.call("POST", "/v1/identify", {"code": "8 (916) 123-12-34"}))
    assert (member["reference"], member["balance_points"], member["offline"]) == ("m-anna", 500, True)
    who = {"member": {"reference": "m-anna"}}
    quote = body_of(agent.call("POST", "/v1/quotes", receipt(100_000) | who))
    assert quote["calculation"]["earned_points"] == 50
    sale = body_of(agent.call("PUT", "/v1/sales/s-1", receipt(100_000) | who | {"number": "17"}))
    assert (sale["op"], sale["balance_after_points"]) == ("t1:1:1", 550)
    view = body_of(agent.call("GET", "/v1/sales/s-1"))
    assert (view["state"], view["sync"], view["slip"]["state"]) == ("committed", "waiting", "none")
    text = agent.call("GET", "/v1/sales/s-1/slip?language=ru").body.decode()
    assert "Чек 17" in text
    assert "550" in text
    assert agent.call("GET", "/v1/sales/s-1/slip", Accept="image/png").body.startswith(b"\x89PNG")
    assert agent.call("GET", "/v1/sales/s-1/slip?format=escpos").body.startswith(b"\x1b@")
    assert body_of(agent.call("GET", "/v1/sales/s-1/slip?format=json"))["blocks"]
    assert agent.call("POST", "/v1/sales/s-1/slip/print").code == "no_printer"


def test_first_answer_is_given_for_ever(state_dir: Path) -> None:
    """The same uid and body after a restart gives the same bytes; another body is 409."""
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    sale = receipt(100_000) | {"member": {"phone": ANNA_PHONE}}
    with live_agent(settings_for(state_dir)) as agent:
        first = agent.call("PUT", "/v1/sales/s-1", sale)
        assert first.status == 200
    with live_agent(settings_for(state_dir)) as agent:
        again = agent.call("PUT", "/v1/sales/s-1", sale)
        assert (again.body, again.headers["idempotent-replay"]) == (first.body, "true")
        other = agent.call("PUT", "/v1/sales/s-1", receipt(100_001))
        assert (other.status, other.code) == (409, "uid_conflict")
        assert other.json["cashier"].startswith("Такой чек уже проведён")
        assert body_of(agent.call("POST", "/v1/identify", {"reference": "m-anna"}))["balance_points"] == 550


def test_return_void_and_what_they_forbid(agent: LiveAgent) -> None:
    """A return of more than was sold, a void after a return, an unknown uid."""
    who = {"member": {"reference": "m-anna"}}
    body_of(agent.call("PUT", "/v1/sales/s-1", receipt(60_000, 40_000) | who))
    one = {"sale_uid": "s-1", "lines": [{"number": 1, "quantity_thousandths": 1000}]}
    assert body_of(agent.call("PUT", "/v1/returns/r-1", one))["reversal"]["points_taken"] == 30
    assert agent.call("PUT", "/v1/returns/r-1", one).headers["idempotent-replay"] == "true"
    too_much = agent.call("PUT", "/v1/returns/r-2", one)
    assert (too_much.status, too_much.code) == (409, "return_quantity_exceeds")
    assert agent.call("POST", "/v1/sales/s-1/void").code == "sale_has_returns"
    assert agent.call("POST", "/v1/sales/s-2/void").code == "sale_unknown"
    assert agent.call("GET", "/v1/sales/s-1").json["state"] == "returned_in_part"
    body_of(agent.call("PUT", "/v1/sales/s-3", receipt(1_000)))
    first = agent.call("POST", "/v1/sales/s-3/void")
    assert agent.call("POST", "/v1/sales/s-3/void").body == first.body


def test_slips_of_what_came_back_are_fetched_like_those_of_sales(agent: LiveAgent) -> None:
    """Of a return by its own uid, of a void by its sale's, in every form; a document of another kind is not taken."""
    who = {"member": {"reference": "m-anna"}}
    body_of(agent.call("PUT", "/v1/sales/s-1", receipt(60_000, 40_000) | who | {"number": "17"}))
    one = {"sale_uid": "s-1", "lines": [{"number": 1, "quantity_thousandths": 1000}]}
    body_of(agent.call("PUT", "/v1/returns/r-1", one))
    body_of(agent.call("PUT", "/v1/sales/s-2", receipt(20_000) | who | {"number": "18"}))
    body_of(agent.call("POST", "/v1/sales/s-2/void"))
    for path, number in (("/v1/returns/r-1/slip", "17"), ("/v1/sales/s-2/void/slip", "18")):
        assert number in agent.call("GET", f"{path}?language=ru").body.decode()
        assert agent.call("GET", path, Accept="image/png").body.startswith(b"\x89PNG")
        assert agent.call("GET", f"{path}?format=escpos").body.startswith(b"\x1b@")
        assert body_of(agent.call("GET", f"{path}?format=json"))["blocks"]
        assert body_of(agent.call("GET", f"{path}?format=frontol"))
        assert agent.call("POST", f"{path}/print").code == "no_printer"
    for path in ("/v1/returns/s-1/slip", "/v1/sales/s-1/void/slip", "/v1/sales/r-1/slip"):
        assert agent.call("GET", path).code == "sale_unknown"


def test_answers_are_in_ascii_for_who_takes_nothing_else(agent: LiveAgent) -> None:
    """Of a handler, of the desk and of the guard; the same words, letters as escapes."""
    wish = {"sale_uid": "s-1", "member": {"reference": "m-anna"}, "points": 100}
    calls = (
        ("/v1/identify?language=ru", {"card": ANNA_CARD}, {}),
        ("/v1/holds", wish, {}),
        ("/v1/holds", wish, {"X_Tillside_Client": ""}),
    )
    for path, body, changed in calls:
        usual = agent.call("POST", path, body, **changed)
        plain = agent.call("POST", path, body, Accept_Charset="us-ascii", **changed)
        assert (plain.status, usual.body.isascii(), plain.body.isascii()) == (usual.status, False, True)
        assert plain.json.get("cashier") == usual.json.get("cashier")
        assert set(plain.json) == set(usual.json)


def test_points_can_not_be_reserved_without_a_line(agent: LiveAgent) -> None:
    wish = {"sale_uid": "s-1", "member": {"reference": "m-anna"}, "points": 100}
    reply = agent.call("POST", "/v1/holds", wish)
    assert (reply.status, reply.code, reply.json["retryable"]) == (503, "cloud_unreachable", True)
    assert reply.json["cashier"].startswith("Нет связи")
    spend = receipt(100_000) | {"member": {"reference": "m-anna"}, "redeem_points": 100}
    assert agent.call("PUT", "/v1/sales/s-1", spend).code == "redemption_needs_hold"
    assert agent.call("DELETE", "/v1/holds/h-unknown").code == "hold_unknown"


def test_queue_status_and_figures_name_no_member(agent: LiveAgent) -> None:
    """Phones and cards are in no look-up for IT, not even in the op's body."""
    body_of(agent.call("PUT", "/v1/sales/s-1", receipt(100_000) | {"member": {"phone": ANNA_PHONE}}))
    body_of(agent.call("PUT", "/v1/sales/s-2", receipt(100_000) | {"member": {"card": "2900000000025"}}))
    queue = body_of(agent.call("GET", "/v1/queue", client="admin"))
    assert [op["op"] for op in queue["ops"]] == ["t1:1:1", "t1:1:2"]
    newest = body_of(agent.call("GET", "/v1/queue?which=newest&limit=1", client="admin"))
    assert [op["op"] for op in newest["ops"]] == ["t1:1:2"]
    shown = [agent.call("GET", f"/v1/queue/{seq}", client="admin").body for seq in (1, 2)]
    status = body_of(agent.call("GET", "/v1/status"))
    assert (status["sync"]["waiting"], status["members_cached"], status["programme"]) == (2, 1, "demo 1")
    assert "no_cloud_url" in [problem["code"] for problem in status["problems"]]
    figures = agent.call("GET", "/metrics").body
    assert b"tillside_queue_records 2.0" in figures
    for text in (*shown, figures, json.dumps(status).encode()):
        assert b"9161231234" not in text
        assert b"290000000002" not in text


def test_agent_that_is_not_enrolled_says_so_and_takes_the_identity_when_it_comes(state_dir: Path) -> None:
    with live_agent(settings_for(state_dir)) as agent:
        ready = agent.call("GET", "/readyz").json
        assert (ready["ready"], ready["reason"]) == (False, "till_not_enrolled")
        assert {"cloud", "cache", "programme"} <= set(ready["missing"])
        refused = agent.call("PUT", "/v1/sales/s-1", receipt(100))
        assert (refused.status, refused.code) == (503, "till_not_enrolled")
        assert refused.json["cashier"]
        assert agent.call("GET", "/livez").status == 200
        assert body_of(agent.call("GET", "/v1/status"))["problems"][0]["level"] == "error"
        enrol_by_hand(state_dir)
        agent.wait_for(lambda: not agent.running.agent.ready())
        sale = body_of(agent.call("PUT", "/v1/sales/s-1", receipt(100) | {"member": {"phone": ANNA_PHONE}}))
        assert sale["member"]["known"] is False
        assert sale["calculation"]["programme_id"] == ""


@pytest.mark.parametrize("name", ["journal.db", "cache.db", "spool.db"])
def test_file_that_is_rubbish_does_not_keep_the_agent_from_selling(state_dir: Path, name: str) -> None:
    enrol_by_hand(state_dir)
    (state_dir / name).write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with live_agent(settings_for(state_dir)) as agent:
        assert agent.call("GET", "/readyz").status == 200
        assert agent.call("PUT", "/v1/sales/s-1", receipt(100)).status == 200


def test_identity_that_is_rubbish_is_said(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "identity.json").write_text("{}")
    with live_agent(settings_for(state_dir)) as agent:
        assert agent.call("GET", "/readyz").json["reason"] == "identity_unusable"
        assert agent.call("PUT", "/v1/sales/s-1", receipt(100)).status == 503


def test_second_agent_on_the_same_directory_is_refused(agent: LiveAgent) -> None:
    with pytest.raises(AlreadyRunningError, match="another agent"), live_agent(settings_for(agent.running.state_dir)):
        pass
    assert agent.call("GET", "/readyz").status == 200


def test_port_that_is_taken_is_said(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_for(state_dir, bridge=BridgeSettings(port=taken.getsockname()[1]))
        with pytest.raises(AgentStartError, match=r"bridge\.port"), live_agent(settings):
            pass


def test_missing_and_unknown_devices_are_on_the_board_and_stop_nothing(state_dir: Path) -> None:
    enrol_by_hand(state_dir)
    settings = settings_for(
        state_dir,
        scanners=(
            ScannerSettings(name="gone", port=str(state_dir / "no-such-port")),
            ScannerSettings(name="odd", driver="no-such-driver", port="x"),
        ),
        printers=(
            PrinterSettings(name="off", driver="tcp", host="127.0.0.1", port=1),
            PrinterSettings(name="vague", driver="tcp"),
        ),
    )
    with live_agent(settings) as agent:
        board = agent.running.agent.board
        agent.wait_for(lambda: {health.state for health in board.health()} == {"absent", "fault"})
        devices = {device["device"]: device for device in body_of(agent.call("GET", "/v1/status"))["devices"]}
        assert {name: device["state"] for name, device in devices.items()} == {
            "gone": "absent",
            "odd": "fault",
            "off": "absent",
            "vague": "fault",
        }
        assert "no-such-driver" in devices["odd"]["detail"]
        sale = receipt(100) | {"member": {"phone": ANNA_PHONE}}
        assert agent.call("PUT", "/v1/sales/s-1", sale).status == 200
        assert agent.call("GET", "/v1/sales/s-1").json["slip"] == {"state": "queued", "printer": "off"}


def test_scan_comes_through_the_port_to_the_event_stream(state_dir: Path, tmp_path: Path) -> None:
    """A known card, goods, a bank card whose number goes no further, and a phone."""
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    scanner = ScannerSimulator(tmp_path / "scanner")
    scanner.plug()
    settings = settings_for(state_dir, scanners=(ScannerSettings(name="counter", port=str(tmp_path / "scanner")),))
    try:
        with live_agent(settings) as agent, _listen(agent) as stream:
            board = agent.running.agent.board
            agent.wait_for(lambda: [health.state for health in board.health()] == ["ready"])
            for code in (ANNA_CARD, "4600000000015", "4111111111111111", ANNA_PHONE):
                scanner.scan(code)
            scans = [event for event in _events(stream, until=5) if event[0] != "device"]
        names = [(name, data.get("kind", data.get("code"))) for name, data in scans]
        assert names == [
            ("scan", "card"),
            ("scan", "goods"),
            ("scan", "unknown"),
            ("alert", "bank_card"),
            ("scan", "phone"),
        ]
        assert [data["text"] for name, data in scans if name == "scan"] == [ANNA_CARD, "4600000000015", "", ANNA_PHONE]
        assert scans[0][1]["member"]["reference"] == "m-anna"
        assert scans[0][1]["device"] == "counter"
    finally:
        scanner.unplug()


def _listen(agent: LiveAgent) -> Stream:
    connection = socket.create_connection(("127.0.0.1", agent.port), 10)
    token = read_token(agent.running.state_dir, "pos")
    connection.sendall(
        f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{agent.port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    stream = Stream(connection)
    assert "retry" in "".join(stream.block()) or "retry" in "".join(stream.block())
    return stream


OF_SCANS = ("bank_card", "wallet_other_chain")
"""Alerts about what was scanned."""


def _events(stream: Stream, until: int) -> list[tuple[str, dict[str, object]]]:
    """Events up to the given number of those that are no device's; what the agent tells of itself is passed over."""
    found: list[tuple[str, dict[str, object]]] = []
    while sum(name != "device" for name, _ in found) < until:
        _, name, data = stream.event()
        if name == "alert" and data["code"] not in OF_SCANS:
            continue
        found.append((name, data))
    return found


def test_files_are_for_their_owner_alone(agent: LiveAgent) -> None:
    folder = agent.running.state_dir
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("identity.json", "tokens/pos.token", "tokens/admin.token"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_tokens_are_in_no_log(state_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    enrol_by_hand(state_dir)
    caplog.set_level("DEBUG")
    with live_agent(settings_for(state_dir)) as agent:
        agent.call("PUT", "/v1/sales/s-1", receipt(100) | {"member": {"phone": ANNA_PHONE}})
        token = read_token(state_dir, "pos")
    assert token is not None
    assert token not in caplog.text
    assert "9161231234" not in caplog.text
    assert "till-secret-token" not in caplog.text
