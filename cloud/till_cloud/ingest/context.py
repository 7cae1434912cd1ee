"""What applying an op needs and gives: the transaction's book, the programmes, and a verdict."""

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any

from msgspec import Struct

from till_cloud.granting import shown_held
from till_cloud.ledger.account import Account
from till_cloud.ledger.book import Book
from till_cloud.ledger.issuing import time_zone_of
from till_cloud.registry import Registry, Version
from till_cloud.store import tills
from till_loyalty.days import local_day
from till_loyalty.receipt import Place
from till_sync.ops import OpId
from till_sync.wire import OpResult, Status


class Rejected(Exception):  # noqa: N818 - a verdict on its way up, not an error of ours
    """Raised when an op can't be applied: it is stored with `code`, changes nothing, and the line moves on."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Flag(Struct, frozen=True):
    """Something for the chain's staff: what the till said, what the cloud says, in points."""

    code: str
    till_points: int
    cloud_points: int
    detail: str = ""


class Context(Struct, frozen=True):
    """One batch of one till. `new_id` makes member ids. `_read` keeps what can't change within the transaction.

    `applied` gathers the kinds of ops that were not rejected.
    """

    book: Book
    registry: Registry
    till: str
    epoch: int
    new_id: Callable[[], str]
    applied: set[str] = set()
    _read: dict[str, Any] = {}

    def active(self) -> Version | None:
        """The programme version that this till is to sell by."""
        if "active" not in self._read:
            self._read["active"] = self.registry.of_till(self.book.connection, self.till)
        found: Version | None = self._read["active"]
        return found

    def place(self) -> Place:
        """Where the till stands."""
        if "place" not in self._read:
            self._read["place"] = tills.place_of_till(self.book.connection, self.till)
        found: Place = self._read["place"]
        return found

    def time_zone(self) -> str:
        """The IANA zone of the till's store."""
        if "time_zone" not in self._read:
            self._read["time_zone"] = time_zone_of(self.book.connection, self.till)
        found: str = self._read["time_zone"]
        return found

    def today(self) -> date:
        """The day at the till's store, by the cloud's clock."""
        if "today" not in self._read:
            self._read["today"] = local_day(self.book.now_ms, self.time_zone())
        found: date = self._read["today"]
        return found


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of an op. `account` None: it concerns no member."""

    status: Status
    code: str = ""
    account: Account | None = None
    tag: str = ""
    effect_points: int = 0
    flags: tuple[Flag, ...] = ()

    def result(self, op_id: OpId, connection: sqlite3.Connection) -> OpResult:
        """The wire's form, with the member's figures of this moment."""
        account = self.account
        if account is None:
            return OpResult(seq=op_id.seq, status=self.status, code=self.code, tag=self.tag)
        return OpResult(
            seq=op_id.seq,
            status=self.status,
            code=self.code,
            member_id=account.member_id,
            tag=self.tag,
            balance=account.balance,
            held=shown_held(connection, account),
            effect_points=self.effect_points,
            position=account.position,
        )
