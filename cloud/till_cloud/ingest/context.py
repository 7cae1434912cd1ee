"""What applying an op needs and gives: the transaction's book, the programmes, and a verdict."""

from collections.abc import Callable

from msgspec import Struct

from till_cloud.ledger.account import Account
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry
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
    """One batch of one till. `new_id` makes member ids."""

    book: Book
    registry: Registry
    till: str
    epoch: int
    new_id: Callable[[], str]


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of an op. `account` None: it concerns no member."""

    status: Status
    code: str = ""
    account: Account | None = None
    tag: str = ""
    effect_points: int = 0
    flags: tuple[Flag, ...] = ()

    def result(self, op_id: OpId) -> OpResult:
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
            held=account.held,
            effect_points=self.effect_points,
            position=account.position,
        )
