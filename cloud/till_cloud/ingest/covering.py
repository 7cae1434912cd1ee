"""What covers the points that a sale redeems: a hold of the cloud, the till's grant, its floor limit, a voucher.

What nothing covers is not spent: the money was taken and stays taken, and no point moves (`counting.Wish`).
"""

import sqlite3

from msgspec import Struct

from till_cloud import granting
from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.counting import Wish
from till_cloud.ledger.account import Account, Draft
from till_cloud.registry import Version
from till_cloud.store import grants, holds, people, vouchers
from till_cloud.store.grants import GrantRow
from till_cloud.store.vouchers import VoucherRow
from till_loyalty.programme import Floor
from till_sync.ops import GrantReleaseBody, OpId, SaleBody, cover_of

_TILLS = "SELECT count(*) FROM tills WHERE enrolled_at_ms > 0"


class Promise(Struct, frozen=True, kw_only=True):
    """What was promised for a sale: at most one of `hold`, `grant`, `voucher` and `floor`. `points` may be spent.

    `code` says why not all that the till took, "" when they may. `spendable`: what the member could spend there then.
    """

    points: int = 0
    spendable: int = 0
    code: str = ""
    hold: holds.HoldRow | None = None
    grant: GrantRow | None = None
    voucher: VoucherRow | None = None
    floor: Floor | None = None

    @property
    def stands(self) -> bool:
        """Whether anything was promised."""
        return self.hold is not None or self.grant is not None or self.voucher is not None or self.floor is not None

    @property
    def held(self) -> int:
        """Points that stop being held with this sale."""
        return 0 if self.hold is None else self.hold.points

    def ungranted(self, spent: int) -> int:
        """Points that stop being granted with this sale: of a voucher all, for it is taken once."""
        if self.voucher is not None:
            return self.voucher.points
        return 0 if self.grant is None else spent

    def wish(self, version: Version | None, body: SaleBody) -> Wish:
        """What to count with. A redemption that nothing covers is not spent, but the money was taken."""
        if self.stands:
            return Wish(self.points, max(self.spendable, self.points))
        claimed = max(body.result.redeemed_points, 0)
        if not claimed or version is None:
            return Wish()
        return Wish(claimed, max(claimed, version.programme.redemption.minimum_balance_points), covered=False)


def promised(context: Context, version: Version | None, body: SaleBody, account: Account | None) -> Promise:
    """What covers this sale's points, if anything does."""
    wanted = max(body.result.redeemed_points, 0)
    # Looked at when the points were promised; what happened since takes no promise back.
    least = 0 if version is None else version.programme.redemption.minimum_balance_points
    # A former release that finds such a hold in its journal sells with it, but has no word for what covers it.
    cover = body.cover or cover_of(body.hold)
    if not cover:
        return _hold(context, body, account, wanted, least)
    if account is None or not wanted:
        return Promise(code=f"{cover}_missing" if wanted else "")
    # The till looked at the balance that it knew when it gave the hold: the cloud's of then is not kept.
    known = 0 if body.facts is None else min(body.facts.spendable_points, max(account.balance, 0))
    spendable = max(wanted, least, known)
    if cover == "grant":
        return _grant(context, account, wanted, spendable)
    if cover == "voucher":
        return _voucher(context, body, account, wanted, spendable)
    return _floor(context, version, account, wanted, spendable)


def _hold(context: Context, body: SaleBody, account: Account | None, wanted: int, least: int) -> Promise:
    """The hold that the sale names, if it may be spent from: open, this till's, this member's, and large enough."""
    hold = holds.find(context.book.connection, body.hold) if body.hold else None
    mine = hold is not None and account is not None and (hold.till, hold.member_id) == (context.till, account.member_id)
    if hold is None or not mine:
        code = "hold_missing" if hold is None else "hold_mismatch"
        return Promise(code=code if wanted > 0 else "")
    if hold.state != "open":
        return Promise(code=f"hold_{hold.state}" if wanted > 0 else "")
    code = "hold_too_small" if wanted > hold.points else ""
    spendable = max(hold.spendable_then, hold.points, least)
    return Promise(hold=hold, points=min(wanted, hold.points), spendable=spendable, code=code)


def _grant(context: Context, account: Account, wanted: int, spendable: int) -> Promise:
    """This journal's own grant, if it is large enough: what it does not cover may be another's."""
    row = grants.find(context.book.connection, context.till, account.member_id)
    if row is None or row.epoch != context.epoch or not row.points:
        return Promise(code="grant_missing")
    if wanted > row.points:
        return Promise(code="grant_exceeded")
    return Promise(grant=row, points=wanted, spendable=spendable)


def _voucher(context: Context, body: SaleBody, account: Account, wanted: int, spendable: int) -> Promise:
    row = vouchers.find(context.book.connection, body.voucher or body.hold.partition(".")[0])
    if row is None:
        return Promise(code="voucher_missing")
    if (row.holder, row.member_id) != (context.till, account.member_id):
        return Promise(code="voucher_mismatch")
    if row.state != "open":
        return Promise(code=f"voucher_{row.state}")
    if wanted > row.points:
        return Promise(code="voucher_exceeded")
    return Promise(voucher=row, points=wanted, spendable=spendable)


def _floor(context: Context, version: Version | None, account: Account, wanted: int, spendable: int) -> Promise:
    """The retailer's risk, as far as the programme takes it: no more than its tills can lose between them."""
    redemption = None if version is None else version.programme.redemption
    if redemption is None or redemption.offline != "floor" or redemption.floor is None:
        return Promise(code="floor_missing")
    floor = redemption.floor
    tills = int(context.book.connection.execute(_TILLS).fetchone()[0])
    lacking = max(wanted - account.available, 0)
    deepest = max(tills - 1, 1) * floor.member_points
    one = min(floor.member_points, floor.sale_points or floor.member_points)
    # By the balance: what tills were lent and have not spent is there still, also where a till does not know of it.
    if wanted > one or (lacking and wanted - account.balance > deepest):
        return Promise(code="floor_exceeded")
    return Promise(floor=floor, points=wanted, spendable=spendable)


def spend(context: Context, draft: Draft, promise: Promise, points: int) -> tuple[Flag, ...]:
    """Spend what was counted out of what was promised, in the sale's draft."""
    if promise.floor is None:
        draft.spend(points)
        return ()
    before = draft.debt
    draft.overdraw(points, context.book.next_position())
    owed = draft.debt - before
    return (Flag("floor_overdrawn", -points, -(points - owed), f"{owed} points more than there were"),) if owed else ()


def settle(context: Context, op_id: OpId, promise: Promise, spent: int) -> None:
    """Close what was promised, once the sale is posted."""
    connection = context.book.connection
    if promise.hold is not None:
        holds.resolve(connection, promise.hold.hold, "used", str(op_id))
    if promise.grant is not None and spent:
        granting.used(context.book, promise.grant, spent)
    if promise.voucher is not None:
        vouchers.resolve(connection, promise.voucher.voucher, "used", str(op_id))


def apply_grant_release(context: Context, body: GrantReleaseBody) -> Verdict:
    """Points of this till's grant back to their member. What is not there any more is not given back: `grant_missing`.

    Rejected: `member_unknown`.
    """
    book = context.book
    account = _member(book.connection, context, body.member_id)
    if account is None:
        raise Rejected("member_unknown", f"expected a member of this chain, not {body.member_id[:40]}")
    row = grants.find(book.connection, context.till, account.member_id)
    mine = row is not None and row.epoch == context.epoch
    given = granting.release(book, account, row, body.points) if row is not None and mine else 0
    return Verdict(status="applied", code="" if given else "grant_missing", account=account)


def _member(connection: sqlite3.Connection, context: Context, member_id: str) -> Account | None:
    account = context.book.account(member_id)
    if account is not None and account.status == "removed":
        account = context.book.account(people.kept(connection, member_id))
    return account
