"""What the agent keeps of sales for the flags: the same as a look at everything, in slices, within bounds."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.till import ANNA_CARD, ANNA_PHONE, FakeTill, anna, receipt
from kit.mistakes import Mistake, must_be_caught
from till_agent import conduct
from till_agent.api import Identify, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.conduct import Conduct, ConductWatch, Row, beginning_ms
from till_agent.journal.schema import row_id
from till_loyalty.conduct import Done, flags
from till_sync.ops import OpId, decode_body

TODAY = "2026-11-22"
DAY_MS = 86_400_000


def day(ago: int) -> str:
    return (date.fromisoformat(TODAY) - timedelta(days=ago)).isoformat()


def sale(seq: int, key: str, cashier: str, ago: int = 0, at_ms: int = -1, **more: Any) -> Row:
    """At hours of its own, unless `at_ms` says when."""
    at_ms = at_ms if at_ms >= 0 else seq * 2 * 3_600_000
    body = {"kind": "sale", "clock": {"business_date": day(ago), "local_time": "x"}, "cashier": cashier} | more
    return (row_id(1, seq), "sale", key, at_ms, msgspec.json.encode(body))


def back(seq: int, of: int, key: str, ago: int = 0, *, kind: str = "return", cashier: str = "", taken: int = 5) -> Row:
    body = {
        "kind": kind,
        "clock": {"business_date": day(ago)},
        "sale_op": str(OpId("t1", 1, of)),
        "reversal": {"points_taken": taken, "lines": []},
        "cashier": cashier,
    }
    return (row_id(1, seq), kind, key, 0, msgspec.json.encode(body))


def told(kept: Conduct) -> dict[tuple[str, str], list[str]]:
    return {
        (flag.reference, flag.flagged.cashier): [each.code for each in flag.flagged.signals] for flag in kept.found()
    }


def of_busy_card() -> None:
    """Four receipts of one card, two soon after another; other cards and nobody's sales are nothing to it."""
    kept = Conduct()
    cards = ("m-1", "m-2", "", "m-1", "m-2")
    kept.take([sale(seq, card, "7", at_ms=seq * 1000) for seq, card in enumerate(cards, 1)], TODAY)
    assert (told(kept), kept.count, len(kept)) == ({}, 0, 4)
    kept.take([sale(6, "m-1", "7", at_ms=7000), sale(7, "m-1", "7")], TODAY)
    assert told(kept) == {("m-1", "7"): ["many_a_day", "close_together"]}
    assert kept.count == 1


def of_voids() -> None:
    """A receipt that was cancelled is none; three whose points were taken back are a flag of their own."""
    rows = [sale(seq, "m-1", "7", at_ms=seq) for seq in range(1, 5)]
    kept = Conduct()
    kept.take([*rows, back(5, 1, "m-1", kind="void")], TODAY)
    assert told(kept) == {}
    kept.take([back(6, 2, "m-1", cashier="8"), back(7, 3, "m-1"), back(8, 4, "m-1", taken=0)], TODAY)
    assert told(kept) == {}
    kept.take([back(9, 4, "m-1")], TODAY)
    assert told(kept) == {("m-1", "7"): ["close_together", "return_after_earn"]}


def of_days() -> None:
    """What was worth a look is not for ever: it goes with its days, and so does the memory."""
    kept = Conduct()
    kept.take([sale(seq, "m-1", "7", ago=19, at_ms=seq) for seq in range(1, 5)], TODAY)
    assert kept.count == 1
    kept.take([], day(-1))
    assert (kept.count, len(kept)) == (0, 0)


def of_entries() -> None:
    """How members were named is taken over; what a newer release may say is nothing to this one."""
    kept = Conduct()
    kept.take([sale(seq, "m-1", "7", ago=seq, entry="typed") for seq in range(1, 6)], TODAY)
    kept.take([sale(seq, "m-2", "7", ago=seq, entry="by_palm") for seq in range(6, 11)], TODAY)
    kept.take([sale(seq, "m-3", "7", ago=seq, late=True) for seq in range(11, 14)], TODAY)
    assert told(kept) == {("m-1", "7"): ["typed_cards"], ("m-3", "7"): ["late_member"]}


@pytest.mark.parametrize("check", [of_busy_card, of_voids, of_days, of_entries], ids=lambda check: check.__name__)
def test_what_is_kept(check: Callable[[], None]) -> None:
    check()


def test_bodies_that_say_nothing_are_passed_by() -> None:
    kept = Conduct()
    kept.take(
        [(1, "sale", "m-1", 0, b"{"), (2, "sale", "m-1", 0, b"{}"), (3, "void", "m-1", 0, b'{"sale_op":"x"}')], TODAY
    )
    assert (len(kept), kept.found()) == (0, ())


def test_memory_is_bounded_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "DONE_LIMIT", 10)
    kept = Conduct()
    kept.take([sale(seq, f"m-{seq}", "7") for seq in range(1, 50)], TODAY)
    assert len(kept) == 10
    assert len(kept._cards) == 10


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("svr"), st.integers(0, 3), st.integers(0, 2), st.integers(0, 22)), max_size=60),
    st.integers(1, 7),
)
def test_slices_find_what_a_look_at_everything_finds(steps: list[tuple[str, int, int, int]], size: int) -> None:
    """The oracle keeps all and counts anew."""
    rows: list[Row] = []
    everything: dict[str, list[Done]] = {}
    for seq, (kind, card, cashier, ago) in enumerate(sorted(steps, key=lambda step: -step[3]), 1):
        key, place = f"m-{card}", row_id(1, seq)
        of_card = everything.setdefault(key, [])
        sales = [each for each in of_card if not each.back]
        if kind == "s" or not sales:
            rows.append(sale(seq, key, str(cashier), ago, seq * 20 * 60_000))
            of_card.append(Done(place, str(cashier), seq * 20 * 60_000, day(ago)))
            continue
        sold = sales[-1]
        rows.append(back(seq, sold.place - row_id(1, 0), key, ago, kind="void" if kind == "v" else "return"))
        if kind == "v":
            of_card.remove(sold)
        # A sale that is out of the window is not remembered, so nobody knows whose return it is.
        who = sold.cashier if sold.day >= day(19) else ""
        of_card.append(Done(place, who, 0, day(ago), back=True))
    kept = Conduct()
    for at in range(0, len(rows), size):
        kept.take(rows[at : at + size], TODAY)
    expected = {(key, each.cashier): each for key, done in everything.items() for each in flags(done, TODAY)}
    assert {(flag.reference, flag.flagged.cashier): flag.flagged for flag in kept.found()} == expected
    assert kept.count == len(expected)


class Rows:
    """A journal of rows alone; counts turns."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.turns = 0

    async def read(self, query: Any) -> Any:
        self.turns += 1
        await asyncio.sleep(0)
        return query(self)

    def made_before(self, before: int) -> tuple[int, int] | None:
        return next(((row[0], row[3]) for row in reversed(self.rows) if row[0] < before), None)

    def done_after(self, after: int, limit: int) -> list[Row]:
        return [row for row in self.rows if row[0] > after][:limit]

    def uid_of(self, identity: int) -> str:
        return f"u{identity - row_id(1, 0)}"


def of_weeks() -> None:
    """The first look begins three weeks back and goes on from where it was; each slice is a turn of its own."""
    now = beginning_ms(TODAY) + 22 * DAY_MS
    old = [sale(seq, "m-1", "7", 40, now - 40 * DAY_MS) for seq in range(1, 301)]
    new = [sale(seq, "m-1", "7", 1, now - DAY_MS + seq) for seq in range(301, 351)]
    journal = Rows([*old, *new])

    async def work() -> None:
        watch = ConductWatch(journal, lambda: TODAY)
        await watch.look()
        assert len(watch.conduct) == 50
        # One for two steps, to 350 and 100, and eleven for the 250 rows after that.
        assert journal.turns == 12
        journal.rows.append(sale(351, "m-1", "7", 0, now))
        before = journal.turns
        found = await watch.told("ru")
        assert journal.turns == before + 2
        (flag,) = found.flags
        assert (flag.receipts, flag.sales[:2], len(flag.sales), found.count) == (51, ("u351", "u350"), 20, 1)
        assert "чеков" in flag.signals[0].text

    asyncio.run(work())


def test_it_begins_weeks_back_and_goes_on() -> None:
    of_weeks()


def of_op_bodies() -> None:
    """The desk writes what the rule asks for, where somebody says it, and nothing where nobody does: such an op is, to
    the byte, what a former release wrote."""
    till = FakeTill().know(anna())
    plain = SaleRequest(receipt=receipt(10_000), member=Identify(card=ANNA_CARD), cashier="7")
    till.run(till.desk.sell("u1", plain))
    assert b'"entry"' not in till.journal.entries[0].body
    assert b'"late"' not in till.journal.entries[0].body
    for uid, changes in {
        "u2": {"entry": "typed", "late": True},
        "u3": {"member": Identify(phone=ANNA_PHONE)},
        "u4": {"member": Identify(scan=ANNA_CARD)},
    }.items():
        till.run(till.desk.sell(uid, msgspec.structs.replace(plain, **changes)))
    bodies: list[Any] = [decode_body(entry.body) for entry in till.journal.entries]
    assert [(each.entry, each.late) for each in bodies] == [
        ("", False),
        ("typed", True),
        ("keyed", False),
        ("scanned", False),
    ]
    part = (ReturnLineRequest(number=1, quantity_thousandths=500),)
    till.run(till.desk.give_back("r1", ReturnRequest(sale_uid="u1", lines=part, cashier="8")))
    given: Any = decode_body(till.journal.entries[-1].body)
    assert given.cashier == "8"
    # The same request again is the same sale still.
    assert till.run(till.desk.sell("u1", plain)).replayed


def test_the_journal_says_how_a_member_was_named() -> None:
    of_op_bodies()


MISTAKES = {
    "a cancelled receipt counts": Mistake(Conduct, "_take", 'kind == "void" and', "False and", of_voids),
    "a return that took nothing counts": Mistake(
        Conduct, "_take", "is not None and head.reversal.points_taken", "is not None", of_voids
    ),
    "a flag stays for ever": Mistake(Conduct, "_let_go", "self._order[0][1].day < self._since", "False", of_days),
    "cards are mixed up": Mistake(Conduct, "_add", "setdefault(key, [])", 'setdefault("m-1", [])', of_busy_card),
    "the weeks before count": Mistake(ConductWatch, "_begin", "return upto", "return 0", of_weeks),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_watch_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch, KeyError, ValueError)
