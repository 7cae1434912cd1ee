"""Agents, cloud and a line that is cut: what was granted ahead is spent without it, and not a point more."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, receipt
from integration.bridge.registration_kit import Line, enrolled
from integration.bridge.serving_kit import cloud_served, tillside
from kit.phones import make_slow
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity

MEMBERS = "member_id,name,phone,card,tier,language,status,balance\nm-kim,Ким,+79161231235,,silver,ru,active,50000\n"
PATIENT = "cloud_budget_ms = 10000\n"
"""A busy machine answers late; without a line an agent is told so at once, for the line ends its connections."""
KIM = {"member": {"reference": "m-kim"}}


def chain(folder: Path, redemption: str = "") -> Path:
    """A database with a store, Kim with 500 points, and the supermarket's rules."""
    path = folder / "cloud.db"
    (folder / "members.csv").write_text(MEMBERS, encoding="utf-8")
    text = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
    text = text.replace("[redemption]\n", f"[redemption]\n{redemption}", 1)
    (folder / "programme.toml").write_text(text, encoding="utf-8")
    tillside("cloud", "init", "--db", str(path))
    tillside("cloud", "programme", "upload", "--db", str(path), str(folder / "programme.toml"))
    tillside("cloud", "store", "add", "s1", "--db", str(path), "--name", "Shop", "--time-zone", "Asia/Almaty")
    tillside("cloud", "member", "import", "--db", str(path), str(folder / "members.csv"))
    make_slow(path)
    return path


class Shop:
    """Tills of one store behind one line."""

    def __init__(self, folder: Path, database: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.database = database
        self.stack = stack
        self.port = stack.enter_context(cloud_served(database))
        self.line = stack.enter_context(Line(self.port))
        self.tills: dict[str, LiveAgent] = {}
        self._settings: dict[str, Any] = {}
        self._running: dict[str, contextlib.ExitStack] = {}

    def open(self, *names: str) -> None:
        """Enrol and start them; Kim buys something at each, and each pushes."""
        for name in names:
            self._settings[name] = enrolled(
                self.folder, self.database, name, self.port, through=self.line, clients=PATIENT
            )
            self.start(name)
            till = self.tills[name]
            till.wait_for(lambda till=till: core(till).cache.member_count == 1)
            body_of(till.call("PUT", f"/v1/sales/first-{name}", receipt(10_000) | KIM))
            self.drain(name)

    def start(self, name: str) -> LiveAgent:
        own = self._running[name] = contextlib.ExitStack()
        self.stack.push(own)
        self.tills[name] = own.enter_context(live_agent(self._settings[name]))
        return self.tills[name]

    def stop(self, name: str) -> None:
        self._running.pop(name).close()

    def kill(self, name: str) -> None:
        """Its files are as a power cut at this moment leaves them."""
        shutil.copytree(self.folder / name, self.folder / "cut")
        self.stop(name)
        shutil.rmtree(self.folder / name)
        (self.folder / "cut").rename(self.folder / name)

    def drain(self, name: str) -> None:
        till = self.tills[name]
        till.wait_for(lambda: core(till).journal.figures.waiting == 0)

    def lend(self) -> dict[str, int]:
        """The cloud's jobs run; what each till then has of Kim's points, as soon as each knows."""
        tillside("cloud", "jobs", "run", "--db", str(self.database))
        lent = dict(self.ask("SELECT holder, points FROM grants WHERE points > 0"))
        for name, till in self.tills.items():
            till.wait_for(lambda name=name, till=till: granted(till) == lent.get(name, 0))
        return lent

    def ask(self, question: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(question).fetchall()

    def cut(self) -> None:
        """No till hears the cloud any more, and each has noticed."""
        self.line.cut()
        for till in self.tills.values():
            till.wait_for(lambda till=till: not core(till).worker.status.online)

    def mend(self) -> None:
        """The line is back, and everything reaches the cloud."""
        self.line.mend()
        for name, till in self.tills.items():
            till.on_loop(core(till).sync_now)
            self.drain(name)

    def balance(self) -> tuple[int, int, int, int]:
        """Balance, held, granted, debt of Kim."""
        (row,) = self.ask("SELECT balance, held, granted, debt FROM balances WHERE member_id = 'm-kim'")
        return tuple(row)

    def verify(self) -> None:
        tillside("cloud", "verify", "--db", str(self.database))

    def verdicts(self) -> set[tuple[str, str]]:
        return set(self.ask("SELECT status, code FROM ops WHERE status <> 'applied'"))


def core(till: LiveAgent) -> Any:
    found = till.running.agent.open_core
    assert found is not None
    return found


def granted(till: LiveAgent) -> int:
    row = core(till).cache.grant("m-kim")
    return row.points if row else 0


def member(till: LiveAgent) -> Any:
    return body_of(till.call("POST", "/v1/identify", {"reference": "m-kim"}))


def spendable(till: LiveAgent) -> int:
    return int(member(till)["spendable_points"])


def hold(till: LiveAgent, points: int, uid: str) -> Any:
    return till.call("POST", "/v1/holds", {"sale_uid": uid, "points": points} | KIM)


def spend(till: LiveAgent, points: int, uid: str) -> Any:
    held = body_of(hold(till, points, uid))["hold"]
    sale = receipt(1_000_000) | KIM | {"redeem_points": points, "hold": held}
    return body_of(till.call("PUT", f"/v1/sales/{uid}", sale))


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def test_two_tills_cut_off_spend_their_shares_and_not_a_point_more(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """Neither hears of the other; the cloud takes each sale as it was made, and nobody ends below 0."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1", "t2")
    lent = shop.lend()
    before = shop.balance()
    assert set(lent) == {"t1", "t2"}
    assert sum(lent.values()) <= before[0]
    shop.cut()
    spent = 0
    for name, till in shop.tills.items():
        most = spendable(till)
        assert most == lent[name]
        refused = hold(till, most + 100, f"{name}-much").json
        assert (refused["code"], refused["available_points"]) == ("offline_limit", most)
        part = most // 200 * 100
        spend(till, part, f"{name}-a")
        assert spendable(till) == most - part
        rest = (most - part) // 100 * 100
        spend(till, rest, f"{name}-b")
        assert hold(till, 100, f"{name}-c").status in (409, 503)
        spent += part + rest
    shop.mend()
    assert shop.verdicts() == set()
    balance, held, left, debt = shop.balance()
    assert (held, debt, left) == (0, 0, sum(lent.values()) - spent)
    assert balance >= left >= 0
    assert shop.ask("SELECT sum(used) FROM grants") == [(spent,)]
    shop.verify()


def test_a_power_cut_without_a_line_revives_nothing(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """What was spent is in the journal, an open hold too."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    shop.cut()
    till = shop.tills["t1"]
    spend(till, 1_000, "a")
    open_hold = body_of(hold(till, 2_000, "b"))["hold"]
    shop.kill("t1")
    till = shop.start("t1")
    till.wait_for(lambda: till.running.agent.open_core is not None)
    assert spendable(till) == lent - 3_000
    sale = receipt(1_000_000) | KIM | {"redeem_points": 2_000, "hold": open_hold}
    body_of(till.call("PUT", "/v1/sales/b", sale))
    shown = member(till)
    assert shown["unconfirmed_points"] != 0
    shop.mend()
    till.wait_for(lambda: granted(till) == lent - 3_000)
    confirmed = member(till)
    assert (confirmed["balance_points"], confirmed["unconfirmed_points"]) == (shown["balance_points"], 0)
    assert shop.verdicts() == set()
    assert shop.balance()[2] == lent - 3_000
    shop.verify()


def test_a_new_journal_forgets_its_grants_and_so_does_the_cloud(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """What the lost one may have spent is written off, and never spent twice."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    shop.cut()
    shop.stop("t1")
    for path in (tmp_path / "t1").glob("journal.db*"):
        path.unlink()
    till = shop.start("t1")
    till.wait_for(lambda: till.running.agent.open_core is not None)
    assert core(till).journal.figures.epoch == 2
    assert spendable(till) == 0
    assert hold(till, 100, "x").status in (409, 503)
    body_of(till.call("PUT", "/v1/sales/y", receipt(10_000) | KIM))
    shop.mend()
    till.wait_for(lambda: granted(till) == 0 or core(till).cache.grant("m-kim").epoch == 2)
    assert shop.ask("SELECT points, reason FROM grant_write_offs") == [(lent, "epoch")]
    shop.verify()


def test_the_floor_limit_costs_at_most_what_the_retailer_named(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """Two tills cut off: (tills - 1) times what a member may spend at each. Staff see it, and status said it before."""
    rules = 'offline = "floor"\nfloor = { member_points = 40000, till_points = 45000, hours = 48 }\n'
    shop = Shop(tmp_path, chain(tmp_path, rules + "lending = { share_basis_points = 0 }\n"), stack)
    shop.open("t1", "t2")
    assert shop.lend() == {}
    balance = shop.balance()[0]
    shop.cut()
    for name, till in shop.tills.items():
        assert spendable(till) == 40_000
        spend(till, 40_000, f"{name}-a")
        assert spendable(till) == 0
        status = body_of(till.call("GET", "/v1/status", client="admin"))
        assert (status["floor_spent_points"], status["floor_limit_points"]) == (40_000, 45_000)
        assert "floor_near_limit" in {each["code"] for each in status["problems"]}
    shop.mend()
    left, _held, _granted, _debt = shop.balance()
    assert 80_000 - balance <= 40_000
    assert left >= -40_000
    assert "floor_overdrawn" in {code for (code,) in shop.ask("SELECT code FROM flags")}
    shop.verify()


def test_a_voucher_is_taken_once_without_a_line(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """By the key of the enrolment, or, where that was before there were vouchers, by what a greeting told."""
    shop = Shop(tmp_path, chain(tmp_path, 'offline = "grant"\nlending = { share_basis_points = 0 }\n'), stack)
    shop.open("t1")
    shop.stop("t1")
    path = tmp_path / "t1" / IDENTITY_FILE
    save_identity(path, load_identity(path).with_cloud_key(""))
    till = shop.start("t1")
    till.wait_for(lambda: load_identity(path).cloud_key != "")
    words = ("cloud", "voucher", "issue", "m-kim", "--till", "t1", "--points", "7000", "--db", str(shop.database))
    text = next(word for word in tillside(*words).split() if word.startswith("TSV1."))
    shop.cut()
    shop.stop("t1")
    till = shop.start("t1")
    shown = body_of(till.call("POST", "/v1/identify", {"scan": text}))
    assert (shown["spendable_points"], shown["spendable_reason"]) == (7_000, "voucher")
    who = {"member": {"reference": shown["reference"]}}
    held = body_of(till.call("POST", "/v1/holds", {"sale_uid": "v", "points": 7_000} | who))["hold"]
    body_of(till.call("PUT", "/v1/sales/v", receipt(1_000_000) | who | {"redeem_points": 7_000, "hold": held}))
    assert till.call("POST", "/v1/identify", {"scan": text}).json["code"] == "voucher_used"
    shop.mend()
    assert shop.verdicts() == set()
    assert shop.ask("SELECT state FROM vouchers") == [("used",)]
    assert shop.balance()[1:] == (0, 0, 0)
    shop.verify()


def test_a_till_that_comes_back_gives_up_what_was_recalled(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """What it spent meanwhile is its own all the same, and the other till has the rest then."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1", "t2")
    lent = shop.lend()
    away = shop.tills["t2"]
    shop.stop("t2")
    wish = shop.balance()[0] // 100 * 100
    answer = hold(shop.tills["t1"], wish, "large")
    assert (answer.status, answer.json["code"]) == (409, "points_lent")
    away = shop.start("t2")
    away.wait_for(lambda: core(away).worker.status.online)
    away.wait_for(lambda: granted(away) == 0 and core(away).journal.figures.waiting == 0)
    assert shop.ask("SELECT released FROM grants WHERE holder = 't2'") == [(lent["t2"],)]
    body_of(hold(shop.tills["t1"], wish, "large"))
    shop.verify()


def test_a_large_wish_calls_back_what_lies_at_another_till(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """The cashier hears how much there is now, or has all of it a moment later."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1", "t2")
    lent = shop.lend()
    till = shop.tills["t1"]
    wish = shop.balance()[0] // 100 * 100
    assert lent["t1"] < wish
    assert spendable(till) >= wish
    uid = "large"
    for _ in range(100):
        answer = hold(till, wish, uid)
        if answer.status in (200, 201):
            break
        assert answer.json["code"] in ("points_lent", "cloud_unreachable"), answer.json
        shop.tills["t2"].on_loop(core(shop.tills["t2"]).sync_now)
    held = body_of(answer)["hold"]
    assert held.startswith("h-")
    body_of(till.call("PUT", "/v1/sales/large", receipt(10_000_000) | KIM | {"redeem_points": wish, "hold": held}))
    shop.mend()
    assert shop.verdicts() == set()
    shop.verify()
