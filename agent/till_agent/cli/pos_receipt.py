"""The receipt under way in `tillside pos`, and what of it the agent is asked and told."""

from datetime import datetime

from till_agent.api import DiscountTaken, Hold, Identify, Language, Member, Quote, QuoteRequest, SaleRequest
from till_agent.cli.pos_parsing import NotUnderstoodError
from till_loyalty.conduct import Entry
from till_loyalty.receipt import Line, Receipt
from till_sync.ops import Payment

ALL = -1
"""As many points as allowed."""


class OpenReceipt:
    """Lines, member, codes, wish, hold and payments; `uid` is its own from the beginning."""

    def __init__(self, uid: str, number: str) -> None:
        self.uid = uid
        self.number = number
        self.lines: list[Line] = []
        self.time_zone = ""
        """The store's, by which the agent counts days; "" until an agent has said it."""
        self.who: Identify | None = None
        self.member: Member | None = None
        self.entry: Entry = ""
        """How the member was named."""
        self.late = False
        """They were added when money had been taken."""
        self.codes: list[str] = []
        self.wish = 0
        self.confirmation = ""
        self.pin = ""
        self.hold: Hold | None = None
        self.quote: Quote | None = None
        self.settled = False
        """The last quote is of what is there now, or nobody is there to ask for one."""
        self.payments: list[Payment] = []

    @property
    def empty(self) -> bool:
        """Nothing was done with it."""
        return not (self.lines or self.who or self.codes)

    @property
    def receipt(self) -> Receipt:
        """As the bridge has it."""
        return Receipt(lines=tuple(self.lines))

    @property
    def identify(self) -> Identify | None:
        """The member as every further call names them."""
        return Identify(reference=self.member.reference) if self.member is not None else self.who

    def named(self, who: Identify | None, member: Member | None, entry: Entry) -> None:
        """The receipt is theirs from now on; nobody's without either."""
        self.who, self.member, self.entry = who, member, entry
        self.late = bool(self.payments) and bool(who or member)
        self.changed()

    @property
    def payable_minor(self) -> int:
        """After the discounts and points of the last quote, if it is of these lines."""
        if self.quote is not None:
            return self.quote.calculation.payable_minor
        return self.receipt.total_minor

    @property
    def paid_minor(self) -> int:
        """Taken so far."""
        return sum(payment.amount_minor for payment in self.payments)

    def next_line(self) -> int:
        """Number of the line to come; numbers are not used again."""
        return max((line.number for line in self.lines), default=0) + 1

    def changed(self) -> None:
        """What was quoted is no longer so. Money that was taken stays taken."""
        self.quote = None
        self.settled = False

    def remove(self, number: int) -> Line:
        """Take a line out. NotUnderstoodError when there is none of that number."""
        for line in self.lines:
            if line.number == number:
                self.lines.remove(line)
                self.changed()
                return line
        raise NotUnderstoodError(f"expected the number of a line, not {number}")

    def quote_request(self, language: Language | None, *, explain: bool) -> QuoteRequest:
        """Of what is there now."""
        return QuoteRequest(
            receipt=self.receipt,
            member=self.identify,
            redeem_points=self.wish,
            language=language,
            local_time=local_time(self.time_zone),
            slip_preview=False,
            codes=tuple(self.codes),
            explain=explain,
            sale_uid=self.uid,
        )

    def sale_request(self, language: Language | None, *, shift: str, cashier: str) -> SaleRequest:
        """Every discount of the quote is taken; points are spent with the hold only."""
        calculation = self.quote.calculation if self.quote is not None else None
        discounts = calculation.discounts if calculation is not None else ()
        spent = calculation.redeemed_points if calculation is not None and self.hold is not None else 0
        return SaleRequest(
            receipt=self.receipt,
            member=self.identify,
            redeem_points=spent,
            hold=self.hold.hold if self.hold is not None and spent else "",
            payments=tuple(self.payments),
            number=self.number,
            shift=shift,
            cashier=cashier,
            local_time=local_time(self.time_zone),
            language=language,
            codes=tuple(self.codes),
            entry=self.entry,
            late=self.late,
            discounts=tuple(map(DiscountTaken.whole, discounts)),
        )


def local_time(time_zone: str = "") -> str:
    """The store's clock, as cash software writes it onto the receipt; this machine's where no zone is known."""
    from zoneinfo import ZoneInfo

    now = datetime.now(ZoneInfo(time_zone)) if time_zone else datetime.now().astimezone()
    return now.strftime("%Y-%m-%dT%H:%M:%S")
