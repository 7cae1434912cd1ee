"""From what was scanned, keyed or handed back to a member of the cache, or to the tag of somebody not known here.

Numbers live for the length of a call: what leaves this module is a member id or a tag.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from till_agent.api import Identify
from till_agent.desk.found import Found
from till_agent.desk.problems import of_identifier, problem
from till_agent.desk.slow_tags import SlowTags
from till_agent.desk.wallets import Wallets, refuse_static, with_card
from till_agent.ports import Cache, CachedMember, CachedProgramme
from till_agent.registrations import Registered, Registrations
from till_loyalty import identifiers
from till_loyalty.conduct import Entry
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import Identifier, Kind
from till_loyalty.programme import CardRange, Identifiers
from till_loyalty.rotating import Shown
from till_sync import vouchers, wallet
from till_sync.ops import OpId, RegisterBody, Subject
from till_sync.phone_tags import NO_SLOW_TAGS
from till_sync.wire import MemberFacts, MemberRow

_SHOPS_OWN = CardRange(prefix="2", lengths=(13,), check="ean13")
"""Numbers that GS1 leaves to shops, which print their cards with them; one in ten looks like a bank card's."""
_ANY = CardRange(lengths=tuple(range(4, 33)))
TAG = re.compile(r"(card|phone2?):[0-9a-f]{32}")
MEMBER_ID = re.compile(r"m-[A-Za-z0-9._-]{1,64}")


class Learnt(NamedTuple):
    """What `learn` read by a programme, for the `find` of the same call: it holds the number, so nobody keeps it."""

    programme: CachedProgramme
    known: list[Identifier]
    tags: list[str]


class Finder:
    """Reads the cache only; nothing here waits."""

    def __init__(
        self,
        cache: Cache,
        identifier_key: bytes,
        registrations: Registrations | None = None,
        *,
        cloud_key: Callable[[], str] = lambda: "",
        wallets: Wallets | None = None,
        slow: SlowTags | None = None,
    ) -> None:
        self._cache = cache
        self._key = identifier_key
        self._cloud_key = cloud_key
        self._wallets = wallets
        self._new = registrations or Registrations()
        self._slow = slow or SlowTags(lambda: NO_SLOW_TAGS, lambda: 0)

    def tag_of(self, kind: Kind, value: str) -> str:
        """What may be kept of a number."""
        return self._slow.kept(identifiers.tag(self._key, kind, value))

    def tags_of(self, kind: Kind, value: str) -> tuple[str, ...]:
        """Every tag of a number, the one that may be kept first."""
        return self.names(identifiers.tag(self._key, kind, value))

    def names(self, tag: str) -> tuple[str, ...]:
        """Every tag of whose tag this is, the one that may be kept first."""
        return tuple(dict.fromkeys((self._slow.kept(tag), *self._slow.names(tag))))

    async def learn(self, who: Identify | None, *, of_sale: bool = False) -> Learnt | None:
        """Make the slow tags of whom `who` may name, in a thread: to be awaited before anything else is asked of them.

        What it read, for `find`; what is wrong with `who` is for that to say. `of_sale`: it waits for no call that is
        none; else DeskProblem `too_busy` where there are too many.
        """
        if who is None or not self._slow.has_any:
            return None
        learnt: Learnt | None = None
        named = [(name, value) for name, value in msgspec.structs.asdict(who).items() if value and name != "card"]
        for name, value in named:
            if name == "reference":
                tags = [value]
            else:
                tags, learnt = self._read(name, value)
            await self._slow.learn(tags, of_sale=of_sale)
        return learnt

    async def learn_tags(self, tags: Iterable[str], *, of_sale: bool = False) -> None:
        """The same of tags of earlier ops."""
        await self._slow.learn(tags, of_sale=of_sale)

    def names_of(self, who: Identify) -> list[tuple[str, ...]]:
        """Every tag of each number that `who` may name; nothing of a reference."""
        given = [(name, value) for name, value in msgspec.structs.asdict(who).items() if value and name != "reference"]
        return [self.names(tag) for name, value in given for tag in self._read(name, value)[0]]

    def _read(self, name: str, value: str) -> tuple[list[str], Learnt | None]:
        programme = self._cache.programme()
        try:
            known = _candidates(name, value, programme.programme.identifiers if programme else Identifiers())
        except IdentifierError:
            return [], None
        tags = [identifiers.tag(self._key, each.kind, each.value) for each in known]
        return tags, Learnt(programme, known, tags) if programme is not None else None

    def find(
        self,
        who: Identify,
        *,
        pointer: str = "",
        lenient: bool = False,
        paid: bool = False,
        learnt: Learnt | None = None,
    ) -> Found:
        """The member or tag that `who` names; `pointer` is where `who` stands in the request, `learnt` what `learn`
        gave for it.

        `lenient` takes a member id that this cache does not hold for what it says: the cloud knows members that a
        fresh cache does not. `paid`: a wallet code stays good that was shown in time. DeskProblem identifier_choice,
        identifier_invalid, bank_card, identifier_ambiguous, reference_unknown, or one of wallet codes.
        """
        name, value = _only_one(who, pointer)
        pointer = f"{pointer}/{name}"
        if value.startswith(vouchers.PREFIX):
            return self._by_voucher(value, pointer)
        if value.startswith(wallet.PREFIX) and self._wallets is not None:
            return self._by_token(value, pointer, self._wallets, paid)
        if name == "reference":
            return self._by_reference(value, pointer, lenient)
        programme = self._cache.programme()
        shown = self._wallets.shown(value) if self._wallets is not None and name != "phone" else None
        try:
            if shown is not None and programme is not None and self._wallets is not None:
                return self._by_shown(shown, programme.programme.identifiers, pointer, self._wallets, paid)
            tags: list[str] | None = None
            if learnt is not None and learnt.programme is programme:
                candidates, tags = learnt.known, learnt.tags
            elif programme is not None:
                candidates = _candidates(name, value, programme.programme.identifiers)
            else:
                candidates = _without_rules(name, value)
        except IdentifierError as exc:
            # Without its cause, so that nothing of what was keyed can reach a log through the chain.
            raise of_identifier(exc, pointer) from None
        if programme is not None and any(_is_bare(each, programme.programme.identifiers) for each in candidates):
            raise refuse_static(pointer)
        return self._by_identifiers(candidates, pointer, tags)

    def of_sale(self, who: Identify, learnt: Learnt | None = None) -> Found:
        """The same for a sale, which is a fact."""
        return self.find(who, pointer="/member", lenient=True, paid=True, learnt=learnt)

    def by_subject(self, subject: Subject) -> Found | None:
        """Whose an earlier op was, as known now; None for a sale with no member."""
        if subject.member_id:
            cached = self._member(self._cache.by_id(subject.member_id))
            found = self._overlaid(cached) if cached else None
        elif subject.tag:
            found = self.by_tag(subject.tag)
        else:
            return None
        return found or Found(subject=subject, cached=None, keys=(subject.key,))

    def identifier(self, name: str, value: str, *, pointer: str) -> tuple[str, Identifier]:
        """A phone or a card as keyed, checked by the programme's rules: its tag and itself. DeskProblem."""
        programme = self._cache.programme()
        try:
            known = _candidates(name, value, programme.programme.identifiers if programme else Identifiers())[0]
        except IdentifierError as exc:
            raise of_identifier(exc, pointer) from None
        return self.tag_of(known.kind, known.value), known

    def by_tag(self, tag: str) -> Found | None:
        """Whose a tag is, as far as the cache knows or somebody registered here; None for nobody known.

        A phone's is looked up by both kinds of tags: a cache, and own operations, may have either for a while.
        """
        names = self._slow.names(tag)
        hits = [found for name in names if (found := self._by_name(name)) is not None]
        if not hits:
            return None
        best = next((each for each in hits if each.subject.member_id), hits[0])
        if len(names) == 1:
            return best
        every = (key for each in (best, *hits) for key in each.keys)
        return replace(best, keys=tuple(dict.fromkeys((*every, *names))))

    def _by_name(self, tag: str) -> Found | None:
        cached = self._member(self._cache.by_tag(tag))
        if cached is not None:
            return self._overlaid(cached)
        attached = self._new.attached(tag)
        if attached is not None:
            owner = self.by_subject(attached.subject) if attached.subject.tag != tag else None
            return None if owner is None else replace(owner, keys=tuple(dict.fromkeys((*owner.keys, tag))))
        new = self._new.registered(tag)
        if new is None:
            return None
        row = _row_of(new, self._first_tier)
        named = Subject(tag=self._slow.kept(tag))
        return Found(subject=named, cached=CachedMember(row=row, as_of_ms=0, included=(0, 0)), keys=new.tags)

    def by_reference(self, reference: str) -> Found:
        """Somebody by the reference of an earlier answer; DeskProblem `reference_unknown`."""
        return self._by_reference(reference, "", lenient=False)

    def as_registered(self, body: RegisterBody, before: Found | None) -> Found:
        """Somebody as they will be known here once this registration is on the disk; `before`: as known until then."""
        book = Registrations()
        for tag in before.keys if before is not None else ():
            if (earlier := self._new.registered(tag)) is not None:
                book.adopt(earlier)
        book.note(OpId("", 1, 1), body)
        return Finder(self._cache, self._key, book, slow=self._slow).by_tag(body.subject.tag) or Found(
            subject=body.subject, cached=None, keys=(body.subject.key,)
        )

    @property
    def _first_tier(self) -> str:
        programme = self._cache.programme()
        return programme.programme.tiers[0].id if programme is not None and programme.programme.tiers else ""

    def _overlaid(self, cached: CachedMember) -> Found:
        """A member of the cache, with the names that somebody gave here whom only sales had known."""
        found = _known(cached)
        if cached.row.status != "provisional":
            return found
        new = next((each for tag in cached.row.tags if (each := self._new.registered(tag))), None)
        if new is None:
            return found
        named, row = _row_of(new, self._first_tier), cached.row
        row = replace(
            row,
            tier=row.tier or named.tier,
            name_masked=row.name_masked or named.name_masked,
            phone_masked=row.phone_masked or named.phone_masked,
            card_masked=row.card_masked or named.card_masked,
            language=row.language or named.language,
        )
        return replace(found, cached=replace(cached, row=row), keys=tuple(dict.fromkeys((*found.keys, *new.tags))))

    def _by_identifiers(self, candidates: list[Identifier], pointer: str, tags: list[str] | None = None) -> Found:
        """One candidate, or a card and a phone that the same digits could be: then whichever is a member here."""
        if tags is None:
            tags = [identifiers.tag(self._key, each.kind, each.value) for each in candidates]
        hits = {found.subject.key: found for tag in tags if (found := self.by_tag(tag))}
        if len(hits) == 1:
            return next(iter(hits.values()))
        if len(candidates) > 1:
            raise problem(
                "identifier_ambiguous", "expected either a card or a phone, not what could be both", pointer=pointer
            )
        return _unknown(self._slow.kept(tags[0]), self._slow.names(tags[0]), candidates[0])

    def _by_voucher(self, text: str, pointer: str) -> Found:
        """The member that a voucher is made out to, if the chain's cloud made it; whether it is good is asked later."""
        key = self._cloud_key()
        voucher = vouchers.decode(text, key) if key else None
        if voucher is None:
            raise problem("voucher_invalid", "expected a voucher that the chain's cloud signed", pointer=pointer)
        subject = Subject(member_id=voucher.member_id)
        found = self.by_subject(subject) or Found(subject=subject, cached=None, keys=(subject.key,))
        return replace(found, voucher=voucher, reference=text)

    def _by_token(self, text: str, pointer: str, wallets: Wallets, paid: bool) -> Found:
        """The member that the chain's cloud signed for, if the code is good for this receipt."""
        token = wallets.token(text, pointer)
        subject = Subject(member_id=token.member_id)
        found = self.by_subject(subject) or Found(subject=subject, cached=None, keys=(subject.key,))
        return wallets.take_token(token, found, pointer, paid=paid)

    def _by_shown(self, shown: Shown, rules: Identifiers, pointer: str, wallets: Wallets, paid: bool) -> Found:
        """Whose card a changing code names, if the code is good for this receipt. IdentifierError."""
        card = identifiers.parse_card(shown.card, rules)
        found = self._by_identifiers([Identifier("card", card)], pointer)
        return wallets.take_shown(with_card(shown, card), found, pointer, paid=paid)

    def _by_reference(self, reference: str, pointer: str, lenient: bool) -> Found:
        if TAG.fullmatch(reference):
            found = self.by_tag(reference)
            named = Subject(tag=self._slow.kept(reference))
            return found or Found(subject=named, cached=None, keys=self._slow.names(reference))
        if MEMBER_ID.fullmatch(reference):
            cached = self._member(self._cache.by_id(reference))
            if cached is not None:
                return self._overlaid(cached)
            if lenient:
                return Found(subject=Subject(member_id=reference), cached=None, keys=(reference,))
        raise problem("reference_unknown", "expected a reference from an earlier answer", pointer=pointer)

    @staticmethod
    def _member(cached: CachedMember | None) -> CachedMember | None:
        """A removed member's numbers are as good as never seen."""
        return None if cached is None or cached.row.status == "removed" else cached


def _known(cached: CachedMember) -> Found:
    row = cached.row
    return Found(subject=Subject(member_id=row.member_id), cached=cached, keys=(row.member_id, *row.tags))


def _is_bare(candidate: Identifier, rules: Identifiers) -> bool:
    return candidate.kind == "card" and identifiers.is_rotating_only(candidate.value, rules)


def _row_of(new: Registered, tier: str) -> MemberRow:
    """Somebody who registered here, as the cloud will say when it knows: a member with no id yet."""
    return MemberRow(
        member_id="",
        status="active" if new.confirmed else "provisional",
        tier=tier,
        name_masked=new.name_masked,
        phone_masked=new.phone_masked,
        card_masked=new.card_masked,
        language=new.language,
        tags=new.tags,
        facts=MemberFacts(birthday=new.birthday, member_since=new.member_since, purchases=0),
    )


def _unknown(tag: str, names: tuple[str, ...], identifier: Identifier) -> Found:
    masked = identifiers.mask_card(identifier.value) if identifier.kind == "card" else ""
    phone = identifiers.mask_phone(identifier.value) if identifier.kind == "phone" else ""
    return Found(subject=Subject(tag=tag), cached=None, keys=names, card_masked=masked, phone_masked=phone)


def _candidates(name: str, value: str, rules: Identifiers) -> list[Identifier]:
    """What `value` is, or both things it may be; IdentifierError when it is nothing."""
    if name == "card":
        return [Identifier("card", identifiers.parse_card(value, rules))]
    if name == "phone":
        return [Identifier("phone", identifiers.normalise_phone(value, rules.phone_countries))]
    try:
        return [identifiers.classify(value, rules)]
    except IdentifierError as exc:
        if exc.code != "identifier_ambiguous":
            raise
    return [*_candidates("card", value, rules), *_candidates("phone", value, rules)]


def _without_rules(name: str, value: str) -> list[Identifier]:
    """What `value` is while no programme has come, which names the card ranges: digits that are no phone and no bank
    card are taken for a card, so that a till's first sales earn. IdentifierError."""
    try:
        return _candidates(name, value, Identifiers(cards=(_SHOPS_OWN,)))
    except IdentifierError as exc:
        if name == "phone" or exc.code not in ("card_unknown_range", "identifier_unknown"):
            raise
        return _candidates("card", value, Identifiers(cards=(_ANY,)))


def entry_of(who: Identify | None) -> Entry:
    """How a member was named, as far as the name tells: "" for a card's number, which may be read or typed."""
    if who is None:
        return ""
    return "scanned" if who.scan is not None else "keyed" if who.phone is not None else ""


def _only_one(who: Identify, pointer: str) -> tuple[str, str]:
    given = [(name, value) for name in who.__struct_fields__ if (value := getattr(who, name)) is not None]
    if len(given) != 1:
        names = ", ".join(name for name, _ in given) or "none"
        raise problem(
            "identifier_choice", f"expected one of reference, card, phone, scan, code, not {names}", pointer=pointer
        )
    return given[0]
