"""Members from a file: what is taken, what is told, and that twice is once."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_cloud.csv_members import Candidate, Fault, LineReader, rows
from till_cloud.exceptions import AdminError
from till_cloud.importing import Importer
from till_cloud.store import meta
from till_cloud.verify import verify
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange, Identifiers
from unit.cloud.cloud_kit import Chain, chain, programme

RULES = programme(identifiers=Identifiers(phone_countries=("RU", "KZ"), cards=(CardRange(prefix="29", lengths=(8,)),)))


@pytest.fixture
def world(tmp_path: Path):
    with chain(tmp_path / "c.db", rules=RULES) as made:
        yield made


class Import:
    """Runs an import of CSV text against a chain."""

    def __init__(self, world: Chain, text: str, **options: object) -> None:
        self.faults: list[Fault] = []

        def transact(work: Callable[[sqlite3.Connection], None]) -> None:
            world.centre.write(work).result()

        importer = Importer(
            LineReader(world.programme, world.centre.quick(meta.identifier_key)),
            transact=transact,
            wall_ms=world.wall,
            new_id=world._new_id,
            report=self.faults.append,
            **options,
        )
        self.done = importer.take(rows(text.splitlines(keepends=True)))
        self.places = [(fault.line, fault.column) for fault in self.faults]


def key_tag(world: Chain, kind: str, value: str) -> str:
    return tag(world.centre.quick(meta.identifier_key), kind, value)


def test_a_member_gets_masks_tags_tier_and_opening_points(world: Chain) -> None:
    done = Import(world, "name,phone,card,balance,language\nАнна Каренина,8 (916) 123-45-67,29000001,1500,ru\n").done
    assert (done.lines, done.added, done.refused) == (1, 1, 0)
    assert world.rows("SELECT status, tier, name, name_masked, phone_masked, card_masked, language FROM members") == [
        ("active", "standard", "Анна Каренина", "Анна К.", "+7 *** ***-45-67", "**** 0001", "ru")
    ]
    assert world.rows("SELECT tag FROM identifiers ORDER BY tag") == [
        (key_tag(world, "card", "29000001"),),
        (key_tag(world, "phone", "+79161234567"),),
    ]
    assert world.balances("m-new1") == (1500, 0, 0)
    assert world.centre.read(verify).holds


def test_no_phone_and_no_card_is_kept_in_clear(world: Chain, tmp_path: Path) -> None:
    Import(world, "phone,card\n+79161234567,29000001\n")
    world.centre.write(lambda c: None).result()
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"9161234567" not in raw
    assert b"29000001" not in raw


def test_every_fault_of_a_line_is_told_with_its_column(world: Chain) -> None:
    text = (
        "member_id,name,phone,card,tier,language,status,balance\n"
        "x,,123,77,nosuch,russian,sleeping,-1\n"
        ",Ok,+79160000001,,,,,\n"
        ",,,,,,,\n"
        ",too,many,,,,,,columns\n"
    )
    made = Import(world, text)
    assert made.places == [
        (2, "phone"), (2, "card"), (2, "member_id"), (2, "status"), (2, "language"), (2, "tier"), (2, "balance"),
        (4, ""), (5, ""),
    ]  # fmt: skip
    assert (made.done.added, made.done.refused) == (1, 3)
    assert all(fault.message.startswith("expected ") for fault in made.faults)
    assert not any("77" in fault.message or "123" in fault.message for fault in made.faults)


def test_a_bank_card_is_refused_and_not_repeated(world: Chain) -> None:
    made = Import(world, "card\n4111111111111111\n")
    assert made.places == [(2, "card")]
    assert "4111" not in made.faults[0].message


def test_the_same_file_twice_changes_nothing(world: Chain) -> None:
    text = "name,phone,balance\nA B,+79160000001,10\nC D,+79160000002,20\n"
    Import(world, text)
    position = world.centre.position()
    done = Import(world, text).done
    assert (done.added, done.updated, done.unchanged, done.refused) == (0, 0, 2, 0)
    assert world.centre.position() == position
    assert world.rows("SELECT sum(balance) FROM balances") == [(30,)]


def test_a_later_file_fills_in_and_keeps_what_it_does_not_say(world: Chain) -> None:
    Import(world, "name,phone,tier\nA B,+79160000001,gold\n")
    done = Import(world, "phone,card,name\n+79160000001,29000001,\n").done
    assert (done.updated, done.added) == (1, 0)
    assert world.rows("SELECT name, tier, card_masked FROM members") == [("A B", "gold", "**** 0001")]
    assert world.rows("SELECT count(*) FROM identifiers") == [(2,)]


def test_opening_points_are_given_once(world: Chain) -> None:
    Import(world, "phone,balance\n+79160000001,10\n")
    made = Import(world, "phone,balance\n+79160000001,11\n")
    assert made.places == [(2, "balance")]
    assert world.balances("m-new1") == (10, 0, 0)


def test_a_provisional_member_is_confirmed_and_keeps_their_points(world: Chain) -> None:
    """Bought with an unknown card yesterday, in the file today: one active member, both points."""
    till = world.till()
    till.sale("a", key_tag(world, "card", "29000001"), 10_000)
    till.push()
    done = Import(world, "name,card,balance\nA B,29000001,500\n").done
    assert (done.updated, done.refused) == (1, 0)
    assert world.rows("SELECT member_id, status, tier FROM members") == [("m-new1", "active", "standard")]
    assert world.balances("m-new1") == (1500, 0, 0)
    assert world.centre.read(verify).holds


def test_a_blocked_member_stays_blocked_unless_the_file_says_otherwise(world: Chain) -> None:
    Import(world, "phone,status\n+79160000001,blocked\n")
    Import(world, "phone,name\n+79160000001,A\n")
    assert world.rows("SELECT status FROM members") == [("blocked",)]
    Import(world, "phone,status\n+79160000001,active\n")
    assert world.rows("SELECT status FROM members") == [("active",)]


@pytest.mark.parametrize("block_lines", [1, 2, 100])
def test_a_file_speaks_of_each_member_once(world: Chain, block_lines: int) -> None:
    text = "member_id,phone,card\n,+79160000001,29000001\n,+79160000001,\nm-a,+79160000002,\nm-a,,\n"
    made = Import(world, text, block_lines=block_lines)
    assert made.places == [(3, ""), (5, "")]
    assert made.done.added == 2


def test_identifiers_of_two_members_are_not_mixed(world: Chain) -> None:
    Import(world, "phone,card\n+79160000001,\n,29000001\n")
    made = Import(world, "phone,card\n+79160000001,29000001\n")
    assert made.places == [(2, "card")]
    made = Import(world, "member_id,phone\nm-other,+79160000001\n")
    assert made.places == [(2, "phone")]


def test_a_block_with_a_bad_line_can_be_left_out_whole(world: Chain) -> None:
    text = "phone,balance\n+79160000001,1\n+79160000002,bad\n+79160000003,1\n+79160000004,1\n"
    made = Import(world, text, whole_blocks=True, block_lines=2)
    assert (made.done.added, made.done.refused, made.places) == (2, 2, [(3, "balance")])
    conflict = "member_id,phone\n,+79160000009\nm-x,+79160000003\n"
    made = Import(world, conflict, whole_blocks=True)
    assert (made.done.added, made.done.refused, made.places) == (0, 2, [(3, "phone")])
    assert world.rows("SELECT count(*) FROM members") == [(2,)]


def test_semicolons_a_byte_order_mark_and_quotes_are_fine(world: Chain) -> None:
    done = Import(world, '\ufeffName;Phone\n"Smith; John";"+79160000001"\n\n').done
    assert (done.added, done.refused) == (1, 0)
    assert world.rows("SELECT name FROM members") == [("Smith; John",)]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            'phone,name\n+7916,A\n"+79160000001,B\n+79160000002,C\n',
            3,
            "quote .* to end: it was read with all lines to 4",
        ),
        ('phone,name\n+7916,"B\n+79160000001,C\n+79160000002,D"\n+7917,E\n', 2, "all lines to 4$"),
        ('phone;name\r\n+7916;"B\r\n+79160000001;C"\r\n', 2, "all lines to 3$"),
        ('phone,name\n"+7916,B\n+79160000001,"\n', 2, "all lines to 3$"),
        ('phone,name\n"+79160000001,B', 2, "quote .* to end$"),
        ('phone,name\n"+7916" 1,B\n', 2, "expected CSV"),
    ],
)
def test_a_quote_that_does_not_end_is_told_with_the_lines_it_swallowed(text: str, line: int, words: str) -> None:
    """They are not counted as lines, so nobody would miss them."""
    found = [(at, row) for at, row in rows(text.splitlines(keepends=True)) if isinstance(row, Fault)]
    assert [at for at, _ in found] == [line]
    assert re.search(words, found[0][1].message)


def test_a_name_may_have_a_line_break() -> None:
    """Spreadsheets write one within quotes; that is no other member."""
    assert list(rows(["phone,name\n", '+7916,"Ann\n', 'Smith"\n'])) == [(2, {"phone": "+7916", "name": "Ann\nSmith"})]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("phone,nmae\n", "did you mean name"),
        ("name,tier\n", "member_id, phone or card"),
        ("phone,phone\n", "each column once"),
        ("", "expected"),
        ("\n", "expected"),
        ("name\tphone\n", "not tabs"),
    ],
)
def test_a_header_that_is_none_is_told(head: str, words: str) -> None:
    with pytest.raises(AdminError, match=words):
        list(rows([head] if head else []))


@given(st.text(max_size=200))
def test_any_text_is_rows_or_faults(text: str) -> None:
    """Whatever stands under a good header: a row of its columns, or a fault with a line."""
    for line, row in rows(["phone,name\n", *text.splitlines(keepends=True)]):
        assert line >= 2
        assert isinstance(row, Fault) or set(row) == {"phone", "name"}


@given(st.dictionaries(st.sampled_from(["member_id", "name", "phone", "card", "tier", "status", "balance"]), st.text()))
def test_any_row_is_a_candidate_or_faults(row: dict[str, str]) -> None:
    read = LineReader(RULES, b"key").read(2, row)
    assert isinstance(read, Candidate) or all(isinstance(fault, Fault) for fault in read)
