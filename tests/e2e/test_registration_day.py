"""A customer becomes a member at the till, by processes as they are installed: code, sale, points spent, no traces."""

import json
import sys
from pathlib import Path
from typing import Any

from kit.bridge import receipt
from kit.waiting import wait_for
from kit.world import World, an_environment

PHONE = "8 701 000 09 02"
DIGITS = "7010000902"
EVENTS = """
[registration]
consent = { en = "I agree", ru = "Согласен" }

[[events]]
id = "welcome"
on = "registered"
points = 20000
"""


def sent(folder: Path) -> list[dict[str, Any]]:
    """The messages that the operator's program was told to send."""
    path = folder / "phone-network" / "messages"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def sender(folder: Path) -> str:
    """The operator's program: writes what it is told where only the phone network could read it."""
    (folder / "phone-network").mkdir()
    program = folder / "send.py"
    target = str(folder / "phone-network" / "messages")
    program.write_text(f"import sys\nprint(text := sys.stdin.read())\nopen({target!r}, 'a').write(text)\n", "utf-8")
    return f"{sys.executable} {program}"


def test_a_customer_becomes_a_member_buys_and_spends(world: World) -> None:
    """Two tills know them by the phone afterwards; nothing but the phone network has seen the number."""
    programme = world.folder / "programme.toml"
    text = programme.read_text(encoding="utf-8").replace("version = 1", "version = 2", 1)
    programme.write_text(text + EVENTS, encoding="utf-8")
    world.command("cloud", "programme", "upload", programme)
    with an_environment(TILLSIDE_CLOUD_SEND_CODES=sender(world.folder)):
        world.start_cloud()
    till = world.till("till-1").start().wait_members()
    request: dict[str, Any] = {"uid": "reg-1", "phone": PHONE, "name": "Gulnara Gray"}
    first = till.pos.ask("POST", "/v1/members", request)
    assert (first["needs"], first["consent"]["text"]) == (["consent"], "I agree")
    request["consent"] = {"version": first["consent"]["version"], "given": True}
    asked = till.pos.ask("POST", "/v1/members", request)
    assert (asked["needs"], asked["confirmation"]["state"]) == (["code"], "sent")
    request["code"] = wait_for(lambda: sent(world.folder), "the message")[0]["code"]
    assert till.pos.ask("POST", "/v1/members", request)["state"] == "registered"
    till.pos.sell("s-1", receipt(100_000, member={"phone": PHONE}))
    till.drain()
    member = wait_for(
        lambda: found if (found := till.pos.identify(phone=PHONE))["spendable_points"] >= 20000 else None, "the points"
    )
    hold = till.pos.ask(
        "POST", "/v1/holds", {"sale_uid": "s-2", "member": {"reference": member["reference"]}, "points": 20000}
    )
    spend = {"member": {"reference": member["reference"]}, "hold": hold["hold"], "redeem_points": 20000}
    sale = till.pos.sell("s-2", receipt(100_000, **spend))
    assert sale["calculation"]["redeemed_points"] == 20000
    till.drain()
    other = world.till("till-2").start()
    wait_for(lambda: other.pos.identify(phone=PHONE)["known"], "the other till to know the member")
    assert other.pos.identify(phone=PHONE)["name_masked"] == "Gulnara G."
    other.stop()
    till.stop()
    world.stop_cloud()
    world.verify()
    traces = [
        path
        for path in world.folder.rglob("*")
        if path.is_file() and path.parent.name != "phone-network" and DIGITS.encode() in path.read_bytes()
    ]
    assert traces == []
    assert request["code"] not in (world.folder / "cloud.log").read_text(encoding="utf-8")
