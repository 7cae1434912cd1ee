"""From what Frontol sends to documents and calls: every spelling that is known, and what is missing made up for. Pure.

A field that is not there, null, or of another type than usual never stops a receipt, unless it is money.
"""

import contextlib
import itertools
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from till_agent.frontol.amounts import QUANTITY_DIGITS, product, units
from till_agent.frontol.exceptions import BadDocument
from till_agent.frontol.naming import document_uid, normal_uid
from till_agent.frontol.shapes import ClientCall, Document, Paid, Position, Who
from till_loyalty.receipt import LARGEST_AMOUNT_MINOR, LARGEST_QUANTITY_THOUSANDTHS, LINE_LIMIT

POSITION_INDEX_LIMIT = 10**6
"""As a line's number in a receipt."""
SKU_LENGTH = 100
NAME_LENGTH = 500
LABEL_LENGTH = 64
WHO_LENGTH = 2_000
VALUES_LIMIT = 50
"""Fields of a form; ours has eight."""
CODES_LIMIT = 50
_BOM = b"\xef\xbb\xbf"
_CODE_LENGTH = 100
_ONE_THOUSANDTHS = 1000
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?")
_RUSSIAN = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})[T ](\d\d:\d\d)(:\d\d)?")


def _exact(text: str) -> Decimal:
    """A number with a point or a power; NaN, which no amount is, where the power is beyond what Decimal takes."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


_decoder = msgspec.json.Decoder(float_hook=_exact)


def read_json(raw: bytes) -> Mapping[str, Any]:
    """The request's object, numbers exact; UTF-8, with a mark or without, or Windows' Cyrillic. BadDocument."""
    body = raw.removeprefix(_BOM)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        body = body.decode("cp1251", "replace").encode()
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadDocument(f"expected JSON: {type(exc).__name__}") from None
    if not isinstance(found, Mapping):
        raise BadDocument("expected a JSON object")
    return found


def read_document(found: Mapping[str, Any], exponent: int) -> Document:
    """A call of `/document`; `exponent`: digits of money after the point. BadDocument."""
    is_refund = _text(found, "type").lower() == "refundreceipt"
    till, shift, number = (_text(found, name)[:LABEL_LENGTH] for name in ("workPlace", "shift", "number"))
    uid = normal_uid(_text(found, "uid"))
    if not uid and number:
        uid = document_uid(till, shift, number)
    rows = _list(found, "positions") or _list(_object(found, "document"), "positions")
    if len(rows) > LINE_LIMIT:
        raise BadDocument(f"expected at most {LINE_LIMIT} positions, not {len(rows)}")
    cashier = _object(found, "cashier")
    payment = _object(found, "payment")
    return Document(
        action=_text(found, "action"),
        is_refund=is_refund,
        uid=uid,
        reference_uid=normal_uid(_text(found, "referenceUid")),
        local_time=local_time(_text(found, "dateTime")),
        till=till,
        number=number,
        shift=shift,
        cashier=(_text(cashier, "name") or _text(cashier, "text") or _text(cashier, "code"))[:LABEL_LENGTH],
        who=_who(found),
        codes=_codes(found, rows),
        positions=_positions(rows, exponent, is_refund=is_refund),
        discarded_minor=_discarded(found, rows, exponent),
        payment=_paid(payment, exponent, is_refund=is_refund) if payment else None,
        payments=tuple(
            _paid(row, exponent, is_refund=is_refund)
            for row in _list(found, "payments")
            if isinstance(row, Mapping) and row
        ),
    )


def read_client_call(found: Mapping[str, Any]) -> ClientCall:
    """A call of `/client` or `/extra/client`."""
    rows = [row for row in _list(found, "values")[:VALUES_LIMIT] if isinstance(row, Mapping)]
    values = {_text(row, "name"): _text(row, "value")[:NAME_LENGTH].strip() for row in rows}
    return ClientCall(action=_text(found, "action"), who=_who(found), values=values)


def local_time(text: str) -> str:
    """`YYYY-MM-DDTHH:MM:SS` of the till's own clock, which is what stands before the zone; "" for no time."""
    if match := _ISO.match(text.strip()):
        found = f"{match[1]}T{match[2]}{match[3] or ':00'}"
    elif match := _RUSSIAN.match(text.strip()):
        found = f"{match[3]}-{match[2]}-{match[1]}T{match[4]}{match[5] or ':00'}"
    else:
        return ""
    try:
        datetime.fromisoformat(found)
    except ValueError:
        return ""
    return found


def _positions(rows: list[Any], exponent: int, *, is_refund: bool) -> tuple[Position, ...]:
    found: list[Position] = []
    taken: set[int] = set()
    spare = itertools.count(1)
    for place, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise BadDocument(f"expected an object as position {place}, not {type(row).__name__}")
        position = _position(row, place, exponent, is_refund=is_refund)
        if position.index in taken:
            position = msgspec.structs.replace(position, index=next(number for number in spare if number not in taken))
        taken.add(position.index)
        found.append(position)
    return tuple(found)


def _position(row: Mapping[str, Any], place: int, exponent: int, *, is_refund: bool) -> Position:
    name = _text(row, "text")
    quantity = _amount(row, "quantity", QUANTITY_DIGITS, LARGEST_QUANTITY_THOUSANDTHS, is_refund, _ONE_THOUSANDTHS)
    price = _amount(row, "price", exponent, LARGEST_AMOUNT_MINOR, is_refund)
    return Position(
        index=_index(row.get("index")) or place,
        sku=(_text(row, "id").strip() or name.strip() or f"position-{place}")[:SKU_LENGTH],
        name=name[:NAME_LENGTH],
        quantity_thousandths=quantity,
        price_minor=price,
        total_minor=_amount(row, "totalAmount", exponent, LARGEST_AMOUNT_MINOR, is_refund, product(price, quantity)),
        minimum_price_minor=_amount(row, "minimumPrice", exponent, LARGEST_AMOUNT_MINOR, is_refund),
        reference_index=_index(row.get("referenceIndex")),
    )


def _discarded(found: Mapping[str, Any], rows: list[Any], exponent: int) -> int:
    """What rounding took off, said of the document or of its positions; what is no number there is 0."""
    total = 0
    for row in (found, *rows):
        with contextlib.suppress(BadDocument):
            total += units(row.get("discardedAmount") or 0, exponent, "discardedAmount")
    return abs(total)


def _paid(row: Mapping[str, Any], exponent: int, *, is_refund: bool) -> Paid:
    return Paid(
        kind=_text(row, "type")[:40],
        fiscal=_text(row, "mode").lower() != "nonfiscal",
        amount_minor=_amount(row, "amount", exponent, LARGEST_AMOUNT_MINOR, is_refund),
    )


def _amount(row: Mapping[str, Any], name: str, digits: int, largest: int, is_refund: bool, missing: int = 0) -> int:
    """Some versions may write what comes back with a minus; on a sale a minus is a fault."""
    value = row.get(name)
    if value is None or value == "":
        return missing
    found = units(value, digits, name)
    if is_refund:
        found = abs(found)
    if not 0 <= found <= largest:
        raise BadDocument(f"expected {name} from 0 to {largest} smallest units, not {found}")
    return found


def _who(found: Mapping[str, Any]) -> Who:
    client = _object(found, "client")
    return Who(
        phone=_text(client, "mobilePhone").strip()[:WHO_LENGTH],
        card=_text(client, "card").strip()[:WHO_LENGTH],
        code=_text(client, "validationCode").strip()[:LABEL_LENGTH],
    )


def _codes(found: Mapping[str, Any], rows: list[Any]) -> tuple[str, ...]:
    """Coupons of the document and of its positions, each once; a coupon may be a text or an object with its code."""
    named = [*_list(found, "coupons")]
    for row in rows:
        if isinstance(row, Mapping):
            named += _list(row, "coupons")
    codes: dict[str, None] = {}
    for each in named:
        text = each if not isinstance(each, Mapping) else each.get("code") or each.get("text") or each.get("number")
        code = _plain(text).strip()
        if code:
            codes.setdefault(code[:_CODE_LENGTH])
    return tuple(codes)[:CODES_LIMIT]


def _index(value: object) -> int:
    """A position's index; 0 when it is none."""
    try:
        found = units(value, 0, "index")
    except BadDocument:
        return 0
    return found if 1 <= found <= POSITION_INDEX_LIMIT else 0


def _object(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    return value if isinstance(value, list) else []


def _text(found: Mapping[str, Any], name: str) -> str:
    return _plain(found.get(name))


def _plain(value: object) -> str:
    """A text or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) <= NAME_LENGTH:
        return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
    return ""
