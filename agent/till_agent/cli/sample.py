"""A sale to show a slip with: every part of the slip has something to say."""

from till_agent.slips.compose import SlipFacts
from till_agent.slips.template import default_template, load_template
from till_agent.texts import Words
from till_drivers.blocks import Block

AT_MS = 1_763_739_727_000
HOUR_MS = 3_600_000
ZONE = "Asia/Almaty"


def sample_blocks(language: str, template: str) -> list[Block]:
    """The slip of the sample sale. SlipTemplateError when the template of that path fails: here it is not replaced."""
    words = Words(language)
    facts = SlipFacts(
        kind="sale",
        store="Tillside",
        moment=words.moment(AT_MS, ZONE),
        number="118",
        has_member=True,
        known=True,
        status="active",
        name="Мария К.",
        phone="+7 *** ***-45-67",
        tier="standard",
        before=412,
        earned=57,
        redeemed=100,
        after=369,
        unconfirmed=57,
        as_of=words.moment(AT_MS - 3 * HOUR_MS, ZONE),
        age=words.age(3 * HOUR_MS),
        expiring_points=40,
        expiring_date=words.date(AT_MS + 9 * 24 * HOUR_MS, ZONE),
        offline=True,
    )
    return (load_template(template) or default_template()).blocks(facts, words)
