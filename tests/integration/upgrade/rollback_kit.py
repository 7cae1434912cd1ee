"""A till of today that has made every kind of operation without a line, and goes back to 0.1.0."""

import contextlib
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, receipt
from integration.bridge.registration_kit import RULES, Line, enrolled
from integration.bridge.serving_kit import cloud_served, tillside
from kit.bridge import Bridge
from till_agent.bridge.tokens import read_token
from till_config import load

TILL = "t1"
REDEMPTION = """[redemption]
offline = "floor"
floor = { member_points = 40000, till_points = 90000, hours = 48 }
lending = { share_basis_points = 5000 }
"""
PEOPLE = (("m-kim", "+79161231235", 50_000), ("m-lee", "+79161231236", 60_000), ("m-ann", "+79161231237", 40_000))
MEMBERS = "member_id,name,phone,card,tier,language,status,balance\n" + "".join(
    f"{who},{who[2:].title()},{phone},,silver,ru,active,{points}\n" for who, phone, points in PEOPLE
)
STRANGER = "2900000000018"
NEW_CARD = "2900000000025"
ALL_KINDS = {"sale", "void", "return", "register", "attach-card", "hold-release", "grant-release"}
ALL_COVERS = {"", "grant", "voucher", "floor"}


class Rollback:
    """One cloud, one till, one line, in a folder that can be copied as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "cloud.db"
        self.state_dir = folder / TILL
        self.config = folder / f"{TILL}.toml"

    @property
    def journal(self) -> Path:
        return self.state_dir / "journal.db"

    def copy(self, folder: Path) -> "Rollback":
        """The same world once more; nothing of this one may run."""
        shutil.copytree(self.folder, folder)
        made = Rollback(folder)
        text = made.config.read_text("utf-8").replace(str(self.state_dir), str(made.state_dir))
        made.config.write_text(text, encoding="utf-8")
        return made

    def aim(self, port: int) -> None:
        """Have the till's settings name a cloud on this port."""
        lines = self.config.read_text("utf-8").splitlines()
        told = [f'url = "http://127.0.0.1:{port}"' if line.startswith("url = ") else line for line in lines]
        self.config.write_text("\n".join(told) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def today(self) -> Iterator[LiveAgent]:
        """Today's agent on this till."""
        with live_agent(load(self.config)) as agent:
            yield agent

    def bridge(self, port: int, client: str = "pos") -> Bridge:
        """Cash software at whatever agent listens there."""
        token = read_token(self.state_dir, client)
        assert token is not None
        return Bridge(port, token)

    def ask(self, question: str, *values: object) -> list[Any]:
        """Rows of the cloud's database."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(question, values).fetchall()

    def waiting(self) -> int:
        """Ops in the journal's file that no cloud has acknowledged."""
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM entries e JOIN epochs p ON e.id >> 40 = p.epoch "
                "WHERE e.id & ((1 << 40) - 1) > p.acked_seq"
            ).fetchone()
            return int(count)

    def forget_key(self) -> None:
        """What upgrade.md tells an operator to do before a till goes back."""
        tillside("cloud", "till", "release", TILL, "--forget-key", "--db", str(self.database))

    def balances(self) -> list[Any]:
        """Of all members, with the new one under his phone's order."""
        columns = "balance, held, debt, earned, redeemed, given_back, reversed, expired"
        return sorted(self.ask(f"SELECT {columns} FROM balances"))

    def verdicts(self) -> list[Any]:
        return self.ask("SELECT epoch, seq, kind, uid, status, code, effect_points FROM ops ORDER BY epoch, seq")


def made_up(folder: Path) -> Rollback:
    """A till that sold with a line and, for hours, without one; both ends are stopped."""
    folder.mkdir()
    world = Rollback(folder)
    set_up(world)
    with cloud_served(world.database) as port, Line(port) as line:
        enrolled(folder, world.database, TILL, port, through=line)
        with world.today() as agent:
            core = agent.running.agent
            agent.wait_for(lambda: core.open_core is not None and core.open_core.cache.member_count == len(PEOPLE))
            for number, (who, _phone, _points) in enumerate(PEOPLE):
                sell(agent, f"first-{number}", 500_000 + number, who)
            drained(agent)
            voucher = lend(world, agent)
            kept = hold(agent, "by-hold", "m-ann", 30_000)  # more than is lent: the cloud's to give
            dropped = hold(agent, "dropped", "m-ann", 300)
            assert (kept[:2], dropped[:2]) == ("h-", "h-")
            drained(agent)
            line.cut()
            agent.wait_for(lambda: not core.core.worker.status.online)
            offline(agent, voucher, kept, dropped)
    return world


def set_up(world: Rollback) -> None:
    (world.folder / "members.csv").write_text(MEMBERS, encoding="utf-8")
    text = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
    text = text.replace("[redemption]\n", REDEMPTION, 1) + RULES
    (world.folder / "programme.toml").write_text(text, encoding="utf-8")
    at = ("--db", str(world.database))
    tillside("cloud", "init", "--phone-cost", "off", *at)  # as an operator who may go back to it would
    tillside("cloud", "programme", "upload", *at, str(world.folder / "programme.toml"))
    tillside("cloud", "store", "add", "s1", *at, "--name", "Shop", "--time-zone", "Asia/Almaty")
    tillside("cloud", "member", "import", *at, str(world.folder / "members.csv"))


def lend(world: Rollback, agent: LiveAgent) -> str:
    """Grants for everybody, and a voucher for Kim: its text."""
    tillside("cloud", "jobs", "run", "--db", str(world.database))
    core = agent.running.agent.core
    agent.wait_for(lambda: core.cache.granted(1)[0] == len(PEOPLE))
    words = ("cloud", "voucher", "issue", "m-kim", "--till", TILL, "--points", "2000", "--db", str(world.database))
    text = next(word for word in tillside(*words).split() if word.startswith("TSV1."))
    agent.call("POST", "/v1/sync", client="admin")
    return text


def offline(agent: LiveAgent, voucher: str, kept: str, dropped: str) -> None:
    """Every kind of op, and every way to pay by points."""
    for who in ("m-kim", "m-lee"):
        redeem(agent, f"granted-{who}", who, 700)
    shown = body_of(agent.call("POST", "/v1/identify", {"scan": voucher}))
    redeem(agent, "by-voucher", shown["reference"], 2_000)
    redeem(agent, "by-hold", "m-ann", 30_000, kept)
    agent.call("DELETE", f"/v1/holds/{dropped}")
    granted = agent.on_loop(lambda: agent.running.agent.core.cache.grant("m-lee").points)
    redeem(agent, "by-floor", "m-lee", granted)
    person = {"uid": "reg", "phone": "+79161239999", "consent": {"version": "2", "given": True}}
    assert body_of(agent.call("POST", "/v1/members", person))["state"] == "registered"
    sell(agent, "newcomer", 90_000, phone="+79161239999")
    body_of(agent.call("POST", "/v1/members/m-ann/cards", {"uid": "card", "card": NEW_CARD}))
    sell(agent, "stranger", 70_000, card=STRANGER)
    sell(agent, "nobody", 10_000)
    sell(agent, "mistake", 30_000, "m-kim")
    body_of(agent.call("POST", "/v1/sales/mistake/void"))
    sell(agent, "back", 40_000, "m-lee")
    body_of(agent.call("PUT", "/v1/returns/back-r", {"sale_uid": "back"}))
    body_of(agent.call("PUT", "/v1/returns/granted-r", {"sale_uid": "granted-m-kim"}))
    hold(agent, "never-sold", "m-kim", 100)


def sell(agent: LiveAgent, uid: str, amount: int, who: str = "", **member: str) -> Any:
    named = {"reference": who} if who else member
    body = receipt(amount) | ({"member": named} if named else {})
    return body_of(agent.call("PUT", f"/v1/sales/{uid}", body))


def hold(agent: LiveAgent, uid: str, who: str, points: int) -> str:
    wish = {"sale_uid": uid, "points": points, "member": {"reference": who}}
    return str(body_of(agent.call("POST", "/v1/holds", wish))["hold"])


def redeem(agent: LiveAgent, uid: str, who: str, points: int, held: str = "") -> None:
    held = held or hold(agent, uid, who, points)
    body = receipt(1_000_000) | {"member": {"reference": who}, "redeem_points": points, "hold": held}
    body_of(agent.call("PUT", f"/v1/sales/{uid}", body))


def drained(agent: LiveAgent) -> None:
    core = agent.running.agent.core
    agent.wait_for(lambda: core.journal.figures.waiting == 0 and core.cache.as_of_ms > 0 and not core.cache.filling)


def made_of(journal: Path) -> tuple[Counter[str], set[str]]:
    """How many ops of each kind, and what covered sales."""
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute("SELECT kind, body FROM entries").fetchall()
    covers = {json.loads(body).get("cover", "") for kind, body in rows if kind == "sale"}
    return Counter(kind for kind, _body in rows), covers
