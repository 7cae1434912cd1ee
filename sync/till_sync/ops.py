"""Operations: the durable changes that a till makes and a cloud applies, and their one canonical encoding.

An op's body is encoded once, stored, and sent as stored; `fingerprint` ties those bytes to the op's id.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from till_loyalty.receipt import MemberState, Place, Receipt, StoreClock, Usage
from till_loyalty.results import Calculation, Reversal
from till_sync.wallet_use import NO_USE, WalletUse

PROTOCOL = 1
"""What every cloud speaks. A batch names the lowest protocol that knows all its ops: a cloud of a former release takes
what it can read, and says 426 to the rest, which wait for its upgrade. To reject them would lose them.
"""
NEWEST_PROTOCOL = 5
_SINCE = {"register": 2, "attach-card": 2, "grant-release": 3}
COVERED_SALE_PROTOCOL = 3
"""A sale whose points something else than a hold of the cloud covers: a former cloud would not spend them."""
SEALED_PROTOCOL = 4
"""A registration whose person is sealed to the cloud's key: a former cloud would take them for nameless."""
SLOW_PHONE_PROTOCOL = 5
"""An op that names somebody by the slow tag of a phone: a former cloud would turn it away, and lose it."""
_SLOW_PHONE = b'"phone2:'
OP_BODY_LIMIT_BYTES = 8 * 1024 * 1024
"""A 10,000-line receipt with three rules on each line takes about 6 MB. A till refuses a larger one before it is sold,
so that no sale is acknowledged that the cloud would have to turn away.
"""


Cover = Literal["", "grant", "floor", "voucher"]
"""What pays for redeemed points: "" a hold of the cloud (`hold`), this till's grant, the floor limit, or a voucher."""

COVER_PREFIXES: dict[str, Cover] = {"g-": "grant", "f-": "floor", "v-": "voucher"}
"""A hold that the till gave itself begins with one of these; the cloud never hears of it but in the sale's op."""


def cover_of(hold: str) -> Cover:
    """What covers the points of a hold, by its id; "" for one that the cloud granted, and for none."""
    return COVER_PREFIXES.get(hold[:2], "")


def protocol_of(kind: str, hold: str = "") -> int:
    """The protocol that brought ops of that kind, with that hold."""
    covered = COVERED_SALE_PROTOCOL if kind == "sale" and cover_of(hold) else PROTOCOL
    return max(covered, _SINCE.get(kind, PROTOCOL))


class OpId(Struct, frozen=True, order=True):
    """`till:epoch:seq`. `seq` counts from 1 without a gap within an epoch."""

    till: str
    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.till}:{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "OpId":
        """Read `till:epoch:seq`; ValueError when it is something else."""
        till, epoch, seq = text.rsplit(":", 2)
        return cls(till, int(epoch), int(seq))


class Subject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose points: a member known here, or the tag of an identifier that only the cloud can resolve, or neither.

    `tag` is `kind:hex` of the keyed hash of a card number or phone (`till_loyalty.identifiers.tag`): never the number.
    """

    member_id: str = ""
    tag: str = ""

    @property
    def key(self) -> str:
        """What balances are kept by: the member, else the tag, else nothing (a sale with no member)."""
        return self.member_id or self.tag


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money that the cash software took, by kind (cash, card, other)."""

    kind: Annotated[str, Meta(min_length=1, max_length=40)]
    amount_minor: Annotated[int, Meta(ge=0, le=10**13)]


class OpBase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every op carries: when and where it was made. Wall time is for people; the cloud stamps order."""

    uid: str
    store: str
    at_wall_ms: int
    at_mono_ms: int
    boot: str


class SaleBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="sale", tag_field="kind"):
    """A committed receipt and what the till worked out for it, by which programme, and from what it knew.

    `facts`, `place`, `codes`, `budgets` and `offline` are what the rules were given (`till_loyalty.engine.calculate`);
    the discounts of `result` are what the cash software took off. `usage`: what the sale uses up of limits and coupons.
    `tier` is of ops made before there were `facts`. `cover` says what pays for the redeemed points; `voucher`, which.
    `wallet`: the wallet codes that the sale used up; a former cloud takes no notice of them, nor of `entry` (how the
    member was named: scanned, keyed, typed; "": nobody said) and `late` (they were added after the total).
    """

    clock: StoreClock
    subject: Subject
    receipt: Receipt
    result: Calculation
    programme_digest: str
    tier: str = ""
    payments: tuple[Payment, ...] = ()
    number: str = ""
    shift: str = ""
    cashier: str = ""
    hold: str = ""
    offline: bool = False
    facts: MemberState | None = None
    place: Place | None = None
    codes: tuple[str, ...] = ()
    budgets: dict[str, int] = {}
    usage: tuple[Usage, ...] = ()
    cover: Cover = ""
    voucher: str = ""
    wallet: WalletUse = NO_USE
    entry: str = ""
    late: bool = False


class VoidBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="void", tag_field="kind"):
    """Cancels a whole sale of the same till; `sale_uid` is also the void's `uid`.

    `usage`: coupons that may be used again by what the till knows; their `uses` are negative.
    """

    sale_uid: str
    sale_op: str
    subject: Subject
    reversal: Reversal
    clock: StoreClock | None = None
    usage: tuple[Usage, ...] = ()


class ReturnBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="return", tag_field="kind"):
    """Goods of an earlier sale brought back, whole or in part. `usage` as of a void; `cashier`: who took them back."""

    sale_uid: str
    sale_op: str
    subject: Subject
    reversal: Reversal
    clock: StoreClock | None = None
    usage: tuple[Usage, ...] = ()
    cashier: str = ""


class RegisterBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="register", tag_field="kind"):
    """A person became a member at this till. `subject.tag` is the phone's, or the card's where there is no phone.

    `consent_version` names the text that they agreed to, `consent_wall_ms` when. `referrer` is the code of the member
    who brought them. `confirmation`: the cloud's proof that a one-time code was given back; "": provisional.

    `sealed` holds `name`, `birth_date` and `sex` for the cloud alone (`till_sync.sealing`); those are empty then, and
    `name_masked` and `birthday` (`MM-DD`) are what the till keeps of them. Tills that no cloud has given a key write
    them in clear, as those of former releases did.
    """

    subject: Subject
    clock: StoreClock
    programme_id: str
    programme_version: int
    consent_version: str
    consent_wall_ms: int
    card_tag: str = ""
    phone_masked: str = ""
    card_masked: str = ""
    name: str = ""
    birth_date: str = ""
    sex: Literal["", "female", "male"] = ""
    language: str = ""
    referrer: str = ""
    confirmation: str = ""
    sealed: str = ""
    name_masked: str = ""
    birthday: str = ""


class AttachCardBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="attach-card", tag_field="kind"):
    """A card was given to a member who is there already."""

    subject: Subject
    card_tag: str
    card_masked: str = ""


class HoldReleaseBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="hold-release", tag_field="kind"):
    """Gives reserved points back: the hold was dropped or ran out here, and no sale will ever use it."""

    hold: str


class GrantReleaseBody(OpBase, frozen=True, kw_only=True, omit_defaults=True, tag="grant-release", tag_field="kind"):
    """Gives `points` of this till's grant for a member back: no sale of this till will spend them any more."""

    member_id: str
    points: Annotated[int, Meta(ge=1, le=2**53)]


OpBody = SaleBody | VoidBody | ReturnBody | HoldReleaseBody | RegisterBody | AttachCardBody | GrantReleaseBody

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[OpBody] = msgspec.json.Decoder(OpBody)


def encode_body(body: OpBody) -> bytes:
    """Canonical bytes of an op's body."""
    return _encoder.encode(body)


class _Sealed(Struct):
    sealed: str = ""


_sealed = msgspec.json.Decoder(_Sealed)


def is_sealed(body: bytes) -> bool:
    """Whether a registration's stored body has its person sealed."""
    try:
        return bool(_sealed.decode(body).sealed)
    except msgspec.DecodeError:
        return False  # whatever it is, the cloud says so


def names_slow_phone(body: bytes) -> bool:
    """Whether a stored body may name a phone by its slow tag; a text that looks like one only makes the op wait."""
    return _SLOW_PHONE in body


def decode_body(raw: bytes | msgspec.Raw) -> OpBody:
    """Typed body of stored or received bytes; msgspec.DecodeError or ValidationError when they are not one."""
    return _decoder.decode(raw)


def fingerprint(op_id: OpId, salt: str, body: bytes) -> str:
    """Hex SHA-256 that ties the id, the journal's salt and the exact bytes together."""
    digest = hashlib.sha256(f"{op_id}\n{salt}\n".encode())
    digest.update(body)
    return digest.hexdigest()
