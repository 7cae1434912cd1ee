"""Erasing a member at the cloud: nothing of the file says who they were, and the ledger adds up as before."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.seeds import Seed, look, phone
from till_agent.desk.registering import sealed
from till_cloud import erasing
from till_cloud.exceptions import AdminError
from till_cloud.snapshots import folder_of
from till_cloud.store import meta
from till_cloud.verify import verify
from till_sync.wire import MemberRow
from unit.cloud.cloud_kit import Chain, Till, chain
from unit.cloud.test_registration_cloud import CARD, PHONE, RULES, phone_tag, proven, register

NAME, BIRTH = "Фарида Зайнулабидова", "1990-04-17"
SEEDS = [Seed("name", "Зайнулабидова"), Seed("masked", "Фарида З."), Seed("birth date", BIRTH), phone("phone", PHONE)]
NOW_MS = 1_900_000_000_000


def a_member(made: Chain, till: Till, *, box: bool) -> str:
    """Registered with card and name, one sale by the phone, one by the card; a code was sent, a PIN is set."""
    fields: dict[str, Any] = {"name": NAME, "birth_date": BIRTH, "sex": "female", "card_tag": CARD}
    body = register(made, till, confirmation=proven(made, till), **fields)
    till.ops.pop()
    till.heads.pop()
    body = msgspec.structs.replace(body, **fields, phone_masked="+7 *** ***-12-34", card_masked="**** 0018")
    till.add(sealed(body, made.centre.read(meta.seal_key)) if box else body)
    member_id = till.push_last().member_id
    till.sale("s-1", phone_tag(made), 10_000)
    till.push_last()
    till.sale("s-2", CARD, 10_000)
    till.push_last()
    return member_id


def erase(made: Chain, member_id: str) -> erasing.Erased:
    ops = made.centre.read(lambda c: erasing.operations_of(c, member_id))
    return made.centre.write(lambda c: erasing.erase(c, member_id, ops, NOW_MS)).result()


def tags_in(made: Chain) -> list[Seed]:
    return [Seed("phone tag", phone_tag(made)[6:]), Seed("card tag", CARD[5:])]


@pytest.mark.parametrize("box", [False, True], ids=["clear", "sealed"])
def test_nothing_of_the_file_says_who_it_was(tmp_path: Path, *, box: bool) -> None:
    """Neither rows nor free pages nor the log; and the search does find them before."""
    path = tmp_path / "cloud" / "c.db"
    path.parent.mkdir()
    with chain(path, rules=RULES) as made:
        member_id = a_member(made, made.till(), box=box)
        seeds = [*SEEDS, *tags_in(made)]
        before = {found.seed for found in look([path.parent], seeds)}
        assert {"name", "masked", "birth date", "phone tag", "card tag"} <= before
        done = erase(made, member_id)
        assert (done.identifiers, done.operations) == (2, 3)
        assert made.centre.read(verify).holds
    assert erasing.scrub(path)
    assert look([path.parent], seeds) == []


def test_the_ledger_stays_and_a_card_shown_again_finds_nobody(tmp_path: Path) -> None:
    """No new member begins, no points are earned; and somebody who registers with that phone later is new."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        member_id = a_member(made, till, box=True)
        balance = made.balances(member_id)
        movements = made.rows("SELECT count(*) FROM movements WHERE member_id = ?", member_id)
        count = made.rows("SELECT count(*) FROM members")
        erase(made, member_id)
        assert made.balances(member_id) == balance
        for uid, subject in (("s-3", CARD), ("s-4", phone_tag(made)), ("s-5", member_id)):
            till.sale(uid, subject, 10_000)
            assert till.push_last().effect_points == 0
        assert made.rows("SELECT count(*) FROM members") == count
        assert made.rows("SELECT count(*) FROM movements WHERE member_id = ?", member_id) == movements
        register(made, till, uid="r-2")
        again = till.push_last()
        assert again.member_id not in ("", member_id)
        till.sale("s-6", phone_tag(made), 10_000)
        assert till.push_last().member_id == again.member_id
        till.take_return("b-1", "s-1")
        assert till.push_last().status in ("applied", "adjusted")
        assert made.centre.read(verify).holds


def test_tills_hear_of_it_and_the_same_op_again_is_the_same(tmp_path: Path) -> None:
    """The feed says `removed` and nothing else of them; a till that sends its registration again is not refused."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        member_id = a_member(made, till, box=False)
        erase(made, member_id)
        page = made.centre.changes(made.centre.authenticate("k1", f"Bearer {till.token}"), since="", limit=100)
        (row,) = [each for each in page.rows if isinstance(each, MemberRow) and each.member_id == member_id]
        assert (row.status, row.name_masked, row.phone_masked, row.card_masked) == ("removed", "", "", "")
        assert (row.facts.birthday, row.facts.referral_code, row.facts.segments) == ("", "", ())
        assert not {phone_tag(made), CARD} & set(row.tags)
        assert {each.status for each in till.push(1).results} == {"duplicate"}


def test_an_erasure_waits_for_a_receipt_under_way_and_names_who_is_meant(tmp_path: Path) -> None:
    """Nobody's points may go while a cashier holds them; a member who is not there is said so."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        made.member("m-1", points=500)
        made.hold(till, "h-1", "m-1", 100)
        for member_id, words in (("m-1", "held"), ("m-2", "expected a member id")):
            with pytest.raises(AdminError, match=words):
                made.centre.write(lambda c, who=member_id: erasing.erase(c, who, [], NOW_MS)).result()


def test_members_see_all_that_is_held_of_them(tmp_path: Path) -> None:
    """Every table that has a row of theirs, their name and numbers' tags among them, and no PIN."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        member_id = a_member(made, made.till(), box=True)
        told = made.centre.read(lambda c: erasing.export(c, member_id))
        assert told["members"][0]["name"] == NAME
        assert {row["tag"] for row in told["identifiers"]} == {phone_tag(made), CARD}
        assert {row["kind"] for row in told["ops"]} == {"register", "sale"}
        assert {"balances", "movements", "lots", "sales"} <= set(told)
        assert msgspec.json.encode(told)
        erase(made, member_id)
        assert NAME.encode() not in msgspec.json.encode(made.centre.read(lambda c: erasing.export(c, member_id)))


def test_merged_members_are_erased_with_whom_they_became(tmp_path: Path) -> None:
    """Their rows had names as well; and the one who is gone is not erased instead of the one kept."""
    from till_cloud.ledger.book import Book
    from till_cloud.merging import merge_by_hand
    from till_cloud.registry import Registry

    with chain(tmp_path / "c.db", rules=RULES) as made:
        first = a_member(made, made.till(), box=False)
        made.member("m-2", points=500)

        def join(connection: Any) -> None:
            book = Book(connection, NOW_MS)
            merge_by_hand(book, Registry(), first, "m-2")
            book.flush()

        made.centre.write(join).result()
        with pytest.raises(AdminError, match="expected m-2"):
            made.centre.write(lambda c: erasing.erase(c, first, [], NOW_MS)).result()
        assert erase(made, "m-2").merged == 1
        assert made.rows("SELECT name, birth_date FROM members WHERE member_id = ?", first) == [("", "")]
        assert not folder_of(tmp_path / "c.db").exists()
        assert made.centre.read(verify).holds
