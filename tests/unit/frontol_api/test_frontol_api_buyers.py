"""Whose a receipt is when Frontol has sold it: nobody waits to be told, and the sale is on the disk."""

from msgspec.structs import replace

from fakes.till import ANNA_CARD, PROGRAMME, STRANGER_CARD, STRANGER_TAG, anna
from kit.frontol_documents import position
from till_loyalty.programme import CardRange
from unit.desk.meeting_cases import Cloud
from unit.desk.meeting_cases import till as asking
from unit.frontol_api.frontol_api_till import FrontolTill, cash

BOTH = "89165550099"
EITHER = replace(
    PROGRAMME, identifiers=replace(PROGRAMME.identifiers, cards=(CardRange(prefix="8916", lengths=(11,)),))
)


def sold(till: FrontolTill, card: str, **fields: object) -> FrontolTill:
    till.good("confirm", position(1, 100), client={"card": card}, payments=[cash(100)], **fields)
    return till


def test_a_sale_asks_nobody_whose_card_that_is() -> None:
    """Frontol sells what nobody has calculated with this agent, as after its start; points are earned by the tag."""
    cloud = Cloud(anna())
    till = sold(asking(cloud, made=FrontolTill()), STRANGER_CARD)
    assert cloud.asked == []
    assert till.sale().subject.tag == STRANGER_TAG


def test_a_card_that_may_be_a_phone_is_the_card_that_frontol_was_given() -> None:
    till = sold(FrontolTill(programme=EITHER), BOTH)
    assert till.sale().subject.tag.startswith("card:")


def test_what_names_nobody_is_sold_to_nobody() -> None:
    till = sold(FrontolTill(), "?")
    assert till.sale().subject.key == ""


def test_points_reserved_are_of_who_has_them_whatever_names_the_buyer_now() -> None:
    """Their wallet's code is over by then, and the agent has begun anew: they have paid by points all the same."""
    till = FrontolTill()
    payment = {"mode": "nonFiscal", "amount": 10}
    till.good("payByBonus", position(1, 100), client={"card": ANNA_CARD}, payment=payment)
    till.restart()
    paid = [cash(90), {"type": "bonus", "mode": "nonFiscal", "amount": 10}]
    till.good("confirm", position(1, 100), client={"card": "?"}, payments=paid)
    assert (till.sale().subject.member_id, till.sale().result.redeemed_points) == ("m-anna", 10)
