"""What tells a repeated request from another one under the same uid, without being a way to its phone or its person.

A digest lies beside the key that made it. So numbers go in as their tags, and a person as the forms that the journal
shows anyway: whoever tries numbers on a digest has to make each one's tag first, which is no faster than trying tags.
Former releases put in what was keyed; what they wrote is still recognised, and never written again.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import Identify, SaleRequest
from till_agent.desk.answers import encode
from till_agent.desk.problems import problem
from till_agent.member_api import CardAttach, MemberCreate
from till_agent.ports import Entry
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import Kind, mask_name, normalise_phone
from till_loyalty.programme import Identifiers

TagOf = Callable[[Kind, str], str]
"""The tag of a number: what may be kept of it."""
MONTH_AND_DAY = len("12-31")


class RequestDigest(Struct, frozen=True):
    """`made` is what a new row keeps; `former` are those of the same request by earlier ways to make them."""

    made: bytes
    former: tuple[bytes, ...] = ()

    def same(self, entry: Entry) -> Entry:
        """`entry` when it answers this very request, else DeskProblem `uid_conflict`."""
        if entry.request_digest != self.made and entry.request_digest not in self.former:
            raise problem(
                "uid_conflict",
                f"expected the {entry.kind} {entry.uid!r} as it was first sent, not another under its uid",
            )
        return entry


class Digests:
    """Makes them. `rules` say what reads as a phone."""

    def __init__(self, key: bytes, tag_of: TagOf, rules: Callable[[], Identifiers]) -> None:
        self._key = key
        self._tag_of = tag_of
        self._rules = rules

    def plain(self, kind: str, uid: str, request: Struct | None = None) -> RequestDigest:
        """Of a request that names nobody by number: its values, not its bytes, so that unknown fields don't matter."""
        return RequestDigest(self._hash(kind, uid, request))

    def sale(self, kind: str, uid: str, request: SaleRequest) -> RequestDigest:
        """Of a sale."""
        who = request.member
        if who is None:
            return self.plain(kind, uid, request)
        unnamed = self._unnamed(who)
        return self._both(kind, uid, request, request if unnamed == who else replace(request, member=unnamed))

    def registration(self, kind: str, request: MemberCreate) -> RequestDigest:
        """Of a registration. Another spelling of a name, or year of birth, makes no other registration."""
        unnamed = replace(
            request,
            phone=request.phone and self._phone_tag(request.phone),
            card=request.card and self._tag_of("card", request.card),
            name=mask_name(request.name),
            birth_date=request.birth_date[-MONTH_AND_DAY:],
            sex="",
        )
        return self._both(kind, request.uid, request, unnamed)

    def card(self, kind: str, request: CardAttach) -> RequestDigest:
        """Of a card that is given to a member."""
        return self._both(kind, request.uid, request, replace(request, card=self._tag_of("card", request.card)))

    def _both(self, kind: str, uid: str, request: Struct, unnamed: Struct) -> RequestDigest:
        if unnamed is request:
            return self.plain(kind, uid, request)
        return RequestDigest(self._hash(kind, uid, unnamed), (self._hash(kind, uid, request),))

    def _unnamed(self, who: Identify) -> Identify:
        return replace(
            who,
            phone=who.phone and self._phone_tag(who.phone),
            card=who.card and self._tag_of("card", who.card),
            scan=who.scan and self._either_tag(who.scan),
            code=who.code and self._either_tag(who.code),
        )

    def _phone_tag(self, text: str) -> str:
        """Of the number that the text stands for; of the text where it stands for none, which no row will hold."""
        return self._tag_of("phone", self._phone(text) or text)

    def _either_tag(self, text: str) -> str:
        phone = self._phone(text)
        return self._tag_of("phone", phone) if phone else self._tag_of("card", text)

    def _phone(self, text: str) -> str:
        try:
            return normalise_phone(text, self._rules().phone_countries)
        except IdentifierError:
            return ""

    def _hash(self, kind: str, uid: str, request: Struct | None) -> bytes:
        body = encode(request) if request is not None else b""
        return hmac.new(self._key, b"%s\n%s\n%s" % (kind.encode(), uid.encode(), body), sha256).digest()
