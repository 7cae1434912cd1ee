"""What Frontol sends, once it is read: whole units, no missing field, no odd spelling (see `reading`)."""

from msgspec import Struct

BONUS = "bonus"


class Who(Struct, frozen=True, kw_only=True):
    """`client`: the phone or the card as it was scanned or keyed, and a code that the person told."""

    phone: str = ""
    card: str = ""
    code: str = ""

    def __bool__(self) -> bool:
        return bool(self.phone or self.card)

    def same(self, other: "Who") -> bool:
        """Whether both name the client alike; the code may come later."""
        return (self.phone, self.card) == (other.phone, other.card)

    def __repr__(self) -> str:
        """Without the numbers: reprs end up in logs."""
        return f"Who(phone={bool(self.phone)}, card={bool(self.card)}, code={bool(self.code)})"


class Position(Struct, frozen=True, kw_only=True):
    """A line. `total_minor` is what Frontol makes of it at that moment; prices are of one unit."""

    index: int
    sku: str
    name: str
    quantity_thousandths: int
    price_minor: int
    total_minor: int
    minimum_price_minor: int = 0
    reference_index: int = 0


class Paid(Struct, frozen=True, kw_only=True):
    """A payment; `kind` as Frontol names it, "" where it does not say."""

    kind: str
    fiscal: bool
    amount_minor: int

    @property
    def is_bonus(self) -> bool:
        return self.kind == BONUS


class Document(Struct, frozen=True, kw_only=True):
    """One call of `/document`. `uid` is normalised; "" when Frontol gave neither a uid nor the numbers of one."""

    action: str
    is_refund: bool
    uid: str
    reference_uid: str = ""
    local_time: str = ""
    till: str = ""
    number: str = ""
    shift: str = ""
    cashier: str = ""
    who: Who = Who()
    codes: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()
    discarded_minor: int = 0
    """What the till rounds the receipt down by; it is in the positions' totals, and nobody pays it."""
    payment: Paid | None = None
    payments: tuple[Paid, ...] = ()

    @property
    def bonus_minor(self) -> int:
        """Paid by points in all, by what the document says."""
        return sum([paid.amount_minor for paid in self.payments if paid.is_bonus])

    @property
    def total_minor(self) -> int:
        """Sum of the positions as they stand."""
        return sum([position.total_minor for position in self.positions])


class ClientCall(Struct, frozen=True, kw_only=True):
    """One call of `/client` or `/extra/client`; `values` are what was filled into the form, by name."""

    action: str
    who: Who
    values: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without what was filled in."""
        return f"ClientCall(action={self.action!r}, values={sorted(self.values)})"
