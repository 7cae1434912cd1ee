"""A day at a till, then every file that the agent wrote is searched for who was there: nobody's phone, card, name."""

import json
import stat
from base64 import b64encode
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fakes.frontol_report import FrontolTill
from kit.bridge import receipt
from kit.chain import ANNA, CLARA, DINA, EMIL, Chain, ean13
from kit.processes import free_port
from kit.seeds import Found, Seed, look, phone
from kit.waiting import wait_for
from kit.world import Till, World, an_environment

NEW_PHONE, OFFLINE_PHONE, UNKNOWN_PHONE = "+77010000901", "+77010000902", "+77010000903"
NEW_CARD, UNKNOWN_CARD = ean13("290000000901"), ean13("290000000902")
NEW = {"name": "Фарида Зайнулабидова", "birth_date": "1990-04-17", "sex": "female"}
OFFLINE = {"name": "Гульнара Мухамедьярова", "birth_date": "1991-05-18"}
BANK_CARD = "4276380012345678"

SEEDS = [
    *(phone(f"phone of {who.member_id}", who.phone) for who in (ANNA, CLARA, DINA, EMIL)),
    phone("new phone", NEW_PHONE),
    phone("offline phone", OFFLINE_PHONE),
    phone("unknown phone", UNKNOWN_PHONE),
    *(Seed(f"card of {who.member_id}", who.card) for who in (ANNA, CLARA, DINA, EMIL)),
    Seed("new card", NEW_CARD),
    Seed("unknown card", UNKNOWN_CARD),
    Seed("bank card", BANK_CARD),
    Seed("name of m-anna", "Akhmetova"),
    Seed("name of m-clara", "Chernenko"),
    Seed("new name", "Зайнулабидова"),
    Seed("offline name", "Мухамедьярова"),
    Seed("new birth date", NEW["birth_date"]),
    Seed("offline birth date", OFFLINE["birth_date"]),
]


def _agree(**fields: object) -> dict[str, object]:
    return {"consent": {"version": "1", "given": True}, "without_code": True, **fields}


def _a_day(world: World, mutant: str = "") -> tuple[Till, list[Seed], str]:
    """Everything that names people, on a till that has debug logs, a dead printer and Frontol's reports."""
    (world.folder / "tmp").mkdir()
    report = FrontolTill(day=(datetime.now().astimezone() - timedelta(days=1)).strftime("%d.%m.%Y"))
    report.sale(CLARA.card)
    reports = report.write(world.folder / "report.txt")
    world.start_cloud()
    wallet = world.command("cloud", "wallet", "token", ANNA.member_id).out.strip()
    more = f'[[frontol.reports]]\npath = "{reports}"\nsince = "2026-01-01"\n'
    till = world.till(printer_port=free_port(), more=more)
    text = till.config.read_text(encoding="utf-8").replace('language = "en"', 'language = "en"\nlog_level = "debug"')
    till.config.write_text(text, encoding="utf-8")
    till.start(mutant).wait_members()
    pos = till.pos
    for who in (
        {"phone": ANNA.phone},
        {"phone": "8 (999) 000-01-03"},
        {"card": DINA.card},
        {"scan": wallet},
        {"card": EMIL.card},
        {"phone": UNKNOWN_PHONE},
        {"card": UNKNOWN_CARD},
    ):
        pos.identify(**who)
    pos.send("POST", "/v1/identify", {"card": BANK_CARD})
    pos.send("GET", f"/v1/members?query={CLARA.phone[1:]}")
    assert pos.ask("POST", "/v1/members", _agree(uid="r-1", phone=NEW_PHONE, card=NEW_CARD, **NEW))["op"]
    pos.sell("s-1", receipt(10_000, member={"phone": ANNA.phone}, print=True))
    pos.sell("s-2", receipt(10_000, member={"card": NEW_CARD}))
    pos.ask("PUT", "/v1/returns/b-1", {"sale_uid": "s-1"})
    till.drain()
    world.stop_cloud()
    pos.sell("s-3", receipt(5_000, member={"phone": UNKNOWN_PHONE}))
    pos.sell("s-4", receipt(5_000, member={"card": UNKNOWN_CARD}))
    assert pos.ask("POST", "/v1/members", _agree(uid="r-2", phone=OFFLINE_PHONE, **OFFLINE))["op"]
    pos.send("POST", "/v1/members", b'{"phone": "' + NEW_PHONE.encode() + b'", "name": ')
    wait_for(lambda: reports.read_bytes()[:1] == b"@", "the report to be read")
    seeds = [*SEEDS, Seed("wallet code", wallet[-24:])]
    return till, seeds, (till.state_dir / "tokens" / "pos.token").read_text(encoding="ascii").strip()


def _left(world: World, till: Till, seeds: list[Seed]) -> list[Found]:
    """What of the seeds is in any file of the agent."""
    assert till.agent is not None
    written = [till.state_dir, world.folder / "tmp", till.agent.log, till.agent.ready_file]
    return look(written, seeds, passed=KEYS)


KEYS = frozenset({"till-1/identity.json"} | {f"till-1/tokens/{name}.token" for name in ("pos", "admin", "page")})
"""Where the secrets themselves are."""


@pytest.fixture
def one_world(tmp_path: Path, chain: Chain) -> World:
    """Whose processes have a folder for temporary files of their own."""
    return World(tmp_path, chain)


@pytest.mark.faults
def test_no_file_of_a_till_names_anybody(one_world: World, tmp_path: Path) -> None:
    """While the agent runs, with its logs of SQLite: what it leaves when it stops is less."""
    with an_environment(TMPDIR=str(tmp_path / "tmp")), one_world as world:
        till, seeds, token = _a_day(world)
        identity = json.loads((till.state_dir / "identity.json").read_bytes())
        secrets = [Seed(f"secret {name}", identity[name]) for name in ("token", "identifier_key", "private_key")]
        seeds += [*secrets, Seed("token of pos", token), Seed("wallet secret", identity["wallet_keys"][0])]
        assert _left(world, till, seeds) == []
        for name in KEYS:
            path = tmp_path / name
            assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o600
        names = {path.name for path in till.state_dir.rglob("*")}
        assert {"journal.db", "cache.db", "spool.db", "frontol.db"} <= names


@pytest.mark.soak
@pytest.mark.parametrize(
    ("mutant", "seed", "file"),
    [
        ("registers-unsealed", "offline name", "journal.db"),
        ("masks-nothing", "name of m-anna", "spool.db"),
        ("journals-the-phone", "unknown phone", "journal.db"),
    ],
)
@pytest.mark.mutants
def test_a_till_that_writes_who_was_there_is_found_out(
    one_world: World, tmp_path: Path, mutant: str, seed: str, file: str
) -> None:
    """Each of these is a mistake that somebody could make."""
    with an_environment(TMPDIR=str(tmp_path / "tmp")), one_world as world:
        till, seeds, _ = _a_day(world, mutant)
        till.stop()
        assert (seed, file) in {(found.seed, found.file) for found in _left(world, till, seeds)}


@pytest.mark.parametrize(
    "data",
    [
        b"call +79990000101 now",
        b"8 (999) 000-01-01",
        "7\u00a0999\u00a0000\u201001\u201001".encode(),
        "8 999 000 01 01".encode("utf-16-le"),
        b'{"phone": "\\u002b7999-000-0101"}',
        b"%2B7%20999%20000%2001%2001",
        b64encode(b"+7 999 000-01-01"),
        b"x" + b64encode(b"-----+79990000101-----"),
        b"+79990000101".hex().encode(),
    ],
)
def test_the_search_knows_how_phones_are_written(tmp_path: Path, data: bytes) -> None:
    """Else it would find none and prove nothing."""
    (tmp_path / "f").write_bytes(b"before " + data + b" after")
    assert [found.seed for found in look([tmp_path / "f"], [phone("anna", ANNA.phone)])] != []


@pytest.mark.parametrize("pack", ["gzip", "zlib", "zstd", "cp866", "json", "sqlite"])
def test_the_search_unpacks(tmp_path: Path, pack: str) -> None:
    """What is packed, encoded, or spread over the pages of a database."""
    import gzip
    import sqlite3
    import zlib

    from kit.seeds import zstd

    name = "Зайнулабидова"
    path = tmp_path / "f.db"
    packed = {
        "gzip": gzip.compress(name.encode()),
        "zlib": zlib.compress(name.encode()),
        "zstd": zstd.compress(name.encode()),
        "cp866": name.upper().encode("cp866"),
        "json": json.dumps({"a": json.dumps(name)}).replace("\\\\", "\\").encode(),
    }
    if pack == "sqlite":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (a BLOB)")
        # So that it lies across two overflow pages.
        connection.execute("INSERT INTO t VALUES (?)", (b"x" * 8_170 + name.encode() + b"y" * 9_000,))
        connection.commit()
        connection.close()
    else:
        path.write_bytes(b"\x00\x01before" + packed[pack] + b"after")
    assert [found.seed for found in look([path], [Seed("name", name)])] != []
