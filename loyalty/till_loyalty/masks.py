"""What may be shown or logged of a phone, a card or a name: enough for a cashier to be sure, never the whole."""

SHORT_PHONE_DIGITS = 8
"""National numbers shorter than this show two digits only: four would be half of the number."""
SHORT_CARD_DIGITS = 8
NAME_LIMIT = 40


def mask_phone(e164: str) -> str:
    """`+79161231234` -> `+7 *** ***-12-34`, for any country; "" for an empty text."""
    if not e164:
        return ""
    country, national = _split_country(e164)
    shown = f"***-{national[-4:-2]}-{national[-2:]}" if len(national) >= SHORT_PHONE_DIGITS else f"**-{national[-2:]}"
    return f"{country} *** {shown}".strip()


def mask_card(digits: str) -> str:
    """`2900000000123` -> `**** 0123`; a short number shows two digits; "" for an empty text."""
    if not digits:
        return ""
    return f"**** {digits[-4:] if len(digits) >= SHORT_CARD_DIGITS else digits[-2:]}"


def mask_name(name: str) -> str:
    """`Anna Maria Karenina` -> `Anna K.`: the first word, and the first letter of the last. Write given names first."""
    words = name.split()
    if not words:
        return ""
    first = words[0][:NAME_LIMIT]
    return first if len(words) == 1 else f"{first} {words[-1][0].upper()}."


def _split_country(e164: str) -> tuple[str, str]:
    """`+7`, `9161231234`; no country where the text is not an E.164 number."""
    import phonenumbers

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return "", "".join(character for character in e164 if character.isdigit())
    country = f"+{number.country_code}"
    return country, e164.removeprefix(country)
