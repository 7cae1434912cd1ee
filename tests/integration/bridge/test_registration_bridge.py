"""Members registered at real tills of a real cloud: codes that are really sent, lines that are really cut."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, receipt
from integration.bridge.registration_kit import CODES, Line, chain_of, enrolled, live_cloud
from integration.bridge.serving_kit import tillside
from till_cloud.store.connection import open_reader
from till_cloud.verify import verify

PHONE = "8 (916) 123-12-34"
DIGITS = "9161231234"
CARD = "2900000000018"
CONSENT = {"version": "2", "given": True}

pytestmark = pytest.mark.slow


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return chain_of(tmp_path)


def register(agent: LiveAgent, uid: str, phone: str = PHONE, **fields: Any) -> Any:
    body = {"uid": uid, "phone": phone, "consent": CONSENT} | fields
    return body_of(agent.call("POST", "/v1/members", body))


def identify(agent: LiveAgent, **who: str) -> Any:
    return body_of(agent.call("POST", "/v1/identify", who))


def sell(agent: LiveAgent, uid: str, amount: int, **fields: Any) -> Any:
    return body_of(agent.call("PUT", f"/v1/sales/{uid}", receipt(amount) | fields))


def codes(folder: Path) -> list[dict[str, str]]:
    """What the operator's program was told, oldest first."""
    sent = folder / CODES
    return [json.loads(line) for line in sent.read_text().splitlines()] if sent.exists() else []


def emptied(agent: LiveAgent) -> None:
    """Everything pushed, and what came of it pulled."""
    assert body_of(agent.call("POST", "/v1/sync", client="admin"))["waiting"] == 0


def refused(reply: Any, code: str) -> dict[str, Any]:
    problem = json.loads(reply.body)
    assert (reply.status >= 400, problem["code"]) == (True, code)
    assert problem["cashier"]
    return problem


@contextlib.contextmanager
def ledger(database: Path) -> Iterator[Any]:
    with contextlib.closing(open_reader(database)) as connection:
        yield connection


def assert_nothing_in_clear(*folders: Path) -> None:
    """No file holds the phone's or the card's digits."""
    for path in (each for folder in folders for each in ([folder] if folder.is_file() else folder.rglob("*"))):
        if path.is_file():
            content = path.read_bytes()
            assert DIGITS.encode() not in content, path
            assert CARD.encode() not in content, path


def test_a_person_is_registered_step_by_step_with_a_code(tmp_path: Path, database: Path) -> None:
    """What is needed, the code by the operator's program, welcome points, the same again; nothing in clear anywhere."""
    with live_cloud(tmp_path, database) as port, live_agent(enrolled(tmp_path, database, "t1", port)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core.cache.programme() is not None)
        first = body_of(agent.call("POST", "/v1/members", {"uid": "r-1", "phone": PHONE}))
        assert (first["state"], first["needs"]) == ("needs", ["consent"])
        assert first["consent"] == {"version": "2", "text": "Согласие на обработку данных"}
        assert first["ask"] == ["name", "birth_date"]
        assert codes(tmp_path) == [], "no message before the consent"
        asked = register(agent, "r-1", name="Анна Ким", card=CARD, birth_date="1990-05-17")
        assert (asked["state"], asked["needs"], asked["confirmation"]["state"]) == ("needs", ["code"], "sent")
        sent = codes(tmp_path)
        assert [(each["phone"], each["purpose"]) for each in sent] == [(f"+7{DIGITS}", "register")]
        again = register(agent, "r-1", name="Анна Ким", card=CARD, birth_date="1990-05-17")
        assert (again["confirmation"]["confirmation"], len(codes(tmp_path))) == (
            asked["confirmation"]["confirmation"],
            1,
        )
        code = sent[0]["code"]
        wrong = register(agent, "r-1", name="Анна Ким", code=f"{(int(code) + 1) % 10**6:06}")
        assert (wrong["confirmation"]["tries_left"], wrong["messages"][0]["code"]) == (4, "code_wrong")
        whole = {"name": "Анна Ким", "card": CARD, "birth_date": "1990-05-17", "code": code}
        done = register(agent, "r-1", **whole)
        assert (done["state"], done["member"]["name_masked"]) == ("registered", "Анна К.")
        assert done["member"]["status"] == "active"
        reply = agent.call("POST", "/v1/members", {"uid": "r-1", "phone": PHONE, "consent": CONSENT} | whole)
        assert (json.loads(reply.body), reply.headers["idempotent-replay"]) == (done, "true")
        other = {"uid": "r-1", "phone": "+79161231235", "consent": CONSENT}
        refused(agent.call("POST", "/v1/members", other), "uid_conflict")
        emptied(agent)
        shown = identify(agent, phone=PHONE)
        assert (shown["status"], shown["balance_points"], shown["reference"][:2]) == ("active", 10000, "m-")
        assert identify(agent, card=CARD)["reference"] == shown["reference"]
        known = register(agent, "r-2", name="Анна Ким")
        assert (known["state"], known["member"]["reference"]) == ("known", shown["reference"])
    assert_nothing_in_clear(tmp_path / "t1", database, database.with_name(f"{database.name}-wal"))


def test_two_tills_offline_register_one_phone_and_it_is_one_member(tmp_path: Path, database: Path) -> None:
    """Known at once where they registered, with the sale's points; one member with both after; welcome once."""
    with live_cloud(tmp_path, database) as port:
        settings = [enrolled(tmp_path, database, name, port) for name in ("t1", "t2")]
        for each in settings:
            with live_agent(each) as agent:
                agent.wait_for(lambda agent=agent: agent.running.agent.open_core.cache.programme() is not None)
                emptied(agent)
    for number, each in enumerate(settings, 1):
        with live_agent(each) as agent:
            done = register(agent, f"r-{number}", name="Анна Ким")
            assert (done["state"], done["member"]["status"]) == ("registered", "provisional")
            assert [message["code"] for message in done["messages"]] == ["registered", "registered_unproven"]
            sell(agent, f"s-{number}", 100_000, member={"phone": PHONE})
            shown = identify(agent, phone=PHONE)
            assert (shown["status"], shown["name_masked"], shown["balance_points"] > 0) == (
                "provisional",
                "Анна К.",
                True,
            )
    with live_agent(settings[0]) as agent:
        # After a restart the journal says who registered.
        assert identify(agent, phone=PHONE)["name_masked"] == "Анна К."
    with live_cloud(tmp_path, database, port):
        for each in settings:
            with live_agent(each) as agent:
                emptied(agent)
        with live_agent(settings[0]) as agent:
            emptied(agent)
            before = identify(agent, phone=PHONE)
            assert before["status"] == "provisional"
            asked = register(agent, "r-3")
            assert asked["needs"] == ["code"]
            assert register(agent, "r-3", code=codes(tmp_path)[-1]["code"])["state"] == "registered"
            emptied(agent)
            after = identify(agent, phone=PHONE)
            assert (after["status"], after["balance_points"]) == ("active", before["balance_points"] + 10000)
    with ledger(database) as connection:
        assert connection.execute("SELECT count(*) FROM members WHERE status <> 'removed'").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM movements WHERE kind = 'event'").fetchone() == (1,)
        assert connection.execute(
            "SELECT count(*) FROM sales WHERE member_id = ?", (after["reference"],)
        ).fetchone() == (2,)
        assert verify(connection).holds, verify(connection).breaches


def test_a_code_tried_wrongly_five_times_is_spent_and_another_is_sent(tmp_path: Path, database: Path) -> None:
    with live_cloud(tmp_path, database) as port, live_agent(enrolled(tmp_path, database, "t1", port)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core.cache.programme() is not None)
        register(agent, "r-1")
        wrong = f"{(int(codes(tmp_path)[0]['code']) + 1) % 10**6:06}"
        states = [register(agent, "r-1", code=wrong)["confirmation"]["state"] for _ in range(5)]
        assert states == [*["sent"] * 4, "spent"]
        assert register(agent, "r-1", code=codes(tmp_path)[0]["code"])["confirmation"]["state"] == "spent"
        second = register(agent, "r-1", attempt=2)
        assert (second["confirmation"]["state"], len(codes(tmp_path))) == ("sent", 2)
        assert register(agent, "r-1", attempt=3)["confirmation"]["state"] == "sent"
        many = register(agent, "r-1", attempt=4)
        assert (many["confirmation"]["state"], many["messages"][0]["code"]) == ("not_sent", "code_too_many")
        assert register(agent, "r-1", without_code=True)["member"]["status"] == "provisional"


def test_without_a_program_that_sends_codes_members_are_provisional(tmp_path: Path, database: Path) -> None:
    with (
        live_cloud(tmp_path, database, send=False) as port,
        live_agent(enrolled(tmp_path, database, "t1", port)) as agent,
    ):
        agent.wait_for(lambda: agent.running.agent.open_core.cache.programme() is not None)
        assert register(agent, "r-1")["member"]["status"] == "provisional"
        emptied(agent)
        assert register(agent, "r-2")["member"]["status"] == "provisional", "as far as it goes"
        request = {"uid": "c-1", "member": {"reference": "m-kim"}, "phone": "+79161231235"}
        refused(agent.call("POST", "/v1/confirmations", request), "codes_not_sent")


def test_a_line_that_breaks_between_code_and_answer_loses_no_registration(tmp_path: Path, database: Path) -> None:
    """The code can't be checked: the cashier tries again or goes on without."""
    with live_cloud(tmp_path, database) as port, Line(port) as line:
        settings = enrolled(tmp_path, database, "t1", port, through=line)
        with live_agent(settings) as agent:
            agent.wait_for(lambda: agent.running.agent.open_core.cache.programme() is not None)
            register(agent, "r-1")
            line.cut()
            code = codes(tmp_path)[0]["code"]
            reply = agent.call("POST", "/v1/members", {"uid": "r-1", "phone": PHONE, "consent": CONSENT, "code": code})
            if reply.status == 503:
                assert refused(reply, "code_unchecked")["retryable"] is True
            done = register(agent, "r-1", without_code=True)
            assert done["state"] == "registered"
            line.mend()
            emptied(agent)
            assert identify(agent, phone=PHONE)["known"] is True


def test_a_large_redemption_needs_the_members_code(tmp_path: Path, database: Path) -> None:
    with live_cloud(tmp_path, database) as port, live_agent(enrolled(tmp_path, database, "t1", port)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core.cache.member_count == 1)
        kim = {"member": {"reference": "m-kim"}}
        body_of(agent.call("POST", "/v1/holds", {"sale_uid": "s-0", "points": 10000} | kim))
        large = {"sale_uid": "s-1", "points": 10001} | kim
        problem = refused(agent.call("POST", "/v1/holds", large), "proof_required")
        assert problem["allowed_points"] == 10000
        request = {"uid": "c-1", "phone": "+79161231235"} | kim
        strange = request | {"phone": "+79161231239"}
        refused(agent.call("POST", "/v1/confirmations", strange), "phone_mismatch")
        asked = body_of(agent.call("POST", "/v1/confirmations", request))
        assert (asked["confirmation"]["state"], codes(tmp_path)[0]["purpose"]) == ("sent", "spend")
        unproven = large | {"confirmation": asked["confirmation"]["confirmation"]}
        refused(agent.call("POST", "/v1/holds", unproven), "proof_invalid")
        given = request | {"code": codes(tmp_path)[0]["code"]}
        proven = body_of(agent.call("POST", "/v1/confirmations", given))
        assert proven["confirmation"]["state"] == "confirmed"
        held = body_of(agent.call("POST", "/v1/holds", unproven))
        assert held["points"] == 10001
        refused(agent.call("POST", "/v1/holds", unproven | {"sale_uid": "s-2"}), "proof_invalid")
        sale = sell(agent, "s-1", 100_000, redeem_points=10001, hold=held["hold"], **kim)
        assert sale["calculation"]["redeemed_points"] == 10001
        assert "proof_needed" not in [told["code"] for told in sale["messages"]]  # it was proven
        emptied(agent)
    assert "9161231235" not in database.read_bytes().decode("latin-1")


def test_a_card_is_given_to_a_member_and_known_at_once(tmp_path: Path, database: Path) -> None:
    with live_cloud(tmp_path, database) as port:
        settings = enrolled(tmp_path, database, "t1", port)
        with live_agent(settings) as agent:
            agent.wait_for(lambda: agent.running.agent.open_core.cache.member_count == 1)
    with live_agent(settings) as agent:
        done = body_of(agent.call("POST", "/v1/members/m-kim/cards", {"uid": "a-1", "card": CARD}))
        assert (done["state"], done["member"]["reference"]) == ("attached", "m-kim")
        assert identify(agent, card=CARD)["reference"] == "m-kim", "with no line, at once"
        sell(agent, "s-1", 100_000, member={"card": CARD})
        register(agent, "r-1")
        tag = identify(agent, phone=PHONE)["reference"]
        refused(agent.call("POST", f"/v1/members/{tag}/cards", {"uid": "a-2", "card": CARD}), "card_taken")
        refused(agent.call("POST", "/v1/members", {"uid": "r-2", "phone": "+79161231237", "card": CARD}), "card_taken")
        known = body_of(agent.call("POST", "/v1/members/m-kim/cards", {"uid": "a-3", "card": CARD}))
        assert known["state"] == "known"
        with live_cloud(tmp_path, database, port):
            emptied(agent)
            assert identify(agent, card=CARD)["reference"] == "m-kim"
    assert_nothing_in_clear(tmp_path / "t1", database)


def test_registering_needs_its_scope(tmp_path: Path, database: Path) -> None:
    """A client of sales alone may not register."""
    with live_cloud(tmp_path, database) as port:
        clients = "".join(
            f"[[bridge.clients]]\nname = {name!r}\nscopes = [{scope!r}]\n"
            for name, scope in (("x", "sale"), ("admin", "admin"))
        )
        settings = enrolled(tmp_path, database, "t1", port, clients=clients)
        with live_agent(settings) as agent:
            reply = agent.call("POST", "/v1/members", {"uid": "r-1"}, client="x")
            assert (reply.status, json.loads(reply.body)["code"]) == (403, "scope_missing")


def test_the_programs_output_and_failure_are_nobodys_business(tmp_path: Path, database: Path) -> None:
    """A program that can't send: the cashier hears it, and may go on without a code."""
    bad = tmp_path / "bad.py"
    bad.write_text("import sys; print(sys.stdin.read()); sys.exit(3)\n")
    with (
        live_cloud(tmp_path, database, command=f"{sys.executable} {bad}") as port,
        live_agent(enrolled(tmp_path, database, "t1", port)) as agent,
    ):
        agent.wait_for(lambda: agent.running.agent.open_core.cache.programme() is not None)
        asked = register(agent, "r-1")
        assert (asked["confirmation"]["state"], asked["messages"][0]["code"]) == ("not_sent", "code_not_sent")
        assert register(agent, "r-1", without_code=True)["state"] == "registered"
    assert tillside("cloud", "verify", "--db", str(database))
