"""The bridge's JSON of members: registration, cards and one-time codes (see `till_agent.api`)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_agent.api import IdentifierText, Identify, Language, Member, Message, Uid


class ConsentGiven(Struct, frozen=True, kw_only=True):
    """The person agreed to the text of that version, as it was answered."""

    version: Annotated[str, Meta(max_length=40)]
    given: bool


class ConsentText(Struct, frozen=True, kw_only=True):
    """What to read to the person, or to let them read."""

    version: str
    text: str


class CodeState(Struct, frozen=True, kw_only=True):
    """How a one-time code stands. `not_sent`: none went out. Raise `attempt` to have another one sent."""

    confirmation: str
    state: Literal["sent", "confirmed", "expired", "spent", "not_sent"]
    tries_left: int = 0
    expires_in_ms: int = 0


OneTimeCode = Annotated[str, Meta(pattern=r"^([0-9]{4,8})?$")]
Attempt = Annotated[int, Meta(ge=1, le=10)]


class MemberCreate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Register a person. The same `uid` goes through all steps; what was answered as needed is added to the request.

    `code` is what the person says they got; `without_code` goes on without one. Neither they, nor `attempt` and
    `language` (the cashier's), are part of what is registered. `member_language`: the one to write to the member in.
    """

    uid: Uid
    phone: IdentifierText | None = None
    card: IdentifierText | None = None
    name: Annotated[str, Meta(max_length=200)] = ""
    birth_date: Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    sex: Literal["", "female", "male"] = ""
    member_language: Language | None = None
    referrer: Annotated[str, Meta(max_length=40)] = ""
    consent: ConsentGiven | None = None
    code: OneTimeCode = ""
    attempt: Attempt = 1
    without_code: bool = False
    language: Language | None = None


class MemberCreated(Struct, frozen=True, kw_only=True):
    """`state`: needs (the same request again, with what `needs` names), registered (durable on this till), known.

    `ask`: what else the chain would like to know of a new member. `op` is the operation of a registration.
    """

    uid: str
    state: Literal["needs", "registered", "known"]
    needs: tuple[Literal["phone", "consent", "code"], ...] = ()
    ask: tuple[str, ...] = ()
    consent: ConsentText | None = None
    confirmation: CodeState | None = None
    member: Member | None = None
    op: str = ""
    messages: tuple[Message, ...] = ()


class CardAttach(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Give a member a card."""

    uid: Uid
    card: IdentifierText
    language: Language | None = None


class CardAttached(Struct, frozen=True, kw_only=True):
    """`state`: attached (durable on this till), known (the member has this card already)."""

    uid: str
    state: Literal["attached", "known"]
    member: Member
    op: str = ""
    messages: tuple[Message, ...] = ()


class CodeRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Have a code sent to a member who wants to spend much, then hand in what they say under the same `uid`.

    `phone` is the member's own, since nobody keeps it. The answer's `confirmation` goes into the hold.
    """

    uid: Uid
    member: Identify
    phone: IdentifierText
    code: OneTimeCode = ""
    attempt: Attempt = 1
    language: Language | None = None


class CodeAnswer(Struct, frozen=True, kw_only=True):
    """How the code stands, and what to tell the cashier."""

    confirmation: CodeState
    messages: tuple[Message, ...] = ()
