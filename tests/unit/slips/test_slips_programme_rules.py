"""What slips tell of discounts, coupons, rules, tiers and points to come; in five languages, two widths."""

import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fakes.till import ANNA_CARD, IDENTITY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import DiscountTaken, Identify, QuoteRequest, SaleRequest
from till_agent.slips.compose import compose_entry
from till_agent.slips.preview import preview_text
from till_agent.texts import LANGUAGES, Words
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.template import default_template
from till_loyalty.programme import Rule, Tier
from till_loyalty.rule_parts import Coupon, Discount, Life, Who

ANNA = Identify(card=ANNA_CARD)
GOLDEN = Path(__file__).parent / "golden"
RULES = replace(
    PROGRAMME,
    tiers=(Tier(id="standard", title={"ru": "Серебро", "en": "Silver"}),),
    rules=(
        Rule(id="base", percent_basis_points=500, title={"ru": "За покупку", "en": "For the purchase"}),
        Rule(id="later", points=25, life=Life(activates_after_days=14), title={"ru": "Подарок", "en": "Gift"}),
        Rule(
            id="milk",
            discount=Discount(percent_basis_points=1_000),
            who=Who(coupon="milk"),
            title={"ru": "Неделя молока", "en": "Milk week"},
        ),
    ),
    coupons=(Coupon(id="milk", codes=("MILK10",), title={"ru": "Молоко", "en": "Milk"}),),
)
TAKEN = DiscountTaken(rule="milk", line=1, amount_minor=10_000)


def till() -> FakeTill:
    """Anna with 40 points that the cloud says are not active yet."""
    return FakeTill(programme=RULES, columns=32).know(anna(inactive=40))


@pytest.mark.parametrize("columns", [48, 32])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sale_by_the_whole_programme_reads_as_it_should(language: str, columns: int) -> None:
    """Against files that a person has read; `TILLSIDE_WRITE_GOLDEN=1` writes them anew."""
    at = till()
    request = SaleRequest(receipt=receipt(100_000, 23_450), member=ANNA, codes=("MILK10",), discounts=(TAKEN,))
    at.run(at.desk.sell("u1", request))
    blocks = compose_entry(
        at.journal.entries[0],
        Words(language, RULES),
        store_name=IDENTITY.store_name,
        time_zone=IDENTITY.time_zone,
    )
    text = preview_text(blocks, columns)
    assert max(map(len, text.splitlines())) <= columns
    path = GOLDEN / f"rules-{language}-{columns}.txt"
    if os.environ.get("TILLSIDE_WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_the_quotes_preview_tells_the_same_before_the_sale() -> None:
    """The discount that is offered, and what the receipt would give by which rule."""
    at = till()
    asked = at.run(at.desk.quote(QuoteRequest(receipt=receipt(100_000), member=ANNA, codes=("MILK10",), language="en")))
    lines = [" ".join(line.split()) for line in asked.slip_preview.splitlines()]
    assert {"Discount -100.00", "- Milk week 100.00", "Coupons Milk", "- Gift 25", "Tier Silver"} <= set(lines)


def test_more_rules_than_fit_are_one_row() -> None:
    """Four are named."""
    rules = tuple(Rule(id=f"r{number}", points=number) for number in range(1, 8))
    at = FakeTill(programme=replace(PROGRAMME, rules=rules)).know(anna())
    asked = at.run(at.desk.quote(QuoteRequest(receipt=receipt(100_000), member=ANNA, language="en")))
    rows = [line.split() for line in asked.slip_preview.splitlines() if line.startswith("- ")]
    assert rows == [["-", "r1", "1"], ["-", "r2", "2"], ["-", "r3", "3"], ["-", "r4", "4"], ["-", "Other", "18"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sample_shows_every_part(language: str) -> None:
    """`tillside slip preview` is how a chain looks at its template."""
    words = Words(language)
    blocks = default_template().blocks(sample_facts("sale", words), words)
    shown = preview_text(blocks, 32)
    assert words.slip("discount_total") in shown
    assert words.slip("tier") in shown
    assert "MILK10" in shown
    assert msgspec.json.encode(blocks)
