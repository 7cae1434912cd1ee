"""A sale to show a slip with: every part of the slip has something to say."""

from till_agent.slips.compose import SlipFacts
from till_agent.slips.rule_facts import Later, Row
from till_agent.slips.template import default_template, load_template
from till_agent.texts import Words
from till_drivers.blocks import Block

AT_MS = 1_763_739_727_000
HOUR_MS = 3_600_000
ZONE = "Asia/Almaty"
SAMPLE = {
    "ru": ("Серебро", "Неделя молока", "За покупку", "Подарок дня", "Купон на фрукты"),
    "kk": ("Күміс", "Сүт апталығы", "Сатып алу үшін", "Күн сыйлығы", "Жеміс купоны"),
    "ky": ("Күмүш", "Сүт жумалыгы", "Сатып алуу үчүн", "Күн белеги", "Жемиш купону"),
    "uk": ("Срібло", "Тиждень молока", "За покупку", "Подарунок дня", "Купон на фрукти"),
    "en": ("Silver", "Milk week", "For the purchase", "Gift of the day", "Fruit coupon"),
}
"""A tier, a discount, two rules and another discount, as a chain would call them."""


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
        tier_title=SAMPLE[words.language][0],
        discounts=(Row(SAMPLE[words.language][1], 2_990), Row(SAMPLE[words.language][4], 1_500)),
        discount_minor=4_490,
        coupons=("MILK10",),
        earned_by=(Row(SAMPLE[words.language][2], 32), Row(SAMPLE[words.language][3], 25)),
        later=(Later(words.date(AT_MS + 14 * 24 * HOUR_MS, ZONE), 25),),
    )
    return (load_template(template) or default_template()).blocks(facts, words)
