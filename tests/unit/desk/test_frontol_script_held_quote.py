"""A quote of a receipt whose points are held already: cash software asks again before it closes the receipt."""

from fakes.till import ANNA_CARD, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, Quote, QuoteRequest

ANNA = Identify(card=ANNA_CARD)


def quoted(till: FakeTill, sale_uid: str | None) -> Quote:
    return till.run(
        till.desk.quote(QuoteRequest(receipt=receipt(100_000), member=ANNA, redeem_points=-1, sale_uid=sale_uid))
    )


def test_what_is_held_for_the_receipt_may_be_spent_on_it_and_on_no_other() -> None:
    """Without the receipt's uid the quote can't know, and counts it as reserved."""
    till = FakeTill().know(anna())
    whole = quoted(till, None).calculation.redeemed_points
    assert whole > 50
    till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=whole)))
    assert quoted(till, "u1").calculation.redeemed_points == whole
    assert quoted(till, "u2").calculation.redeemed_points == 0
    assert quoted(till, None).calculation.redeemed_points == 0
