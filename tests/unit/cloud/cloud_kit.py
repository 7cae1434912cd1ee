"""What the cloud's tests share: a programme, a small chain, and a till that makes real ops with the real engine."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from till_cloud import enrolment, holding, registry
from till_cloud.centre import Centre
from till_cloud.store import members, meta, tills
from till_loyalty.engine import calculate, empty_calculation
from till_loyalty.programme import Exclusion, Match, Programme, Redemption, Rule, Tier
from till_loyalty.programme_document import digest, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.results import Calculation, ReturnLine, Reversal
from till_loyalty.returns import reverse
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.ops import (
    PROTOCOL,
    HoldReleaseBody,
    OpBody,
    OpId,
    ReturnBody,
    SaleBody,
    Subject,
    VoidBody,
    encode_body,
    fingerprint,
)
from till_sync.wire import EnrolmentRequest, OpResult, PushAnswer, PushRequest, WireOp

NOON_MS = 1_800_000_000_000
CLOCK = StoreClock(local_time="2027-01-15T12:00:00", business_date="2027-01-15")


def programme(version: int = 1, *, base: int = 1000, **changes: object) -> Programme:
    """10 % for all, 20 % for gold; tobacco is excluded; one point pays one unit of money. Points have no fraction."""
    made = Programme(
        format=1,
        id="test",
        version=version,
        currency="RUB",
        points_exponent=2,
        point_value_minor=100,
        tiers=(Tier(id="standard"), Tier(id="gold")),
        rules=(
            Rule(id="base", percent_basis_points=base, stack="best_of_group", group="g"),
            Rule(id="gold", percent_basis_points=2 * base, stack="best_of_group", group="g", tiers=("gold",)),
        ),
        exclusions=(Exclusion(id="tobacco", match=Match(categories=(("tobacco",),)), legal=True),),
        redemption=Redemption(max_share_basis_points=5000),
    )
    return msgspec.structs.replace(made, **changes)


class Wall:
    """The cloud's clock in a test's hand."""

    def __init__(self, ms: int = NOON_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


class Chain:
    """An open centre with one store, a programme, tills and members as the test asks for them."""

    def __init__(
        self, path: Path, *, wall: Wall | None = None, rules: Programme | None = None, **options: object
    ) -> None:
        self.wall = wall or Wall()
        self._ids = 0
        self.centre = Centre(path, wall_ms=self.wall, new_id=self._new_id, **options)
        self.programme = rules or programme()
        self.centre.write(lambda c: tills.put_store(c, tills.StoreRow("s1", "First", "Europe/Moscow"), 0)).result()
        self.upload(self.programme)

    def _new_id(self) -> str:
        self._ids += 1
        return f"m-new{self._ids}"

    def upload(self, rules: Programme) -> None:
        self.centre.write(lambda c: registry.upload(c, rules, self.wall())).result()
        self.programme = rules

    def till(self, name: str = "k1") -> "Till":
        """A till added and enrolled."""

        def enrol(connection):
            tills.add_till(connection, name, "s1", self.wall())
            code = enrolment.issue_code(connection, name, self.wall())
            return enrolment.redeem_code(connection, EnrolmentRequest(code=code, salt="x"), self.wall())

        return Till(self, name, self.centre.write(enrol).result().token)

    def member(
        self, member_id: str, *, points: int = 0, status: str = "active", tier: str = "", tags: tuple[str, ...] = ()
    ) -> str:
        """A member, with opening points as an import gives them."""
        from till_cloud.ledger.account import Draft, IssuedLot
        from till_cloud.ledger.book import Book

        def add(connection) -> None:
            book = Book(connection, self.wall())
            profile = members.MemberProfile(member_id, status, tier, "", "", "", "", "")
            members.add(connection, profile, tags, book.next_position(), self.wall())
            if points:
                draft = Draft(book.account(member_id))
                position = book.next_position()
                draft.earn_lots([IssuedLot(position, points)])
                book.post(draft, kind="opening", op=None, position=position)
            book.flush()

        self.centre.write(add).result()
        return member_id

    def merge(self, old: str, into: str) -> None:
        """Two members are one person, as `cloud member merge` has it."""
        from till_cloud.ledger.book import Book
        from till_cloud.merging import merge_by_hand

        def run(connection) -> None:
            book = Book(connection, self.wall())
            merge_by_hand(book, self.centre.registry, old, into)
            book.flush()

        self.centre.write(run).result()

    def hold(
        self, till: "Till", hold: str, member: str, points: int, *, ttl_ms: int = 600_000, sale: str = "s"
    ) -> HoldAnswer:
        request = HoldRequest(hold=hold, till=till.name, sale_uid=sale, member_id=member, points=points, ttl_ms=ttl_ms)
        return self.centre.hold(request).result()

    def rows(self, sql: str, *values: object) -> list[tuple]:
        return self.centre.read(lambda c: c.execute(sql, values).fetchall())

    def balances(self, member: str) -> tuple[int, int, int]:
        """(points in lots, held, debt)."""
        return self.rows("SELECT balance, held, debt FROM balances WHERE member_id = ?", member)[0]


@contextmanager
def chain(path: Path, **options: object) -> Iterator[Chain]:
    made = Chain(path, **options)
    try:
        yield made
    finally:
        made.centre.close()


class Till:
    """Makes ops as a till does: canonical bodies, fingerprints, a chain of hashes; remembers its sales."""

    def __init__(self, chain: Chain, name: str, token: str) -> None:
        self.chain = chain
        self.name = name
        self.token = token
        self.epoch, self.salt = 1, f"salt-{name}"
        self.ops: list[WireOp] = []
        self.heads: list[str] = [""]
        self.sold: dict[str, tuple[Subject, Calculation, list[Reversal]]] = {}

    def new_journal(self) -> None:
        self.epoch += 1
        self.salt = f"salt-{self.name}-{self.epoch}"
        self.ops, self.heads = [], [""]

    def add(self, body: OpBody) -> OpId:
        return self.add_raw(encode_body(body))

    def add_raw(self, raw: bytes) -> OpId:
        op_id = OpId(self.name, self.epoch, len(self.ops) + 1)
        mark = fingerprint(op_id, self.salt, raw)
        self.ops.append(WireOp(seq=op_id.seq, fingerprint=mark, body=msgspec.Raw(raw)))
        self.heads.append(hashlib.sha256((self.heads[-1] + mark).encode()).hexdigest())
        return op_id

    def common(self, uid: str) -> dict[str, object]:
        return {"uid": uid, "store": "s1", "at_wall_ms": NOON_MS, "at_mono_ms": 1, "boot": "b"}

    def sale(
        self,
        uid: str,
        subject: str = "",
        *amounts: int,
        tier: str = "",
        redeem: int = 0,
        hold: str = "",
        rules: Programme | None = None,
        spendable: int | None = None,
        categories: tuple[str, ...] = (),
        bare: bool = False,
        change=None,
    ) -> OpId:
        """A sale of one line per amount. `bare`: the till has no programme. `change`: tampers with the result."""
        who = Subject(tag=subject) if ":" in subject else Subject(member_id=subject)
        receipt = Receipt(
            lines=tuple(
                Line(number=n, sku=f"sku{n}", amount_minor=amount, quantity_thousandths=2000, category=categories)
                for n, amount in enumerate(amounts or (10_000,), 1)
            )
        )
        used = rules or self.chain.programme
        if bare:
            result = empty_calculation(receipt)
        else:
            state = (
                MemberState(tier=tier, spendable_points=redeem if spendable is None else spendable) if subject else None
            )
            result = calculate(used, state, receipt, CLOCK, redeem_points=redeem)
        if change is not None:
            result = change(result)
        self.sold[uid] = (who, result, [])
        return self.add(
            SaleBody(
                **self.common(uid),
                clock=CLOCK,
                subject=who,
                receipt=receipt,
                result=result,
                programme_digest="" if bare else digest(programme_json(used)),
                tier=tier,
                hold=hold,
            )
        )

    def void(self, uid: str, *, reversal: Reversal | None = None) -> OpId:
        who, result, _ = self.sold.get(uid, _NEVER_SOLD)
        what = reversal or reverse(result)
        return self.add(VoidBody(**self.common(uid), sale_uid=uid, sale_op="", subject=who, reversal=what))

    def take_return(
        self, uid: str, sale: str, lines: list[tuple[int, int]] | None = None, *, force: Reversal | None = None
    ) -> OpId:
        """Goods back; `lines` are (number, quantity in thousandths), None: all that is left."""
        who, result, earlier = self.sold.get(sale, _NEVER_SOLD)
        if force is not None:
            what = force
        else:
            asked = None if lines is None else [_Wish(number=n, quantity_thousandths=q) for n, q in lines]
            what = reverse(result, earlier, asked)
            if result.lines:
                earlier.append(what)
        return self.add(ReturnBody(**self.common(uid), sale_uid=sale, sale_op="", subject=who, reversal=what))

    def release(self, hold: str) -> OpId:
        return self.add(HoldReleaseBody(**self.common(f"r-{hold}"[:64]), hold=hold))

    def request(self, first: int = 1, last: int | None = None, **changes: object) -> PushRequest:
        stop = len(self.ops) if last is None else last
        made = PushRequest(
            protocol=PROTOCOL,
            epoch=self.epoch,
            salt=self.salt,
            incarnation="",
            first_seq=first,
            prev_hash=self.heads[first - 1],
            head_hash=self.heads[stop],
            sent_wall_ms=NOON_MS,
            sent_mono_ms=1,
            boot="b",
            ops=tuple(self.ops[first - 1 : stop]),
        )
        return msgspec.structs.replace(made, **changes)

    def push(self, first: int = 1, last: int | None = None, **changes: object) -> PushAnswer:
        return self.chain.centre.push(self.name, self.request(first, last, **changes)).result()

    def push_last(self, **changes: object) -> OpResult:
        """Push only the newest op; its verdict."""
        return self.push(len(self.ops), **changes).results[-1]


_NEVER_SOLD = (
    Subject(),
    Calculation(programme_id="", programme_version=0, total_minor=0, payable_minor=0, lines=()),
    [],
)


class _Wish(msgspec.Struct, frozen=True):
    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def return_line(number: int, quantity: int, amount: int) -> ReturnLine:
    return ReturnLine(number=number, quantity_thousandths=quantity, amount_minor=amount)


__all__ = ["CLOCK", "NOON_MS", "Chain", "Till", "Wall", "chain", "holding", "meta", "programme", "return_line"]
