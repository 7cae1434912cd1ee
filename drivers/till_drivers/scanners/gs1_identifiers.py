"""The application identifiers of GS1 element strings and the form of their values, from GS1's General Specifications.

A form is written as there: `N6` six digits, `N..8` one to eight, `X..20` one to twenty letters, digits and signs, `[ ]`
what may be left out. `c` is a check digit at the end of the first part, `d` a date YYMMDD at the beginning.
"""

import functools
import re

from msgspec import Struct

_FORMS = """
00 N18 c|01-03 N14 c|10 X..20|11-13 N6 d|15-17 N6 d|20 N2|21-22 X..20|235 X..28|240-241 X..30|242 N..6|243 X..20
250-251 X..30|253 N13[X..17] c|254 X..20|255 N13[N..12] c|30 N..8|3100-3165 N6|3200-3375 N6|3400-3575 N6|3600-3695 N6
37 N..8|3900-3909 N..15|3910-3919 N3N..15|3920-3929 N..15|3930-3939 N3N..15|3940-3943 N4|3950-3955 N6
400-401 X..30|402 N17 c|403 X..30|410-417 N13 c|420 X..20|421 N3X..9|422 N3|423 N..15|424 N3|425 N..15|426 N3|427 X..3
4300-4301 X..35|4302-4306 X..70|4307 X2|4308 X..30|4309 N20|4310-4311 X..35|4312-4316 X..70|4317 X2|4318 X..20
4319 X..30|4320 X..35|4321-4323 N1|4324-4325 N10 d|4326 N6 d|4330-4333 N6[X1]
7001 N13|7002 X..30|7003 N10 d|7004 N..4|7005 X..12|7006 N6 d|7007 N6[N6] d|7008 X..3|7009 X..10|7010 X..2
7011 N6[N4] d|7020-7022 X..20|7023 X..30|7030-7039 N3X..27|7040 N1X3|7041 X..4|710-716 X..20|7230-7239 X2X..28
7240 X..20|7241 N2|7242 X..25|7250 N8|7251 N12|7252 N1|7253-7254 X..40|7255 X..10|7256 X..90|7257 X..70|7258 X3
7259 X..40|8001 N14|8002 X..20|8003 N14[X..16] c|8004 X..30|8005 N6|8006 N14N4 c|8007 X..34|8008 N8[N..4] d|8009 X..50
8010 X..30|8011 N..12|8012 X..20|8013-8014 X..25|8017-8018 N18 c|8019 N..10|8020 X..25|8026 N14N4 c|8030 X..90
8110 X..70|8111 N4|8112 X..70|8200 X..70|90 X..30|91-99 X..90
"""
_CHARACTERS = {"N": "[0-9]", "X": r"""[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z#]"""}
"""`X` is the invariant part of ISO/IEC 646; `#` is in the part for component ids only, and does no harm elsewhere."""
_PART = re.compile(r"(\[)?([NX])(\.\.)?([0-9]+)\]?")
_PREDEFINED = {
    "00": 18,
    **dict.fromkeys(("01", "02", "03"), 14),
    "04": 16,
    **dict.fromkeys(("11", "12", "13", "14", "15", "16", "17", "18", "19"), 6),
    "20": 2,
    **dict.fromkeys(("31", "32", "33", "34", "35", "36"), 6),
    "41": 13,
}
"""Lengths of values that need no separator behind them, by the first two digits of the identifier: fixed for ever."""
MEASURES = re.compile(r"3[1-6][0-9][0-5]")
"""Identifiers whose last digit tells how many decimals their six digits have."""
LONGEST_IDENTIFIER = 4


class Form(Struct, frozen=True):
    """What a value looks like. `length` is 0 where a separator or the end of the code ends it."""

    pattern: re.Pattern[str]
    length: int
    checked: int
    """Digits at the beginning of which the last is a check digit; 0: none."""
    is_date: bool


@functools.cache
def forms() -> dict[str, Form]:
    """Every identifier that is assigned, two to four digits. Made when the first code asks: most tills have none."""
    table = {}
    for entry in _FORMS.strip().replace("\n", "|").split("|"):
        identifiers, parts, *flags = entry.split()
        first, _, last = identifiers.partition("-")
        pattern, checked = _pattern(parts)
        for number in range(int(first), int(last or first) + 1):
            identifier = str(number).zfill(len(first))
            if identifier.startswith(("31", "32", "33", "34", "35", "36")) and not MEASURES.fullmatch(identifier):
                continue
            length = _PREDEFINED.get(identifier[:2], 0)
            table[identifier] = Form(pattern, length, checked if "c" in flags else 0, is_date="d" in flags)
    return table


@functools.cache
def _pattern(parts: str) -> tuple[re.Pattern[str], int]:
    """What the parts of a form match, and how long the first is."""
    pattern, first = "", 0
    for optional, kind, up_to, length in _PART.findall(parts):
        piece = f"{_CHARACTERS[kind]}{{{'1,' if up_to else ''}{length}}}"
        pattern += f"(?:{piece})?" if optional else piece
        first = first or int(length)
    return re.compile(pattern), first
