"""`programme simulate` and `diff`, and the published schema."""

from pathlib import Path

import msgspec
from click.testing import CliRunner

from till_loyalty.cli import programme as command
from till_loyalty.document_schema import programme_schema
from till_loyalty.programme_document import example_text
from till_loyalty.receipt import MemberState
from till_loyalty.simulation import Past
from unit.loyalty.loyalty_support import CLOCK, receipt

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "programme.schema.json"


def files(folder: Path) -> tuple[str, str, str]:
    one, other, sales = folder / "one.toml", folder / "other.toml", folder / "sales.jsonl"
    one.write_text(example_text("x5"), encoding="utf-8")
    other.write_text(example_text("x5").replace("per_minor = 1000", "per_minor = 500"), encoding="utf-8")
    pasts = [
        Past(receipt=receipt(10_000), clock=CLOCK),
        Past(receipt=receipt(60_000), clock=CLOCK, member=MemberState(spendable_points=100), redeem_points=-1),
    ]
    sales.write_bytes(b"\n".join([msgspec.json.encode(past) for past in pasts]) + b"\n\n")
    return str(one), str(other), str(sales)


def test_simulate_tells_totals_and_each_rule(tmp_path: Path) -> None:
    one, _, sales = files(tmp_path)
    result = CliRunner().invoke(command, ["simulate", one, sales])
    assert result.exit_code == 0
    for told in (
        "receipts: 2",
        "total_minor: 70000",
        "redeemed_minor: 1000",
        "earned_points: 64",
        "points of two-tier: 64",
    ):
        assert told in result.stdout


def test_diff_tells_what_changes_and_nothing_else(tmp_path: Path) -> None:
    one, other, sales = files(tmp_path)
    told = CliRunner().invoke(command, ["diff", one, other, sales]).stdout
    assert "earned_points: 64 -> 123 (+59)" in told
    assert "total_minor" not in told
    assert "no figure changes" in CliRunner().invoke(command, ["diff", one, one, sales]).stdout


def test_a_bad_receipt_is_told_by_its_line(tmp_path: Path) -> None:
    one, _, sales = files(tmp_path)
    Path(sales).write_text('\n{"receipt": 5}\n', encoding="utf-8")
    result = CliRunner().invoke(command, ["simulate", one, sales])
    assert result.exit_code == 1
    assert "line 2: expected a receipt" in result.stderr


def test_the_published_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == programme_schema()
