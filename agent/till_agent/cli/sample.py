"""A sale to show a slip with: every part of the slip has something to say."""

from till_agent.api import Expiring, Member, Sale
from till_agent.slips.compose import SlipContext, compose
from till_agent.slips.template import load_template
from till_agent.texts import Words
from till_drivers.blocks import Block
from till_loyalty.results import Calculation, LineResult

AT_MS = 1_763_739_727_000
HOUR_MS = 3_600_000


def sample_blocks(language: str, template: str) -> list[Block]:
    """The slip of the sample sale. SlipTemplateError."""
    words = Words(language)
    zone = "Asia/Almaty"
    context = SlipContext(
        store_name="Tillside",
        time_zone=zone,
        at_wall_ms=AT_MS,
        moment=words.moment(AT_MS, zone),
        number="118",
    )
    line = LineResult(
        number=1,
        amount_minor=125_000,
        quantity_thousandths=1000,
        payable_minor=115_000,
        paid_by_points_minor=10_000,
        redeemed_points=100,
        earned_points=57,
    )
    calculation = Calculation(
        programme_id="sample",
        programme_version=1,
        total_minor=125_000,
        payable_minor=115_000,
        lines=(line,),
        redeemed_points=100,
        redeemed_minor=10_000,
        earned_points=57,
    )
    member = Member(
        reference="m-sample",
        known=True,
        status="active",
        balance_points=369,
        spendable_points=0,
        unconfirmed_points=57,
        spendable_reason="offline",
        as_of_ms=AT_MS - 3 * HOUR_MS,
        offline=True,
        tier="standard",
        name_masked="Мария К.",
        phone_masked="+7 *** ***-45-67",
        expiring=Expiring(points=40, at_ms=AT_MS + 9 * 24 * HOUR_MS),
    )
    sale = Sale(
        uid="sample",
        op="sample:1:1",
        calculation=calculation,
        offline=True,
        member=member,
        balance_before_points=412,
        balance_after_points=369,
    )
    return compose(sale, context, words, template=load_template(template))
