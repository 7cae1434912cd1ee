"""Lines of a members file: read one by one, each checked whole, every fault named with its line and column."""

import csv
import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import date

from msgspec import Struct

from till_cloud.exceptions import AdminError
from till_cloud.ingest.subjects import MEMBER_ID
from till_cloud.referral import normalise
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import mask_card, mask_name, mask_phone, normalise_phone, parse_card, tag
from till_loyalty.programme import Programme

COLUMNS = (
    *("member_id", "name", "phone", "card", "tier", "language", "status", "balance"),
    *("birth_date", "sex", "member_since", "segments", "referrer", "referral_code", "coupons"),
    *("purchases", "last_purchase"),
)
STATUSES = ("active", "blocked", "provisional")
NAME_LIMIT = 200
LARGEST_BALANCE = 10**13
"""As the largest amount of a receipt: a larger one is a column mixed up."""

LARGEST_PURCHASES = 1_000_000
"""As the largest number of a purchase that a rule may name."""

LIST_LIMIT = 50
"""Segments or coupons of one member."""

SEXES = ("", "female", "male")

_SEGMENT = re.compile(r"[^\s|][^|]{0,59}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_WHOLE = re.compile(r"[0-9]{1,14}")


class Fault(Struct, frozen=True):
    """What is wrong with a line. The message never repeats a card or a phone."""

    line: int
    column: str
    message: str


class Facts(Struct, frozen=True):
    """What a line says of the person; empty where it says nothing. `referrer` is a member id or a referral code.

    `purchases`: made before this file, elsewhere or here; a `last_purchase` is at least one.
    """

    birth_date: str = ""
    sex: str = ""
    member_since: str = ""
    segments: tuple[str, ...] = ()
    referrer: str = ""
    referral_code: str = ""
    coupons: tuple[str, ...] = ()
    purchases: int = 0
    last_purchase: str = ""


class Candidate(Struct, frozen=True):
    """A good line: a member as it will be kept. `member_id` "" when the file leaves it to us."""

    line: int
    member_id: str
    name: str
    name_masked: str
    phone_masked: str
    card_masked: str
    tier: str
    language: str
    status: str
    balance: int
    tags: tuple[str, ...]
    facts: Facts = Facts()


class LineReader:
    """Turns rows into candidates by the active programme's identifiers and tiers. Empty fields stay empty."""

    def __init__(self, programme: Programme, identifier_key: bytes) -> None:
        self._identifiers = programme.identifiers
        self._tiers = tuple(tier.id for tier in programme.tiers)
        self._coupons = frozenset(coupon.id for coupon in programme.coupons)
        self._key = identifier_key

    @property
    def first_tier(self) -> str:
        """What new members get."""
        return self._tiers[0] if self._tiers else ""

    def read(self, line: int, row: dict[str, str]) -> Candidate | list[Fault]:
        """The candidate of a row, or all that is wrong with it."""
        faults: list[Fault] = []
        phone = self._phone(row.get("phone", ""), line, faults)
        card = self._card(row.get("card", ""), line, faults)
        member_id = row.get("member_id", "")
        if member_id and not MEMBER_ID.fullmatch(member_id):
            faults.append(Fault(line, "member_id", f"expected an id such as m-1a2b3c, not {member_id[:80]!r}"))
        if not (phone or card or member_id or faults):
            faults.append(Fault(line, "", "expected a phone, a card or a member_id, not none of them"))
        name = row.get("name", "")
        if len(name) > NAME_LIMIT:
            faults.append(Fault(line, "name", f"expected at most {NAME_LIMIT} characters, not {len(name)}"))
        status = row.get("status", "")
        if status and status not in STATUSES:
            faults.append(Fault(line, "status", f"expected one of {', '.join(STATUSES)}, not {status[:40]!r}"))
        language = row.get("language", "")
        if language and not _LANGUAGE.fullmatch(language):
            faults.append(Fault(line, "language", f"expected a code such as ru, not {language[:40]!r}"))
        tier = self._tier(row.get("tier", ""), line, faults)
        balance = _balance(row.get("balance", ""), line, faults)
        facts = self._facts(row, line, faults)
        if faults:
            return faults
        tags = [tag(self._key, "phone", phone)] if phone else []
        if card:
            tags.append(tag(self._key, "card", card))
        return Candidate(
            line=line,
            member_id=member_id,
            name=name,
            name_masked=mask_name(name),
            phone_masked=mask_phone(phone),
            card_masked=mask_card(card),
            tier=tier,
            language=language,
            status=status,
            balance=balance,
            tags=tuple(tags),
            facts=facts,
        )

    def _facts(self, row: dict[str, str], line: int, faults: list[Fault]) -> Facts:
        sex = row.get("sex", "")
        if sex not in SEXES:
            faults.append(Fault(line, "sex", f"expected female or male, not {sex[:40]!r}"))
        referrer = row.get("referrer", "")
        if referrer and not MEMBER_ID.fullmatch(referrer):
            referrer = _code(referrer, "referrer", line, faults)
        coupons = _list(row.get("coupons", ""), "coupons", line, faults)
        for unknown in [coupon for coupon in coupons if coupon not in self._coupons]:
            wanted = ", ".join(sorted(self._coupons)[:10]) or "none, for the programme has no coupons"
            faults.append(Fault(line, "coupons", f"expected {wanted}, not {unknown[:60]!r}"))
        last_purchase = _date(row.get("last_purchase", ""), "last_purchase", line, faults)
        purchases = _purchases(row.get("purchases", ""), line, faults)
        return Facts(
            birth_date=_date(row.get("birth_date", ""), "birth_date", line, faults),
            sex=sex,
            member_since=_date(row.get("member_since", ""), "member_since", line, faults),
            segments=_list(row.get("segments", ""), "segments", line, faults),
            referrer=referrer,
            referral_code=_code(row.get("referral_code", ""), "referral_code", line, faults),
            coupons=coupons,
            purchases=max(purchases, 1) if last_purchase else purchases,
            last_purchase=last_purchase,
        )

    def _phone(self, text: str, line: int, faults: list[Fault]) -> str:
        try:
            return normalise_phone(text, self._identifiers.phone_countries) if text else ""
        except IdentifierError as error:
            faults.append(Fault(line, "phone", str(error)))
            return ""

    def _card(self, text: str, line: int, faults: list[Fault]) -> str:
        try:
            return parse_card(text, self._identifiers) if text else ""
        except IdentifierError as error:
            faults.append(Fault(line, "card", str(error)))
            return ""

    def _tier(self, text: str, line: int, faults: list[Fault]) -> str:
        if text and text not in self._tiers:
            wanted = ", ".join(self._tiers) or "no tier, for the programme has none"
            faults.append(Fault(line, "tier", f"expected {wanted}, not {text[:60]!r}"))
        return text


def _date(text: str, column: str, line: int, faults: list[Fault]) -> str:
    try:
        good = not text or (len(text) == len("2026-01-31") and date.fromisoformat(text).isoformat() == text)
    except ValueError:
        good = False
    if not good:
        faults.append(Fault(line, column, "expected a date as 2026-01-31"))  # it may be somebody's birthday
    return text


def _list(text: str, column: str, line: int, faults: list[Fault]) -> tuple[str, ...]:
    """Names between bars, each once, sorted."""
    names = sorted({name.strip() for name in text.split("|") if name.strip()})
    bad = [name for name in names if not _SEGMENT.fullmatch(name)]
    if bad or len(names) > LIST_LIMIT:
        faults.append(Fault(line, column, f"expected at most {LIST_LIMIT} names of at most 60 characters, by |"))
        return ()
    return tuple(names)


def _code(text: str, column: str, line: int, faults: list[Fault]) -> str:
    code = normalise(text)
    if text and not code:
        faults.append(Fault(line, column, f"expected a referral code such as ABCD2345, not {text[:40]!r}"))
    return code


def _balance(text: str, line: int, faults: list[Fault]) -> int:
    if not text:
        return 0
    if not _WHOLE.fullmatch(text) or int(text) > LARGEST_BALANCE:
        faults.append(Fault(line, "balance", f"expected whole minor points of 0 or more, not {text[:40]!r}"))
        return 0
    return int(text)


def _purchases(text: str, line: int, faults: list[Fault]) -> int:
    if not text:
        return 0
    if not _WHOLE.fullmatch(text) or int(text) > LARGEST_PURCHASES:
        faults.append(Fault(line, "purchases", f"expected how many purchases were made, not {text[:40]!r}"))
        return 0
    return int(text)


def rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str] | Fault]]:
    """(line number, row) of a CSV file with a header; comma or semicolon, whichever the header has.

    AdminError when the header is unusable; a Fault in place of a row that has other columns than the header, or other
    rows within a quote.
    """
    stream = iter(lines)
    head = next(stream, "").removeprefix("\ufeff")
    delimiter = ";" if head.count(";") > head.count(",") else ","
    columns = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    _check_columns(columns)
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 2
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Fault(line, "", _no_csv(error, line, reader.line_num + 1))
            continue
        if not values:
            continue
        if (last := reader.line_num + 1) > line and _swallows(values, len(columns), delimiter):
            yield line, Fault(line, "", _swallowed(last))
            continue
        if len(values) != len(columns):
            yield line, Fault(line, "", f"expected {len(columns)} columns as in the header, not {len(values)}")
            continue
        yield line, {name: value.strip() for name, value in zip(columns, values, strict=True)}


def _swallows(values: list[str], columns: int, delimiter: str) -> bool:
    """Whether a row of several lines is not one with a break in a name: other members stand in it."""
    return len(values) != columns or any("\n" in value and delimiter in value for value in values)


def _swallowed(last: int) -> str:
    return f'expected the quote (") of this line to end: it was read with all lines to {last}'


def _no_csv(error: csv.Error, line: int, last: int) -> str:
    """Whoever lost a quote must hear that lines behind it were not read as lines of their own."""
    if last > line:
        return _swallowed(last)
    return 'expected the quote (") of this line to end' if "end of data" in str(error) else f"expected CSV: {error}"


def _check_columns(columns: list[str]) -> None:
    if len(columns) == 1 and "\t" in columns[0]:
        raise AdminError("expected commas or semicolons between the columns, not tabs: save the file as CSV UTF-8")
    for name in columns:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise AdminError(f"expected the columns {', '.join(COLUMNS)}, not {name[:60]!r}{hint}")
    if len(set(columns)) != len(columns):
        raise AdminError("expected each column once in the header")
    if not {"member_id", "phone", "card"} & set(columns):
        raise AdminError("expected a column member_id, phone or card in the header")
