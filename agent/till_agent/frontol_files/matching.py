"""A document of a report against the journal: the same sale, or none.

By uid first; then by shift and number, which cash software names with each sale; then, for what names neither, by
amount and time. Sales that were accrued from a report are not looked at: they are what is asked about.
"""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from till_agent.frontol.naming import document_uid
from till_agent.frontol_files.documents import Document
from till_agent.frontol_files.records import DocumentRecord, SoldRecord
from till_agent.frontol_files.store import Store

SAME_NUMBER = timedelta(days=3)
"""Clocks may be off; a number comes again when Frontol's database begins anew, weeks later at the least."""
SAME_MOMENT = timedelta(minutes=10)
"""Between a till's receipt and its call of the bridge: the same minute, or some minutes with tries."""
LIMIT = 20

How = Literal["uid", "number", "amount"]


class Match(Struct, frozen=True):
    """The journal's sale or return, and what tells that it is the one."""

    sold: SoldRecord
    how: How


def match(store: Store, record: DocumentRecord, document: Document) -> Match | None:
    """What the journal has of a document; None when it has nothing."""
    kind = "return" if document.kind == "return" else "sale"
    own = own_uids(store, record)
    uids = (document.uid, document_uid(document.till, document.shift, document.number))
    by_uid = [
        each
        for each in store.sold("kind = ? AND uid IN (?, ?)", (kind, *uids))
        if each.uid not in own and (each.uid == document.uid or _apart(each, document.local_time) <= SAME_NUMBER)
    ]
    if by_uid:
        return Match(by_uid[0], "uid")
    if kind == "sale":
        values = (kind, document.number, document.shift, record.id, LIMIT)
        numbered = store.sold("kind = ? AND number = ? AND shift = ? AND document IN (0, ?) LIMIT ?", values)
        near = [each for each in numbered if each.uid not in own and _apart(each, document.local_time) <= SAME_NUMBER]
        if near:
            return Match(min(near, key=lambda each: _apart(each, document.local_time)), "number")
    return _by_amount(store, record, document, kind, own) if document.kind != "cancel" else None


def sold_twice(store: Store, document: Document, one: SoldRecord) -> SoldRecord | None:
    """Another sale of the same receipt, under another uid: two ways from Frontol to the bridge are on at one till."""
    values = (document.number, document.shift, one.uid, LIMIT)
    others = store.sold("kind = 'sale' AND voided = 0 AND number = ? AND shift = ? AND uid <> ? LIMIT ?", values)
    near = [each for each in others if _apart(each, one.local_time) <= SAME_MOMENT]
    return near[0] if near and not one.voided and one.number == document.number else None


def own_uids(store: Store, record: DocumentRecord) -> frozenset[str]:
    """Of the document's own uid, if it has been accrued under it or is about to be."""
    states = [each.state for each in store.by_uid(record.uid)]
    return frozenset({record.uid} if {"accruing", "accrued", "withdrawn"} & {*states} else ())


def _by_amount(
    store: Store, record: DocumentRecord, document: Document, kind: str, own: frozenset[str]
) -> Match | None:
    try:
        at = datetime.fromisoformat(document.local_time)
    except ValueError:
        return None
    amount = document.goods_minor if kind == "sale" else document.total_minor + document.bonus_minor
    values = (
        kind,
        (at - SAME_MOMENT).isoformat(),
        (at + SAME_MOMENT).isoformat(),
        record.id,
        LIMIT,
    )
    found = store.sold("kind = ? AND local_time BETWEEN ? AND ? AND document IN (0, ?) LIMIT ?", values)
    amounts = {amount, document.total_minor}
    fits = [
        each
        for each in found
        if each.uid not in own
        and each.goods_minor in amounts
        and (kind == "return" or not (each.number and each.shift))
    ]
    return Match(min(fits, key=lambda each: _apart(each, document.local_time)), "amount") if fits else None


def differences(document: Document, found: Match) -> list[str]:
    """What the report says otherwise than the journal, each as `name: report, journal`."""
    sold = found.sold
    if document.kind != "sale":
        return []
    said: list[str] = []
    if document.goods_minor != sold.goods_minor:
        said.append(f"goods: {document.goods_minor}, {sold.goods_minor}")
    if document.bonus_minor != sold.redeemed_minor:
        said.append(f"paid by points: {document.bonus_minor}, {sold.redeemed_minor}")
    if document.earned_minor and document.earned_minor != sold.earned_minor:
        said.append(f"earned: {document.earned_minor}, {sold.earned_minor}")
    if sold.voided:
        said.append("state: sold, voided")
    return said


def _apart(sold: SoldRecord, local_time: str) -> timedelta:
    try:
        return abs(datetime.fromisoformat(sold.local_time) - datetime.fromisoformat(local_time))
    except ValueError:
        return timedelta.max
