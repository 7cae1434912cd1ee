"""Makes the golden files of version 0.1.0 with that version's own code; see 0.1.0/README.md for how to run it.

Nothing here is imported by the tests: what they read is what this script has written. People, cards and phones are made
up; clocks and random words are counters, so that a second run makes the same content.
"""

import asyncio
import gzip
import inspect
import io
import json
import secrets
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec


class _Words:
    """Stands for `secrets`: every word another one, and the same ones in each run."""

    def __init__(self) -> None:
        self._made = 0

    def hex(self, count: int | None = None) -> str:
        self._made += 1
        return f"{self._made:0{2 * (count or 32)}x}"

    def text(self, count: int | None = None) -> str:
        self._made += 1
        return f"made-up-{self._made:0{count or 16}d}"


_words = _Words()
secrets.token_hex, secrets.token_urlsafe = _words.hex, _words.text  # type: ignore[assignment]  # for this process only
secrets.choice = lambda letters: letters[0]  # type: ignore[assignment]  # of enrolment codes

from till_agent.api import HoldCreate, Identify, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore
from till_agent.desk import Desk, DeskParts, DeskSettings, StoreIdentity
from till_agent.desk.answers import encode
from till_agent.exceptions import CloudUnreachable
from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_cloud import enrolment, registry
from till_cloud.centre import Centre
from till_cloud.ledger.account import Draft
from till_cloud.ledger.book import Book
from till_cloud.store import members, tills
from till_cloud.verify import verify
from till_loyalty.identifiers import tag
from till_loyalty.programme import (
    CardRange,
    Exclusion,
    Identifiers,
    Match,
    Programme,
    Redemption,
    Rule,
    Tier,
)
from till_loyalty.receipt import Line, Receipt
from till_sync import wire
from till_sync.identity import Identity, load_identity, save_identity
from till_sync.ops import Payment

START_MS = 1_763_700_000_000
STORE = tills.StoreRow("s1", "Лавка № 1", "Asia/Almaty")
BATCH_OPS = 10


def card(number: int) -> str:
    """An EAN-13 of the chain's range."""
    body = f"29000000{number:04d}"
    return f"{body}{-sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(body)) % 10}"


PEOPLE = (
    ("m-anna", "Анна К.", "active", "standard", 5_000, card(1), "+77010000001"),
    ("m-boris", "Борис М.", "active", "gold", 700, card(2), "+77010000002"),
    ("m-clara", "Клара Ж.", "active", "standard", 0, card(3), "+77010000003"),
    ("m-dina", "Дина С.", "active", "standard", 0, card(4), ""),
    ("m-emil", "Эмиль Т.", "blocked", "standard", 300, card(5), "+77010000005"),
    ("m-farida", "Фарида О.", "active", "standard", 0, card(6), "+77010000006"),
)
CARDS = {member_id: number for member_id, _name, _status, _tier, _points, number, _phone in PEOPLE}
STRANGERS = {
    "x-card": Identify(card=card(91)),
    "x-other": Identify(card=card(92)),
    "x-phone": Identify(phone="+77010000093"),
}

PROGRAMME = Programme(
    format=1,
    id="golden",
    version=1,
    currency="KZT",
    points_exponent=2,
    point_value_minor=100,
    tiers=(Tier(id="standard"), Tier(id="gold")),
    rules=(
        Rule(id="base", percent_basis_points=500),
        Rule(id="gold", percent_basis_points=500, tiers=("gold",)),
        Rule(id="sweets", percent_basis_points=1000, match=Match(categories=(("food", "sweets"),))),
    ),
    exclusions=(Exclusion(id="tobacco", match=Match(categories=(("tobacco",),)), legal=True),),
    redemption=Redemption(max_share_basis_points=5_000),
    identifiers=Identifiers(phone_countries=("KZ",), cards=(CardRange(prefix="29", lengths=(13,), check="ean13"),)),
)
GOODS = (
    ("bread", "Хлеб", ("food", "bread"), 12_500),
    ("milk", "Молоко", ("food", "milk"), 45_990),
    ("halva", "Халва", ("food", "sweets"), 89_900),
    ("smokes", "Сигареты", ("tobacco",), 110_000),
    ("soap", "Мыло", ("home",), 33_333),
)


class Clock:
    """Fits `till_sync.ports.Clock`: each sale takes a minute, each look at the clock nothing."""

    def __init__(self, boot: str) -> None:
        self.boot, self.now = boot, START_MS

    def wall_ms(self) -> int:
        return self.now

    def mono_ms(self) -> int:
        return self.now - START_MS + 5_000

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class NoSlips:
    """Fits `till_agent.ports.SlipDesk`: a till without a printer."""

    def enqueue(self, entry: Any, **_options: Any) -> None:
        del entry


class HoldLine:
    """Fits `till_agent.ports.HoldGateway`: the way to the cloud, which somebody cuts."""

    def __init__(self, centre: Centre, note: Callable[[str, Any, Any], None]) -> None:
        self.centre, self.online, self._note = centre, True, note

    async def reserve(self, request: wire.HoldRequest, *, budget_ms: int) -> wire.HoldAnswer:
        del budget_ms
        if not self.online:
            raise CloudUnreachable("the line is cut")
        answer = await asyncio.wrap_future(self.centre.hold(request))
        self._note("holds", request, answer)
        return answer


class Shop:
    """A till's whole state directory, opened by the code of its time."""

    def __init__(self, folder: Path, centre: Centre, clock: Clock, log: dict[str, Any]) -> None:
        self.folder, self.centre, self.clock, self.log = folder, centre, clock, log
        self.identity = load_identity(folder / "identity.json")
        self.line = HoldLine(centre, self._note)
        self.number = 0

    async def open(self) -> "Shop":
        effects, identity, path = OwnEffects(), self.identity, self.folder / "identity.json"
        self.cache = CacheStore(self.folder / "cache.db", identity.till, on_complete=effects.forget)
        keeper = EpochKeeper(
            identity.last_epoch, lambda epoch: save_identity(path, load_identity(path).with_epoch(epoch))
        )
        place = Place(path=self.folder / "journal.db", till=identity.till, keeper=keeper, clock=self.clock)
        self.journal = DiskJournal(place, effects, self.cache)
        await self.cache.start()
        await self.journal.start(self.cache.floor)
        self.desk = Desk(
            DeskParts(
                identity=StoreIdentity(
                    till=identity.till,
                    store=identity.store,
                    store_name=identity.store_name,
                    time_zone=identity.time_zone,
                    identifier_key=identity.key,
                ),
                journal=self.journal,
                cache=self.cache,
                pending=effects,
                holds=self.journal.holds,
                gateway=self.line,
                slips=NoSlips(),  # type: ignore[arg-type]  # nothing is printed
                clock=self.clock,
                settings=DeskSettings(print_slips=False),
            )
        )
        return self

    async def close(self) -> None:
        await self.cache.stop()
        await self.journal.stop()

    def row(self) -> tills.TillRow:
        found = self.centre.read(lambda connection: tills.till(connection, self.identity.till))
        assert found is not None
        return found

    async def pull(self) -> None:
        """Every page, in pages of 4 rows."""
        while True:
            page = self.centre.changes(self.row(), since=await self.cache.cursor(), limit=4)
            self._note("changes", None, page)
            await self.cache.store_page(page)
            if not page.more:
                return

    async def push(self) -> None:
        """All that waits, in batches of 10."""
        hello = self.centre.hello(self.row())
        self._note("hello", None, hello)
        while True:
            batch = await self.journal.next_batch(max_ops=BATCH_OPS, max_bytes=10**6, incarnation=hello.incarnation)
            if batch is None:
                return
            answer = await asyncio.wrap_future(self.centre.push(self.identity.till, batch))
            self._note("ops", batch, answer)
            await self.journal.record(batch.epoch, answer.acked_seq, answer.results)

    def _note(self, what: str, request: Any, answer: Any) -> None:
        asked = "" if request is None else msgspec.json.encode(request).decode()
        self.log["exchanges"].append([self.identity.till, what, asked, msgspec.json.encode(answer).decode()])

    async def sell(self, who: str, *parts: int, redeem: int = 0, hold: str = "", uid: str = "") -> str:
        """Goods by their numbers; the answer's bytes are noted."""
        self.clock.now += 60_000
        self.number += 1
        uid = uid or f"{self.identity.till}-{self.number:03d}"
        lines = tuple(
            Line(
                number=number,
                sku=sku,
                name=name,
                category=category,
                quantity_thousandths=1000 * (1 + (self.number + number) % 3),
                amount_minor=price * (1 + (self.number + number) % 3),
            )
            for number, (sku, name, category, price) in enumerate((GOODS[part] for part in parts), start=1)
        )
        request = SaleRequest(
            receipt=Receipt(lines=lines),
            member=_who(who),
            redeem_points=redeem,
            hold=hold,
            payments=(
                Payment(kind="card" if self.number % 2 else "cash", amount_minor=sum(x.amount_minor for x in lines)),
            ),
            number=str(self.number),
            cashier="Сара",
        )
        self._answered("sale", uid, request, (await self.desk.sell(uid, request)).body)
        return uid

    async def reserve(self, uid: str, who: str, points: int) -> str:
        wish = HoldCreate(sale_uid=uid, member=Identify(card=CARDS[who]), points=points, ttl_ms=3_000_000)
        return (await self.desk.hold(wish)).hold

    async def void(self, uid: str) -> None:
        self.clock.now += 60_000
        self._answered("void", uid, None, (await self.desk.void(uid)).body)

    async def give_back(self, sale: str, *lines: tuple[int, int]) -> None:
        """(line, thousandths); none: all that is left."""
        self.clock.now += 60_000
        self.number += 1
        uid = f"{self.identity.till}-r{self.number:03d}"
        asked = tuple(ReturnLineRequest(number=n, quantity_thousandths=quantity) for n, quantity in lines)
        request = ReturnRequest(sale_uid=sale, lines=asked, cashier="Сара")
        self._answered("return", uid, request, (await self.desk.give_back(uid, request)).body)

    def _answered(self, kind: str, uid: str, request: Any, answer: bytes) -> None:
        asked = "" if request is None else encode(request).decode()
        self.log["answers"].append([self.identity.till, kind, uid, asked, answer.decode()])


def _who(who: str) -> Identify | None:
    if not who:
        return None
    return STRANGERS[who] if who in STRANGERS else Identify(card=CARDS[who])


def set_up(folder: Path, centre: Centre, clock: Clock, log: dict[str, Any]) -> None:
    """Store, programme, members, and the identities of two tills; a third one has a code that nobody has used yet."""

    def chain(connection: sqlite3.Connection) -> dict[str, Identity]:
        tills.put_store(connection, STORE, clock.now)
        registry.upload(connection, PROGRAMME, clock.now)
        key, made = b"", {}
        for name in ("k1", "k2"):
            tills.add_till(connection, name, STORE.store, clock.now)
            code = enrolment.issue_code(connection, name, clock.now)
            asked = wire.EnrolmentRequest(code=code, salt="x")
            answer = enrolment.redeem_code(connection, asked, clock.now)
            assert isinstance(answer, wire.EnrolmentAnswer)
            asked_text, answer_text = msgspec.json.encode(asked).decode(), msgspec.json.encode(answer).decode()
            log["exchanges"].append([name, "enrolments", asked_text, answer_text])
            made[name] = Identity.of(answer)
            key = made[name].key
        tills.add_till(connection, "k3", STORE.store, clock.now)
        log["unused_code"] = enrolment.issue_code(connection, "k3", clock.now)
        book = Book(connection, clock.now)
        for member_id, name, status, tier, points, number, phone in PEOPLE:
            tags = [tag(key, "card", number), *([tag(key, "phone", phone)] if phone else [])]
            profile = members.MemberProfile(
                member_id, status, tier, name, name, phone and f"+7 *** *** {phone[-2:]}", f"**** {number[-4:]}", "ru"
            )
            members.add(connection, profile, tags, book.next_position(), clock.now)
            if points:
                draft, position = Draft(book.account(member_id)), book.next_position()  # type: ignore[arg-type]  # added just above
                draft.earn(position, points)
                book.post(draft, kind="opening", op=None, position=position)
        book.flush()
        return made

    for name, identity in centre.write(chain).result().items():
        (folder / name).mkdir(mode=0o700)
        save_identity(folder / name / "identity.json", identity)


async def live(k1: Shop, k2: Shop, clock: Clock) -> None:
    """The morning with a line, then hours without one."""
    for till in (k1, k2):
        await till.pull()
    first = await k1.sell("m-anna", 0, 1, 2)
    await k1.sell("m-boris", 1, 2)
    await k1.sell("", 0, 3)
    held = await k1.reserve("k1-redeems", "m-anna", 1_500)
    await k1.sell("m-anna", 1, 4, redeem=1_500, hold=held, uid="k1-redeems")
    await k1.sell("x-card", 2)
    voided = await k1.sell("m-clara", 1, 1)
    await k1.push()
    await k1.pull()
    await k1.void(voided)
    await k1.give_back(first, (1, 1000))
    await k1.desk.release(await k1.reserve("k1-dropped", "m-boris", 200))
    dear = await k1.sell("m-dina", 2, 2, 2)
    await k1.sell("m-emil", 0, 1)
    later = await k1.sell("m-clara", 2, 3)
    # Promoted at the cloud, and the till has not heard of it: counted again, this sale differs.
    change_tier(k1.centre, "m-farida", "gold")
    await k1.sell("m-farida", 1, 2)
    await k1.push()
    # What Dina's goods gave is spent at the other till before the goods come back: she owes points.
    await k2.pull()
    spent = await k2.reserve("k2-redeems", "m-dina", 80_000)
    await k2.sell("m-dina", 1, 1, 4, redeem=80_000, hold=spent, uid="k2-redeems")
    await k2.sell("x-other", 1)
    await k2.push()
    await k1.give_back(dear)
    await k1.push()
    late_hold = await k1.reserve("k1-late", "m-anna", 900)
    await k1.reserve("k1-open", "m-boris", 100)
    await k1.desk.release(await k1.reserve("k1-released", "m-anna", 50))
    k1.line.online = False
    await k1.sell("m-anna", 4, 2, redeem=900, hold=late_hold, uid="k1-late")
    await offline(k1, first, later, clock)


async def offline(k1: Shop, first: str, later: str, clock: Clock) -> None:
    """Every kind of op that waits."""
    people = ("m-anna", "m-boris", "m-clara", "m-dina", "", "x-card", "x-other", "x-phone", "m-emil", "m-farida")
    sold = [
        await k1.sell(
            people[number % len(people)], number % 5, (number * 3 + 1) % 5, *((2,) if number % 4 == 0 else ())
        )
        for number in range(33)
    ]
    await k1.give_back(first, (2, 1000))
    await k1.void(later)
    await k1.void(sold[1])
    await k1.give_back(sold[0], (1, 1000))
    await k1.give_back(sold[0])
    await k1.give_back(sold[4], (2, 1000))
    await k1.give_back(sold[5])
    await k1.void(sold[17])
    await k1.give_back("k1-redeems")
    clock.now += 60_000


def change_tier(centre: Centre, member_id: str, tier: str) -> None:
    def change(connection: sqlite3.Connection) -> None:
        book = Book(connection, START_MS)
        known = members.profile(connection, member_id)
        assert known is not None
        members.update(connection, msgspec.structs.replace(known, tier=tier), book.next_position())
        book.flush()

    centre.write(change).result()


def standing(centre: Centre, till: str) -> dict[str, Any]:
    """What the old code says at the end: balances, lots, verdicts, and the whole ledger's check."""

    def ask(connection: sqlite3.Connection) -> dict[str, Any]:
        checked = verify(connection)
        assert checked.holds, checked.breaches
        columns = "member_id, balance, held, debt, earned, redeemed, given_back, reversed, expired"
        return {
            "balances": connection.execute(f"SELECT {columns} FROM balances ORDER BY member_id").fetchall(),
            "lots": connection.execute(
                "SELECT member_id, issued, left, used, expired, reversed FROM lots ORDER BY member_id, lot"
            ).fetchall(),
            "verdicts": connection.execute(
                "SELECT seq, kind, uid, status, code, effect_points FROM ops WHERE till = ? ORDER BY seq", (till,)
            ).fetchall(),
            "holds": connection.execute("SELECT hold, state FROM holds ORDER BY hold").fetchall(),
            "figures": checked.figures,
        }

    return centre.read(ask)


def pack(target: Path, folder: Path) -> None:
    """A .tar.gz whose bytes depend on the content alone."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.name.endswith("-shm"):
                entry = tarfile.TarInfo(path.name)
                entry.size, entry.mode = path.stat().st_size, 0o600
                archive.addfile(entry, io.BytesIO(path.read_bytes()))
    target.write_bytes(gzip.compress(raw.getvalue(), 9, mtime=0))


def tidy_cloud(path: Path, folder: Path) -> None:
    """A copy into `folder`, without what the clock of this machine wrote and without empty pages."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE _sqlite_migrations SET applied_at = '2025-11-21 04:40:00+00:00'")
    connection.execute("VACUUM INTO ?", (str(folder / "cloud.db"),))
    connection.close()


async def make(out: Path, work: Path) -> None:
    clock = Clock("boot-golden")
    log: dict[str, Any] = {"exchanges": [], "answers": []}
    ids = iter(range(1, 100))

    def centre_at(folder: Path) -> Centre:
        return Centre(folder / "cloud.db", wall_ms=clock.wall_ms, new_id=lambda: f"m-new{next(ids)}")

    cloud = work / "cloud"
    cloud.mkdir()
    centre = centre_at(cloud)
    set_up(work, centre, clock, log)
    k1, k2 = [await Shop(work / name, centre, clock, log).open() for name in ("k1", "k2")]
    await live(k1, k2, clock)
    # As a power cut leaves it: the last ops are in the log only.
    shutil.copytree(work / "k1", work / "k1-cut", ignore=shutil.ignore_patterns("*-shm"))
    await k1.close()
    await k2.close()
    centre.close()
    tidied = work / "tidied"
    tidied.mkdir()
    tidy_cloud(cloud / "cloud.db", tidied)
    pack(out / "till.tar.gz", work / "k1")
    pack(out / "till-cut.tar.gz", work / "k1-cut")
    pack(out / "cloud.tar.gz", tidied)
    # And how that version goes on from here.
    before = len(log["exchanges"])
    centre = centre_at(cloud)
    k1 = await Shop(work / "k1", centre, clock, log).open()
    await k1.push()
    await k1.pull()
    log |= {"waiting_from": before, **standing(centre, "k1")}
    await k1.close()
    centre.close()
    text = json.dumps(log, ensure_ascii=False, indent=0, sort_keys=True).encode()
    (out / "expected.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))
    (out / "wire.py").write_text(inspect.getsource(wire), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(make(Path(sys.argv[1]), Path(made)))
