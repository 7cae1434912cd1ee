"""Whole programmes through the cloud as chains use it: uploaded by the command, sold by over HTTP, seen by staff."""

import json
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import Result
from msgspec.structs import replace

from integration.cloud.cloud_http_kit import TillClient, served
from kit.commands import tillside
from kit.loops import run
from till_cloud.store import tills
from till_cloud.verify import verify
from till_loyalty.programme import Rule
from till_loyalty.programme_document import EXAMPLES, example_text, parse_programme, programme_json
from till_loyalty.rule_parts import Coupon, Limit, Who
from till_sync.wire import PushAnswer
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import Chain, programme

RULES = programme(
    tiers=(),
    rules=(
        Rule(id="base", percent_basis_points=1000),
        Rule(id="action", points=700, limits=(Limit(per="budget", amount=10_000, offline="share"),)),
        Rule(id="once-points", points=50, who=Who(coupon="once")),
    ),
    coupons=(Coupon(id="once", codes=("ONCE",), uses_per_code=1, uses_per_member=1),),
)


def command(db: Path, *words: str, status: int = 0) -> Result:
    return tillside("cloud", *words, "--db", db, status=status)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_uploaded_and_sold_by(tmp_path: Path, name: str) -> None:
    """An honest till's sale, its facts pulled before, counts the same at the cloud; and so does its return."""
    db, file = tmp_path / "c.db", tmp_path / f"{name}.toml"
    file.write_text(example_text(name), encoding="utf-8")
    chain = Chain(db)
    try:
        assert "is the one to sell by" in command(db, "programme", "upload", str(file)).stdout
        chain.programme = parse_programme(example_text(name))
        first = chain.programme.tiers[0].id if chain.programme.tiers else ""
        chain.member("m-1", tier=first)
        chain.centre.write(
            lambda c: c.execute("UPDATE members SET birth_date = '1990-01-15', member_since = '2020-01-01'")
        ).result()
        desk = Desk(chain)
        desk.pull()
        for uid in ("a", "b", "c"):
            result = desk.sold(uid, "m-1", 250_000, 12_345, 9_900)
            assert (result.status, result.code) == ("applied", "")
            desk.pull()
        assert result.balance > 0
        assert desk.returned("r", "b").status == "applied"
        assert chain.centre.read(verify).holds
    finally:
        chain.centre.close()


async def push(till: TillClient, desk: Desk) -> PushAnswer:
    first, desk.acked = desk.acked + 1, len(desk.till.ops)
    answer = await till.push(desk.till.request(first))
    assert answer.status_code == 200
    return msgspec.json.decode(answer.content, type=PushAnswer)


def test_a_till_asks_how_often_codes_were_used(tmp_path: Path) -> None:
    async def case() -> None:
        async with served(tmp_path / "c.db", rules=RULES) as (chain, client):
            chain.member("m-1")
            desk = Desk(chain)
            desk.pull()
            till = TillClient(client, desk.till)
            desk.sell("a", "m-1", codes=("once",))
            assert (await push(till, desk)).results[0].status == "applied"
            url = f"/v1/tills/{desk.till.name}/coupons"

            async def ask(**body: object) -> httpx.Response:
                return await client.post(url, json=body, headers=till.headers)

            known = await ask(codes=["Once "], member_id="m-1")
            assert known.json()["usage"] == [
                {"rule": "once", "per": "code", "key": "ONCE", "uses": 1},
                {"rule": "once", "per": "life", "uses": 1},
            ]
            assert (await ask(codes=["OTHER"], member_id="m-1")).json()["usage"] == []
            assert (await ask(codes=["X"] * 51)).status_code == 422
            assert (await client.post(url, json={"codes": []})).status_code == 401

    run(case())


def test_a_pull_over_http_tells_place_shares_and_facts(tmp_path: Path) -> None:
    async def case() -> None:
        async with served(tmp_path / "c.db", rules=RULES) as (chain, client):
            chain.member("m-1")
            row = tills.StoreRow("s1", "First", "Europe/Moscow", "south", ("big", "new"))
            chain.centre.write(lambda c: tills.put_store(c, row, 1)).result()
            till = TillClient(client, chain.till())
            page = (await till.changes()).json()
            assert page["place"] == {"store": "s1", "region": "south", "groups": ["big", "new"]}
            assert page["shares"] == {"action": 5_000}
            member = next(each for each in page["rows"] if each["row"] == "member")
            assert member["facts"] == {"purchases": 0}

    run(case())


def test_staff_see_budgets_and_change_members_and_stores(tmp_path: Path) -> None:
    """Beside a running cloud; the till that pulls afterwards knows all of it."""
    db = tmp_path / "c.db"
    chain = Chain(db, rules=replace(RULES, coupons=(Coupon(id="once", codes=("ONCE",), assigned=True),)))
    try:
        chain.member("m-1")
        desk = Desk(chain)
        desk.pull()
        desk.sold("a", "m-1")
        view = json.loads(command(db, "programme", "budget", "--json").stdout)[0]
        assert (view["total"], view["granted"], view["used"]) == (10_000, 5_000, 700)
        assert "all tills" in command(db, "programme", "budget").stdout
        named = ("--name", "First", "--time-zone", "Asia/Almaty")
        command(db, "store", "add", "s1", *named, "--region", "south", "--group", "big", "--group", "new")
        assert "region south, group big, group new" in command(db, "store", "add", "s1", *named).stdout
        assert "big, new" in command(db, "store", "list").stdout
        assert "holds once" in command(db, "member", "coupon", "give", "m-1", "once").stdout
        assert "is in vip" in command(db, "member", "segment", "add", "m-1", "vip").stdout
        assert "was already in vip" in command(db, "member", "segment", "add", "m-1", "vip").stdout
        assert "was active already" in command(db, "member", "confirm", "m-1").stdout
        assert "nobody has this reference" in command(db, "member", "confirm", "m-9", status=1).output
        assert "expected a tier" in command(db, "member", "tier", "m-1", "gold", status=1).output
        page = desk.pull()
        assert page.place is not None
        assert page.place.region == "south"
        facts = desk.rows["m-1"].facts
        assert (facts.coupons, facts.segments) == (("once",), ("vip",))
        assert "is out of vip" in command(db, "member", "segment", "remove", "m-1", "vip").stdout
    finally:
        chain.centre.close()


def test_a_members_file_with_facts_is_imported_by_the_command(tmp_path: Path) -> None:
    db, file, rules = tmp_path / "c.db", tmp_path / "members.csv", tmp_path / "p.json"
    file.write_text("member_id,birth_date,segments\nm-1,1990-02-28,vip|new\nm-2,28.02.1990,\n", encoding="utf-8")
    rules.write_text(programme_json(RULES), encoding="utf-8")
    command(db, "init")
    command(db, "programme", "upload", str(rules))
    done = command(db, "member", "import", str(file), status=1)
    assert "line 3, column birth_date: expected a date as 2026-01-31" in done.output
    assert "1 members added" in done.output
