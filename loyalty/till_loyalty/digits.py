"""Check digits: GTIN (EAN-13, EAN-8, UPC-A) and Luhn. Digits are ASCII only."""

EAN13_LENGTH = 13
GTIN_LENGTHS = (8, 12, 13, 14)


def is_digits(text: str) -> bool:
    """True for one or more ASCII digits; other scripts' digits look alike and must not slip through."""
    return text.isascii() and text.isdigit()


def gtin_check_digit(body: str) -> str:
    """Check digit of a GTIN whose other digits are `body`: weights 3, 1, 3, ... from the right."""
    total = 3 * sum(map(int, body[-1::-2])) + sum(map(int, body[-2::-2]))
    return str(-total % 10)


def is_gtin(digits: str) -> bool:
    """True for an EAN-8, UPC-A, EAN-13 or GTIN-14 with a right check digit."""
    return is_digits(digits) and len(digits) in GTIN_LENGTHS and gtin_check_digit(digits[:-1]) == digits[-1]


def is_ean13(digits: str) -> bool:
    """True for 13 digits with a right check digit."""
    return len(digits) == EAN13_LENGTH and is_gtin(digits)


def luhn_check_digit(body: str) -> str:
    """Check digit by Luhn of a number whose other digits are `body`."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def is_luhn(digits: str) -> bool:
    """True for two or more digits whose last is the Luhn check digit of the others."""
    return len(digits) > 1 and is_digits(digits) and luhn_check_digit(digits[:-1]) == digits[-1]
