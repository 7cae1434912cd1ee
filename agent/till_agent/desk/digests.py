"""What tells a repeated request from another one under the same uid, without being a way to its phone or its person.

A digest lies beside the key that made it. So numbers go in as their tags, and a person as the forms that the journal
shows anyway: whoever tries numbers on a digest has to make each one's tag first, which is no faster than trying tags.
Former releases put in what was keyed; what they wrote is still recognised, and never written again.
"""

import hmac
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import Identify, SaleRequest
from till_agent.desk.answers import encode
from till_agent.desk.problems import problem
from till_agent.member_api import CardAttach, MemberCreate
from till_agent.ports import Entry
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import FAST_PHONE, Kind, mask_name, normalise_phone
from till_loyalty.programme import Identifiers

TagsOf = Callable[[Kind, str], tuple[str, ...]]
"""The tags of a number, the one that may be kept first: of a phone there are two, where the chain has slow ones."""
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
    """Makes them. `rules` say what reads as a phone, `names` which tags are one phone's, the one to be kept first."""

    def __init__(
        self,
        key: bytes,
        tags_of: TagsOf,
        rules: Callable[[], Identifiers],
        names: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._key = key
        self._names = names
        self._tags_of = tags_of
        self._rules = rules

    def plain(self, kind: str, uid: str, request: Struct | None = None) -> RequestDigest:
        """Of a request that names nobody by number: its values, not its bytes, so that unknown fields don't matter."""
        return RequestDigest(self._hash(kind, uid, request))

    def sale(self, kind: str, uid: str, request: SaleRequest) -> RequestDigest:
        """Of a sale."""
        who = request.member
        if who is None:
            return self.plain(kind, uid, request)
        return self._of((kind, uid, replace(request, member=each)) for each in (*self._unnamed(who), who))

    def registration(self, kind: str, request: MemberCreate) -> RequestDigest:
        """Of a registration. Another spelling of a name, or year of birth, makes no other registration."""
        bare = {"name": mask_name(request.name), "birth_date": request.birth_date[-MONTH_AND_DAY:], "sex": ""}
        card = request.card and self._tags_of("card", request.card)[0]
        phones = self._either_tags(request.phone) if request.phone else (None,)
        unnamed = [replace(request, phone=phone, card=card, **bare) for phone in phones]
        return self._of((kind, request.uid, each) for each in (*unnamed, request))

    def card(self, kind: str, reference: str, request: CardAttach) -> RequestDigest:
        """Of a card that is given to a member."""
        unnamed = replace(request, card=self._tags_of("card", request.card)[0])
        names = [(f"{kind} {each}", request.uid, unnamed) for each in self._references(reference)]
        return self._of((*names, (f"{kind} {reference}", request.uid, request)))

    def _of(self, ways: Iterable[tuple[str, str, Struct]]) -> RequestDigest:
        """By the first way; the others, and the last that is of what was keyed, are those of earlier rows."""
        made, *former = dict.fromkeys([self._hash(*way) for way in ways])
        return RequestDigest(made, tuple(former))

    def _unnamed(self, who: Identify) -> list[Identify]:
        """`who` by tags, in each of their kinds; nothing for a reference that says no more than a row may."""
        if who.reference and not who.reference.startswith(FAST_PHONE):
            return []
        for name, tags_of in (
            ("phone", self._either_tags),
            ("scan", self._either_tags),
            ("code", self._either_tags),
            ("reference", self._references),
        ):
            value = getattr(who, name)
            if value:
                return [replace(who, **{name: each}) for each in tags_of(value)]
        return [replace(who, card=self._tags_of("card", who.card)[0])] if who.card else []

    def _either_tags(self, text: str) -> tuple[str, ...]:
        """Of the phone that the text stands for, else of a card. Keyed as a phone, it is in no row then; a slow tag of
        it, which nobody has made beforehand, would keep the loop waiting for nothing."""
        phone = self._phone(text)
        return self._tags_of("phone", phone) if phone else self._tags_of("card", text)

    def _references(self, text: str) -> tuple[str, ...]:
        """A phone's fast tag is as good as the phone: the slow one stands for it."""
        return self._names(text) if text.startswith(FAST_PHONE) else (text,)

    def _phone(self, text: str) -> str:
        try:
            return normalise_phone(text, self._rules().phone_countries)
        except IdentifierError:
            return ""

    def _hash(self, kind: str, uid: str, request: Struct | None) -> bytes:
        body = encode(request) if request is not None else b""
        return hmac.digest(self._key, b"%s\n%s\n%s" % (kind.encode(), uid.encode(), body), "sha256")
