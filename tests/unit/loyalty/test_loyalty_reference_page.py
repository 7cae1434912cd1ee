"""docs/reference/programme.md names what the code names."""

import re
from pathlib import Path

import till_loyalty
from till_loyalty import programme

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "programme.md").read_text(encoding="utf-8")
SOURCES = Path(till_loyalty.__file__).parent


def test_every_reason_code_is_documented_and_no_other() -> None:
    found = set()
    for path in SOURCES.glob("*.py"):
        found |= set(
            re.findall(
                r'"((?:no_(?:programme|member|rule)|member_|line_(?:excl|not)|redeem_|tier_un|rule_)\w*)"',
                path.read_text("utf-8"),
            )
        )
    found -= {"redeem_points", "redeem_points_invalid"}
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Reasons")[1].split("\n## ")[0], re.MULTILINE))
    assert found == documented


def test_every_field_of_a_programme_is_documented() -> None:
    for struct in (
        programme.Programme,
        programme.Rule,
        programme.Exclusion,
        programme.Redemption,
        programme.Identifiers,
        programme.CardRange,
        programme.Match,
    ):
        for field in struct.__struct_fields__:
            assert re.search(rf"[`.\[]{field}\b", PAGE), field


def test_every_refusal_code_is_documented() -> None:
    for name in ("identifiers", "returns"):
        source = (SOURCES / f"{name}.py").read_text("utf-8")
        for code in re.findall(r'code="(\w+)"', source):
            assert f"`{code}`" in PAGE, code
