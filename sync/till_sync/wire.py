"""Messages between a till and the cloud: JSON by msgspec, unknown fields ignored, times in whole milliseconds.

What is asked for a receipt under way (points, coupons, codes, earlier sales) is in `till_sync.asking`.

Paths are in `PATHS`; errors are RFC 9457 problems (`till_sync.problems`).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from till_loyalty.receipt import Place, Usage
from till_sync.phone_tags import Cost
from till_sync.wallet_use import NO_USE, WalletUse

Status = Literal["applied", "adjusted", "duplicate", "rejected"]

WHOLE_LIMIT = 2**53
"""No count, time or amount of ours is larger; a stored integer never overflows whatever the other end sends."""

Count = Annotated[int, Meta(ge=0, le=WHOLE_LIMIT)]
Amount = Annotated[int, Meta(ge=-WHOLE_LIMIT, le=WHOLE_LIMIT)]

TILL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"

PATHS = {
    "hello": "/v1/tills/{till}/hello",
    "ops": "/v1/tills/{till}/ops",
    "changes": "/v1/tills/{till}/changes",
    "holds": "/v1/holds",
    "enrolments": "/v1/enrolments",
    "coupons": "/v1/tills/{till}/coupons",
    "sale": "/v1/tills/{till}/sales/{sale_uid}",
    "confirmations": "/v1/tills/{till}/confirmations",
    "confirm": "/v1/tills/{till}/confirmations/{confirmation}",
    "snapshot": "/v1/tills/{till}/snapshot",
    "snapshot_bytes": "/v1/snapshots/{snapshot}",
    "grants": "/v1/tills/{till}/grants",
    "members": "/v1/tills/{till}/members",
}


class ParkedOp(Struct, frozen=True, kw_only=True, tag="parked", tag_field="kind"):
    """Stands on the wire for the body of an op that the cloud could not take however it was sent. See `WireOp.parked`.

    `uid`, `op_kind` and `size_bytes` are the op's; `reason` is the code of what the cloud said to it. `redeemed_points`
    of `member_id` is what it spent: the money was given, and the points are still there.
    """

    uid: str
    op_kind: str
    size_bytes: Count
    reason: Annotated[str, Meta(max_length=80)]
    member_id: str = ""
    redeemed_points: Count = 0


class WireOp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One op as stored: the body goes out byte for byte.

    `parked`: the body is a `ParkedOp` in place of the stored one, whose fingerprint and row hash stand all the same.
    The cloud records the op as rejected `parked`, and the line moves on. Protocol 3.
    """

    seq: Annotated[int, Meta(ge=1, le=WHOLE_LIMIT)]
    fingerprint: str
    body: msgspec.Raw
    parked: bool = False


class PushRequest(Struct, frozen=True, kw_only=True):
    """A batch in sequence. `prev_hash` is the chain hash before `first_seq`, `head_hash` the one after the last op.

    `remaining` counts the ops, of all epochs, that wait behind this batch: 0 says that the cloud now has every op made
    before `sent_mono_ms`; -1, that the sender does not say. Only with 0 are forgotten holds given back.
    """

    protocol: Count
    epoch: Count
    salt: str
    incarnation: str
    first_seq: Count
    prev_hash: str
    head_hash: str
    sent_wall_ms: Count
    sent_mono_ms: Count
    boot: str
    ops: tuple[WireOp, ...]
    remaining: Annotated[int, Meta(ge=-1, le=WHOLE_LIMIT)] = -1


class OpResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict on one op. `balance` is the member's whole balance after it, at ledger `position`.

    `member_id` is set when the cloud resolved the subject; `effect_points` is what it really changed. `first` goes with
    `duplicate`: what the first verdict was, for a till that never heard it; "" from a cloud that does not say.
    """

    seq: Count
    status: Status
    code: str = ""
    member_id: str = ""
    tag: str = ""
    balance: Amount = 0
    held: Amount = 0
    effect_points: Amount = 0
    position: Count = 0
    first: Literal["", "applied", "adjusted", "rejected"] = ""


class Limits(Struct, frozen=True, kw_only=True):
    """The largest batch that the cloud takes."""

    max_ops: Annotated[int, Meta(ge=1, le=WHOLE_LIMIT)] = 1000
    max_bytes: Annotated[int, Meta(ge=1, le=WHOLE_LIMIT)] = 8 * 1024 * 1024


class PushAnswer(Struct, frozen=True, kw_only=True):
    """Verdicts after the commit; `acked_seq` is the last op that the cloud holds for this till and epoch.

    `results` has one verdict for each op of the batch, in its order. `head_hash` is the chain hash after `acked_seq`:
    by it the till knows that the answer speaks of the very ops that it sent; "" from a cloud that does not say.
    """

    incarnation: str
    acked_seq: Count
    results: tuple[OpResult, ...]
    server_time_ms: Count
    retry_after_ms: Count = 0
    limits: Limits = Limits()
    head_hash: str = ""


class ExpiringPoints(Struct, frozen=True, kw_only=True):
    """Points of the soonest-expiring lot and when it expires (UTC, milliseconds)."""

    points: Amount
    at_ms: Count


class MemberFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rules may know of a member (`till_loyalty.receipt.MemberState`); `birthday` is `MM-DD`.

    `usage` holds the periods that are not over: everything that the cloud has applied up to the row's position.
    `referral_code`: what the member tells friends. `wallet`: the newest wallet codes that sales of any till used.
    """

    segments: tuple[str, ...] = ()
    birthday: str = ""
    member_since: str = ""
    purchases: Annotated[int, Meta(ge=-1, le=WHOLE_LIMIT)] = -1
    last_purchase: str = ""
    usage: tuple[Usage, ...] = ()
    coupons: tuple[str, ...] = ()
    referral_code: str = ""
    wallet: WalletUse = NO_USE


class MemberRow(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="member", tag_field="row"):
    """A member's whole current state as one till may know it. `tags` are all identifier tags of the member.

    `inactive` points are part of the balance and can't be spent yet.
    """

    member_id: str
    status: Literal["active", "blocked", "provisional", "removed"] = "active"
    tier: str = ""
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    balance: Amount = 0
    held: Amount = 0
    expiring: ExpiringPoints | None = None
    position: Count = 0
    inactive: Amount = 0
    facts: MemberFacts = MemberFacts()


class ProgrammeRow(Struct, frozen=True, kw_only=True, tag="programme", tag_field="row"):
    """A programme version; `active` is the one to sell by. `digest` is the hex SHA-256 of `body`'s exact text."""

    programme_id: str
    version: Count
    digest: str
    active: bool
    body: str


class GrantRow(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="grant", tag_field="row"):
    """This till's share of a member's balance, which it may spend without asking. Own ops of the page's epoch up to its
    `acked_seq` are taken off `points`; 0: there is none (any more).

    The till gives `recall` of them back as soon as it can, by a `grant-release` op. From `until_ms` (cloud's time; 0:
    no end) it gives all of them back: then the first of the points behind it expire.
    """

    member_id: str
    points: Count
    epoch: Count
    recall: Count = 0
    until_ms: Count = 0
    position: Count = 0


class LeftRow(Struct, frozen=True, kw_only=True, tag="left", tag_field="row"):
    """A member who was not seen in the till's store for long: the till forgets them, once the cloud has all its ops of
    theirs. Only a till that asked for its store's members alone (`window`) gets such rows.
    """

    member_id: str
    position: Count = 0


ChangeRow = MemberRow | ProgrammeRow | GrantRow | LeftRow


class StretchDigest(Struct, frozen=True, kw_only=True):
    """Members `after` (exclusive) to `last` (inclusive; "" for the end) by id, as of the page: how many, and the
    SHA-256 (hex) of what `till_sync.digests` makes of their rows. A cache with another digest has come apart there.
    """

    after: str
    last: str
    count: Count
    digest: str


class ChangesAnswer(Struct, frozen=True, kw_only=True):
    """A page of current states read in one transaction: all own ops up to (`epoch`, `acked_seq`) are in these rows.

    `shares`: what is left of this till's share of each rule's budget, by rule id of the active programme, own ops up to
    there taken off. `place` is where the till stands; None from a cloud that does not say. `stretch` answers `check`:
    the digest of some members as of this page, given only when there is no more after it. `window_days`: only members
    seen in the till's store in so many days come with these pages; 0: all members do. `phone_cost` and
    `phone_slow_only`: as in the greeting, for the very tags of these rows.
    """

    incarnation: str
    rows: tuple[ChangeRow, ...]
    next: str
    more: bool
    epoch: Count
    acked_seq: Count
    server_time_ms: Count
    shares: dict[str, Amount] = {}
    place: Place | None = None
    stretch: StretchDigest | None = None
    window_days: Count = 0
    phone_cost: Cost = 0
    phone_slow_only: bool = False


class SnapshotAnswer(Struct, frozen=True, kw_only=True):
    """The newest snapshot for this till: an immutable file, fetched by ranges from `PATHS["snapshot_bytes"]`.

    `cursor` is where `changes` goes on after it. `sha256` is of the whole file as sent. `format` names its layout; a
    till that does not know it takes pages instead.
    """

    snapshot: str
    format: str
    cursor: str
    bytes: Count
    sha256: str
    members: Count
    as_of_ms: Count
    incarnation: str
    server_time_ms: Count


class EpochEnd(Struct, frozen=True, kw_only=True):
    """The last op that the cloud holds of a former epoch of a till, and its fingerprint."""

    epoch: Count
    seq: Count
    fingerprint: str


class HelloAnswer(Struct, frozen=True, kw_only=True):
    """What a till asks after a start: who the cloud is, what it holds of this till, and its time.

    `protocol` is the newest that it speaks, `encodings` what it takes as Content-Encoding of a request, `cloud_key`
    (hex) the public key that vouchers and signed wallet codes are checked by; `wallet_keys` (hex, the newest first) are
    the chain's secrets that codes which change by the clock come from. `seal_key` (hex) is the public key to which who
    registers is sealed (`till_sync.sealing`). `phone_cost` and `phone_slow_only` are `till_sync.phone_tags.PhoneTags`.
    `retry_after_ms` is the slot given to a till that said how much it has waiting: it pushes after that time, and need
    not spread its first work itself. `former` are the ends of the newest epochs before `epoch`, newest first: what of
    them still waits at a till can't be sent any more, and is through where the cloud has it. Defaults are those of a
    cloud that does not say.
    """

    incarnation: str
    till: str
    store: str
    epoch: Count
    acked_seq: Count
    head_hash: str
    server_time_ms: Count
    limits: Limits = Limits()
    protocol: Count = 2
    encodings: tuple[str, ...] = ()
    cloud_key: str = ""
    retry_after_ms: Count = 0
    former: tuple[EpochEnd, ...] = ()
    wallet_keys: tuple[str, ...] = ()
    seal_key: str = ""
    phone_cost: Cost = 0
    phone_slow_only: bool = False

    def __repr__(self) -> str:
        """Without the secrets: reprs end up in logs."""
        return f"HelloAnswer(incarnation={self.incarnation!r}, till={self.till!r}, epoch={self.epoch})"


class EnrolmentRequest(Struct, frozen=True, kw_only=True):
    """Trade a one-time code for a till's identity. `salt` names the till's journal.

    `public_key` (hex) is the Ed25519 key that the till made and will sign its requests with; "" from a former till.
    """

    code: str
    salt: str
    public_key: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class EnrolmentAnswer(Struct, frozen=True, kw_only=True):
    """The till's identity, its secret (shown once, kept in a 0600 file), and the chain's identifier key (hex).

    `last_epoch`: the last one that the cloud knows of this till; 0: none. A new machine begins after it.
    """

    till: str
    store: str
    store_name: str
    time_zone: str
    token: str
    identifier_key: str
    incarnation: str
    server_time_ms: Count
    last_epoch: Count = 0
    cloud_key: str = ""
    seal_key: str = ""
    phone_cost: Cost = 0
    phone_slow_only: bool = False
