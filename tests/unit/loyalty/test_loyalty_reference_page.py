"""docs/reference/programme.md names what the code names."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

from msgspec import Struct

import till_loyalty
from till_loyalty import programme, rule_parts

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "programme.md").read_text(encoding="utf-8")
SOURCES = Path(till_loyalty.__file__).parent


def test_every_reason_code_is_documented_and_no_other() -> None:
    found = set()
    prefixes = r"no_(?:programme|member|rule)|member_|line_(?:excl|not)|redeem_|tier_un|rule_|coupon_[unrw]|proof_n"
    for name in ("engine", "plan", "accrual", "discounts", "limits", "coupons", "redemption"):
        found |= set(re.findall(rf'"((?:{prefixes})\w*)"', (SOURCES / f"{name}.py").read_text("utf-8")))
    found |= {f"rule_limited_by_{per}" for per in get_args(get_type_hints(rule_parts.Limit)["per"])}
    found -= {"redeem_points", "redeem_points_invalid"}
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.split("## Reasons")[1].split("\n## ")[0], re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert found == documented


def test_every_field_of_a_programme_is_documented() -> None:
    for struct in (
        programme.Programme,
        programme.Rule,
        programme.Exclusion,
        programme.Redemption,
        programme.Identifiers,
        programme.CardRange,
        programme.Tier,
        programme.Event,
        programme.Registration,
        programme.Match,
        *[each for each in vars(rule_parts).values() if isinstance(each, type) and issubclass(each, Struct)],
    ):
        for field in struct.__struct_encode_fields__:
            assert re.search(rf"[`.\[{{,] ?{field}\b", PAGE), field


def test_every_refusal_code_is_documented() -> None:
    for name in ("identifiers", "returns", "taken"):
        source = (SOURCES / f"{name}.py").read_text("utf-8")
        for code in re.findall(r'(?:code="|"(?=discount_))(\w+)"', source):
            assert f"`{code}`" in PAGE, code
