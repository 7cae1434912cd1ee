"""Slips to look at: made-up members and receipts, a situation each, in the words of every language."""

from typing import Any

from msgspec.structs import replace

from till_drivers.slips.facts import Later, Offer, Row, SlipFacts
from till_drivers.slips.words import DAY_MS, HOUR_MS, SlipWords
from till_loyalty.slips import qr_text

AT_MS = 1_763_739_727_000
ZONE = "Asia/Almaty"
SITUATIONS = (
    "usual",
    "offline",
    "debt",
    "new-member",
    "unknown",
    "blocked",
    "provisional",
    "expiring",
    "offers",
    "no-rules",
    "large",
    "no-member",
)
SAID = {
    "usual": "spent, earned, discounts, coupons, points to come",
    "offline": "no line since yesterday: an old balance, a part of it unconfirmed",
    "debt": "goods came back whose points are spent",
    "new-member": "the first purchase, nothing confirmed yet",
    "unknown": "somebody this till knows by a telephone number only",
    "blocked": "a blocked card",
    "provisional": "registered, not confirmed yet",
    "expiring": "points that end in a few days",
    "offers": "coupons that the member holds, the chain's note and QR code",
    "no-rules": "a till without a programme: the cloud works the points out",
    "large": "long names and large numbers",
    "no-member": "a receipt of nobody",
}
TITLES = {
    "ru": ("Серебро", "Неделя молока", "За покупку", "Подарок дня", "Купон на фрукты", "Магазин на Абая"),
    "kk": ("Күміс", "Сүт апталығы", "Сатып алу үшін", "Күн сыйлығы", "Жеміс купоны", "Абай көшесіндегі дүкен"),
    "ky": ("Күмүш", "Сүт жумалыгы", "Сатып алуу үчүн", "Күн белеги", "Жемиш купону", "Абай көчөсүндөгү дүкөн"),
    "uk": ("Срібло", "Тиждень молока", "За покупку", "Подарунок дня", "Купон на фрукти", "Крамниця на Хрещатику"),
    "en": ("Silver", "Milk week", "For the purchase", "Gift of the day", "Fruit coupon", "Shop on Abay Avenue"),
}
"""A tier, a discount, two rules, another discount and a store, as a chain would call them."""
NOTES = {
    "ru": "По пятницам бонусов вдвое больше",
    "kk": "Жұма күндері бонус екі есе көп",
    "ky": "Жума күндөрү бонус эки эсе көп",
    "uk": "Щоп'ятниці бонусів удвічі більше",
    "en": "Twice the points on Fridays",
}
QR = "https://example.test/r/{uid}"
LONG = "Салтанат-Гүлбаршын Нұрмұхамедқызы Ә."


def sample_facts(kind: str, words: SlipWords, situation: str = "usual") -> SlipFacts:
    """Facts of a kind of slip in one of SITUATIONS; KeyError for another."""
    facts = _usual(kind, words)
    return replace(facts, **_CHANGES[situation](facts, words)) if situation != "usual" else facts


def _usual(kind: str, words: SlipWords) -> SlipFacts:
    tier, week, purchase, gift, fruit, store = TITLES[words.language]
    whole: dict[str, Any] = {
        "kind": kind,
        "store": store,
        "moment": words.moment(AT_MS, ZONE),
        "number": "" if kind == "quote" else "118",
        "uid": "" if kind == "quote" else "c-000118",
        "has_member": True,
        "known": True,
        "status": "active",
        "name": "Мария К.",
        "phone": "+7 *** ***-45-67",
        "tier": "standard",
        "tier_title": tier,
        "before": 412,
        "as_of": words.moment(AT_MS - 20_000, ZONE),
    }
    if kind in ("return", "void"):
        # Cash software that tells no number of a receipt: then people know it by its time.
        original = "117" if kind == "return" else f"{words.moment(AT_MS - HOUR_MS, ZONE)}, 000117"
        return SlipFacts(**whole, original=original, original_uid="c-000117", taken=57, given_back=100, after=455)
    whole |= {
        "earned": 57,
        "redeemed": 100,
        "discounts": (Row(week, 2_990), Row(fruit, 1_500)),
        "discount_minor": 4_490,
        "coupons": ("MILK10",),
        "earned_by": (Row(purchase, 32), Row(gift, 25)),
        "later": (Later(words.date(AT_MS + 14 * DAY_MS, ZONE), 25),),
        "expiring_points": 40,
        "expiring_date": words.date(AT_MS + 9 * DAY_MS, ZONE),
        "unconfirmed": 57,
    }
    if kind == "quote":
        whole |= {"after": 412, "can_redeem": 300, "unconfirmed": 0}
        return SlipFacts(**whole)
    return SlipFacts(**whole, after=369)


def _offline(_facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    then = AT_MS - 26 * HOUR_MS
    return {"offline": True, "as_of": words.moment(then, ZONE), "age": words.age(26 * HOUR_MS), "unconfirmed": 121}


def _debt(facts: SlipFacts, _words: SlipWords) -> dict[str, Any]:
    if facts.kind in ("return", "void"):
        return {"before": 11, "taken": 32, "given_back": 0, "after": -21}
    return {"before": -78, "redeemed": 0, "after": -21, "expiring_points": 0, "can_redeem": 0}


def _new(facts: SlipFacts, _words: SlipWords) -> dict[str, Any]:
    plain: dict[str, Any] = {"discounts": (), "discount_minor": 0, "coupons": (), "earned_by": (), "later": ()}
    return plain | {
        "before": 0,
        "redeemed": 0,
        "after": facts.earned,
        "as_of": "",
        "expiring_points": 0,
        "can_redeem": 0,
    }


def _unknown(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    return _new(facts, words) | {"known": False, "status": "unknown", "name": "", "tier": "", "tier_title": ""}


def _blocked(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    nothing = {"earned": 0, "redeemed": 0, "unconfirmed": 0, "can_redeem": 0}
    return _new(facts, words) | nothing | {"status": "blocked", "before": 412, "after": 412, "as_of": facts.as_of}


def _provisional(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    return _new(facts, words) | {"status": "provisional"}


def _expiring(_facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    return {"expiring_points": 101, "expiring_date": words.date(AT_MS + 2 * DAY_MS, ZONE), "inactive": 22}


def _offers(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    _, week, _, gift, fruit, _ = TITLES[words.language]
    rows = (Offer(fruit, words.date(AT_MS + 30 * DAY_MS, ZONE)), Offer(week, words.date(AT_MS + 5 * DAY_MS, ZONE)))
    slips = replace(words.programme.slips, qr=words.programme.slips.qr or QR)
    address = qr_text(slips, uid=facts.uid, number=facts.number, kind=facts.kind, language=words.language)
    note = words.programme.slips.note.get(words.language, "") or NOTES[words.language]
    return {"offers": (*rows, Offer(gift, "")), "note": note, "qr": address if facts.uid else ""}


def _no_rules(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    return _new(facts, words) | {"earned": 0, "has_rules": False, "before": 412, "after": 412, "as_of": facts.as_of}


def _large(facts: SlipFacts, _words: SlipWords) -> dict[str, Any]:
    large = {"before": 12_345_611, "earned": 1_234_521, "redeemed": 1_000_002, "after": 12_580_130, "taken": 1_234_521}
    return large | {"name": LONG, "store": f"{facts.store} / {LONG}", "number": "0000000118-000000000042", "age": ""}


def _nobody(facts: SlipFacts, words: SlipWords) -> dict[str, Any]:
    nobody = {"has_member": False, "known": False, "status": "", "phone": "", "earned": 0, "after": 0}
    return _unknown(facts, words) | nobody


_CHANGES = {
    "offline": _offline,
    "debt": _debt,
    "new-member": _new,
    "unknown": _unknown,
    "blocked": _blocked,
    "provisional": _provisional,
    "expiring": _expiring,
    "offers": _offers,
    "no-rules": _no_rules,
    "large": _large,
    "no-member": _nobody,
}
