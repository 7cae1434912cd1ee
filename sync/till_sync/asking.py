"""What a till asks the cloud while a receipt is open, by its own request each: points, coupons, codes, earlier sales.

Rules of the messages, and their paths, are those of `till_sync.wire`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation, Reversal
from till_sync.ops import Subject
from till_sync.phone_tags import Cost
from till_sync.wire import WHOLE_LIMIT, Amount, Count, GrantRow, MemberRow

Pin = Annotated[str, Meta(pattern=r"^([0-9]{4,8})?$")]
"""A member's PIN, or none."""


class HoldRequest(Struct, frozen=True, kw_only=True):
    """Reserve points for a receipt under way. `hold` is chosen by the till and stored before it is sent."""

    hold: str
    till: str
    sale_uid: str
    member_id: str
    points: Annotated[int, Meta(ge=1, le=WHOLE_LIMIT)]
    ttl_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 600_000
    confirmation: str = ""
    """The proof that the member gave back a one-time code; this or `pin` is needed above the programme's threshold."""
    pin: Pin = ""
    """What the member keyed. It goes to the cloud and nowhere else."""
    own_grant: Count = 0
    """Points of this member that the asking till has been granted and could give back: where points are lacking that
    are lent, the cloud says `points_lent` at once, and the till gives them back and asks again."""

    def __repr__(self) -> str:
        """Without the PIN: reprs end up in logs."""
        return f"HoldRequest(hold={self.hold!r}, till={self.till!r}, sale_uid={self.sale_uid!r}, points={self.points})"


class HoldAnswer(Struct, frozen=True, kw_only=True):
    """The reservation as the cloud holds it; the same `hold` asked again gives the same answer."""

    hold: str
    points: Amount
    expires_at_ms: Count
    server_time_ms: Count
    balance: Amount
    held: Amount
    position: Count


class GrantRequest(Struct, frozen=True, kw_only=True):
    """Put a share of a member's balance under this till, for a time without a line.

    At most `points`; 0: the usual share.
    """

    member_id: str
    points: Count = 0


class GrantAnswer(Struct, frozen=True, kw_only=True):
    """The grant as it stands; it comes with the changes too."""

    grant: GrantRow
    server_time_ms: Count


class CouponQuestion(Struct, frozen=True, kw_only=True):
    """How often codes were used, by this member and by all. `member_id` "" for nobody known."""

    codes: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=50)]
    member_id: str = ""


class CouponAnswer(Struct, frozen=True, kw_only=True):
    """Usage rows of the coupons behind the codes (`per` "life") and of the codes themselves (`per` "code")."""

    usage: tuple[Usage, ...]
    server_time_ms: Count


class ConfirmationRequest(Struct, frozen=True, kw_only=True):
    """Send a one-time code to a phone. `phone` is E.164 and is not kept; `tag` is its tag.

    For `spend` leave `phone` out where the cloud knows the member's; `member_id` names the member then.
    """

    confirmation: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{8,80}$")]
    purpose: Literal["register", "spend"]
    tag: str
    phone: Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{6,14})?$")] = ""
    member_id: str = ""
    language: str = ""


class ConfirmationAnswer(Struct, frozen=True, kw_only=True):
    """`state`: sent, confirmed, expired, spent (too many wrong codes). `tries_left` of the code that was sent."""

    confirmation: str
    state: Literal["sent", "confirmed", "expired", "spent"]
    tries_left: Count
    expires_at_ms: Count
    server_time_ms: Count


class CodeGiven(Struct, frozen=True, kw_only=True):
    """The code that the member said."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{4,8}$")]


class SaleQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which sale of the chain is meant: `sale_uid` goes into the path, the rest, "" for whatever, into the query.

    A uid is its cash software's own and is unique at one till only. `of_till` makes the question exact; `number` is the
    receipt's, `date` its business date. Goods come back to any till, so any till of the chain may ask about any sale.
    """

    sale_uid: Annotated[str, Meta(min_length=1, max_length=200)]
    of_till: Annotated[str, Meta(max_length=40)] = ""
    of_store: Annotated[str, Meta(max_length=40)] = ""
    number: Annotated[str, Meta(max_length=64)] = ""
    date: Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")] = ""


class SaleChoice(Struct, frozen=True, kw_only=True):
    """One of several sales that a question fits, by what is printed on its receipt. Problem `sale_ambiguous`."""

    till: str
    store: str
    number: str
    date: str
    at_wall_ms: int
    total_minor: int


class SaleReversal(Struct, frozen=True, kw_only=True):
    """A void or a return of a sale as the cloud counted it; `op` says which till made it."""

    op: str
    kind: Literal["void", "return"]
    uid: str
    reversal: Reversal


class SaleAnswer(Struct, frozen=True, kw_only=True):
    """A sale as it stands at the cloud. `result` is the cloud's own calculation, `reversals` all that came back of it.

    `subject` is the member as known now, by id: no name, phone or card. `usage`: the uses of coupons that it made.
    `op` is what a return names as its `sale_op`. `store` is where the till stands.
    """

    till: str
    store: str
    sale_uid: str
    op: str
    number: str
    date: str
    at_wall_ms: int
    subject: Subject
    tier: str
    voided: bool
    result: Calculation
    reversals: tuple[SaleReversal, ...]
    usage: tuple[Usage, ...]
    server_time_ms: Count


class MemberQuestion(Struct, frozen=True, kw_only=True):
    """Who is it that was just named? For a till that holds only its store's members: by a member id, or by the tags of
    what was scanned or keyed, of which the first that is anybody's counts.
    """

    tags: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=4)] = ()
    member_id: Annotated[str, Meta(max_length=80)] = ""


class MemberAnswer(Struct, frozen=True, kw_only=True):
    """The member's row as of own ops up to (`epoch`, `acked_seq`); None: nobody is known by that. They are in the
    till's store from now on, and come with its pages. `phone_cost` and `phone_slow_only`: as in the greeting, for the
    tags of this row, which may be slow already.
    """

    incarnation: str
    epoch: Count
    acked_seq: Count
    server_time_ms: Count
    member: MemberRow | None = None
    phone_cost: Cost = 0
    phone_slow_only: bool = False
