"""A chain that lends points: tills that take grants, members who shop, and the job that shares out."""

from pathlib import Path

import msgspec

from till_cloud import granting, vouchers
from till_cloud.jobs.lending import Lending as LendingJob
from till_cloud.ledger.book import Book
from till_cloud.store import grants
from till_cloud.store.grants import GrantRow
from till_cloud.verify import verify
from till_loyalty.programme import Floor, Lending, Programme, Redemption
from till_sync.asking import GrantAnswer, GrantRequest
from till_sync.ops import Cover, GrantReleaseBody, OpId, SaleBody, decode_body, encode_body
from till_sync.wire import ChangesAnswer
from till_sync.wire import GrantRow as WireGrant
from unit.cloud.cloud_kit import Chain, Till, programme


def lending(version: int = 1, *, offline: str = "grant", floor: Floor | None = None, **lent: object) -> Programme:
    """The usual rules; half of a receipt may be paid by points, also offline."""
    redemption = Redemption(
        max_share_basis_points=5000,
        offline=offline,
        floor=floor,
        lending=Lending(**lent),
    )
    return programme(version, redemption=redemption)


class LendingChain(Chain):
    """The chain with the lending job in a test's hand."""

    def __init__(self, path: Path, **options: object) -> None:
        super().__init__(path, **{"rules": lending(), **options})

    def taker(self, name: str = "k1") -> "Till":
        """A till that has pushed once and asks for grants."""
        till = self.till(name)
        till.sale(f"{name}-first")
        till.push()
        self.pull(till)
        return till

    def pull(self, till: Till, since: str = "") -> ChangesAnswer:
        row = self.centre.authenticate(till.name, f"Bearer {till.token}")
        return self.centre.changes(row, since=since, limit=1000, with_grants=True)

    def grant_of(self, till: Till, member: str, since: str = "") -> WireGrant | None:
        """The till's grant as its next page tells it."""
        found = [row for row in self.pull(till, since).rows if isinstance(row, WireGrant) and row.member_id == member]
        return found[-1] if found else None

    def visit(self, till: Till, member: str, uid: str, times: int = 1) -> None:
        """Purchases that earn 10 each."""
        for number in range(times):
            till.sale(f"{uid}-{number}", member, 100)
        till.push(len(till.ops) - times + 1)

    def lend(self) -> None:
        """Run the job until it has nothing more to do."""
        job = LendingJob(self.centre.registry, self.wall)
        while self.centre.write(job.block).result():
            pass

    def give(self, till: Till, member: str, points: int) -> GrantRow:
        """A grant by hand, to the till's present journal."""

        def lend(connection) -> GrantRow:
            book = Book(connection, self.wall())
            account = book.account(member)
            row = granting.lend(book, account, till.name, till.epoch, points, until_ms=0)
            book.flush()
            return row

        return self.centre.write(lend).result()

    def ask(self, till: Till, points: int = 0, member: str = "m-1") -> GrantAnswer:
        """A grant that the till asks for itself."""
        request = GrantRequest(member_id=member, points=points)
        return self.centre.write(lambda c: granting.ask(c, till.name, request, self.programme, self.wall())).result()

    def voucher(self, points: int, *, till: str = "k1", days: int = 1) -> tuple[str, str]:
        """A voucher of m-1's for a till: its id, and its text."""
        row, text = self.centre.write(
            lambda c: vouchers.issue(c, "m-1", till=till, points=points, days=days, now_ms=self.wall())
        ).result()
        return row.voucher, text

    def row(self, till: Till, member: str) -> GrantRow | None:
        return self.centre.read(lambda c: grants.find(c, till.name, member))

    def granted(self, member: str) -> int:
        return int(self.rows("SELECT granted FROM balances WHERE member_id = ?", member)[0][0])

    def flags(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT code FROM flags ORDER BY till, epoch, seq, code")]

    def sound(self) -> None:
        """Everything adds up."""
        found = self.centre.read(verify)
        assert found.holds, found.breaches


def covered(till: Till, uid: str, member: str, redeem: int, cover: Cover, **fields: object) -> OpId:
    """A sale of twice what is redeemed, paid by something else than a hold of the cloud."""
    till.sale(uid, member, 2 * redeem, redeem=redeem, spendable=max(redeem, int(fields.pop("spendable", 0))))
    raw = till.ops.pop().body
    till.heads.pop()
    body = decode_body(bytes(raw))
    assert isinstance(body, SaleBody)
    hold = {"grant": "g-", "floor": "f-", "voucher": "v-"}[cover] + f"{till.name}-{uid}"
    return till.add_raw(encode_body(msgspec.structs.replace(body, cover=cover, hold=hold, **fields)))


def release(till: Till, member: str, points: int) -> OpId:
    """A grant-release op."""
    return till.add(GrantReleaseBody(**till.common("r"), member_id=member, points=points))
