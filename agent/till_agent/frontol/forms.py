"""The form by which Frontol asks a new member's data, and what comes back in it. Pure.

Elements are label, inputLine and comboBox, as Frontol shows them one below the other.
"""

import re
from collections.abc import Mapping
from typing import Any

from till_agent.frontol.answers import Body
from till_agent.frontol.shapes import ClientCall
from till_agent.member_api import ConsentGiven, MemberCreate
from till_agent.texts import Words
from till_loyalty.programme import Registration

PHONE, CARD, NAME, BIRTH, SEX, REFERRER = "phone", "card", "name", "birthDate", "sex", "referrer"
CONSENT, WAY, CODE = "consent", "way", "code"
YES, NO = "yes", "no"
BY_CODE, AGAIN, WITHOUT = "code", "again", "none"
SEXES = ("female", "male")
_DATE = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})")
_CODE = re.compile(r"[0-9]{4,8}")


def form(registration: Registration, words: Words, *, ask_phone: bool, ask_card: bool, sends_codes: bool) -> Body:
    """What to ask of a new member: what the programme wants, their consent, and the code that proves the phone."""
    elements: list[Body] = []
    if ask_phone:
        elements.append(_input(PHONE, words.frontol("form_phone")))
    for wish in registration.ask:
        if wish == "name":
            elements.append(_input(NAME, words.frontol("form_name")))
        elif wish == "birth_date":
            elements.append(_input(BIRTH, words.frontol("form_birth_date"), pattern=r"^(\d{2}\.\d{2}\.\d{4})?$"))
        elif wish == "sex":
            items = [("", words.frontol("form_sex_unknown"))]
            items += [(sex, words.frontol(f"form_{sex}")) for sex in SEXES]
            elements.append(_choice(SEX, words.frontol("form_sex"), [("unknown", items[0][1]), *items[1:]]))
        elif wish == "referrer":
            elements.append(_input(REFERRER, words.frontol("form_referrer")))
        elif wish == "card" and ask_card:
            elements.append(_input(CARD, words.frontol("form_card")))
    consent = consent_text(registration, words.language)
    if consent:
        elements.append({"type": "label", "text": consent, "alignment": "left", "weight": "normal", "size": "small"})
    choices = [(NO, words.frontol("form_no")), (YES, words.frontol("form_yes"))]
    elements.append(_choice(CONSENT, words.frontol("form_consent"), choices))
    if sends_codes:
        ways = [(BY_CODE, "form_way_code"), (AGAIN, "form_way_again"), (WITHOUT, "form_way_none")]
        items = [(value, words.frontol(text)) for value, text in ways]
        elements.append(_choice(WAY, words.frontol("form_way"), items))
        elements.append(_input(CODE, words.frontol("form_code"), pattern="^([0-9]{4,8})?$"))
    return {"title": {"text": words.frontol("form_title")}, "elements": elements}


def consent_text(registration: Registration, language: str) -> str:
    """In the cashier's language, else in one that the chain has."""
    texts = registration.consent
    return texts.get(language) or texts.get("ru") or next(iter(texts.values()), "")


def filled(call: ClientCall, uid: str, attempt: int, registration: Registration) -> MemberCreate:
    """The registration that the form asks for."""
    values = call.values
    phone, card = call.who.phone or values.get(PHONE, ""), call.who.card or values.get(CARD, "")
    code = values.get(CODE, "") or call.who.code
    sex = values.get(SEX, "")
    return MemberCreate(
        uid=uid,
        phone=phone or None,
        card=card or None,
        name=values.get(NAME, "")[:200],
        birth_date=iso_date(values.get(BIRTH, "")),
        sex=sex if sex in SEXES else "",  # type: ignore[arg-type]  # one of the type's own list
        referrer=values.get(REFERRER, "")[:40],
        consent=ConsentGiven(version=registration.consent_version, given=True) if agreed(values) else None,
        code=code if _CODE.fullmatch(code) and values.get(WAY) != AGAIN else "",
        attempt=attempt,
        without_code=values.get(WAY) == WITHOUT,
    )


def agreed(values: Mapping[str, str]) -> bool:
    """Whether the person agrees; Frontol hands back the item's value, or its text by some versions."""
    return values.get(CONSENT, "").lower() in (YES, "да", "true", "1")


def iso_date(text: str) -> str:
    """`31.01.1990` as `1990-01-31`; "" for none. What is no date stays what it is, and is refused as such."""
    match = _DATE.fullmatch(text.strip())
    return f"{match[3]}-{match[2]}-{match[1]}" if match else text.strip()


def _input(name: str, text: str, *, pattern: str = "") -> Body:
    body: dict[str, Any] = {"type": "inputLine", "name": name, "text": text, "default": ""}
    return body | ({"regExp": pattern} if pattern else {})


def _choice(name: str, text: str, items: list[tuple[str, str]]) -> Body:
    """The first item is what stands there until something is chosen."""
    listed = [{"value": value, "text": shown} for value, shown in items]
    return {"type": "comboBox", "name": name, "text": text, "default": items[0][0], "items": listed}
