"""Every fault of tiers, events, registration and proof has its place and, where a name is near, the nearest name."""

import pytest

from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme_document import EXAMPLES, decode_programme, example_text, parse_programme, programme_json

HEAD = 'format = 1\nid = "p"\nversion = 1\ncurrency = "RUB"\n'
LADDER = """tier_period = "month"
[[tiers]]
id = "standard"
[[tiers]]
id = "silver"
from_spend_minor = 1000
[[tiers]]
id = "gold"
from_spend_minor = 5000
[[tiers]]
id = "staff"
by_hand = true
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(HEAD + text)
    return list(caught.value.problems)


def test_a_whole_programme_of_members_is_right() -> None:
    """Everything that can be said of members, said once; it survives the wire."""
    text = (
        "return_grace_days = 30\n"
        + LADDER
        + """
[[rules]]
id = "base"
percent_basis_points = 100
[[events]]
id = "welcome"
on = "registered"
points = 1000
from_date = 2026-01-01
to_date = 2027-01-01
life = { expires_after_days = 30 }
funded_by = { supplier = "bank" }
[[events]]
id = "first"
on = "first_purchase"
points = 300
minimum_sum_minor = 100000
[[events]]
id = "brought"
on = "referred"
points = 3000
[[events]]
id = "brings"
on = "referrer"
points = 3000
maximum = 10
[[events]]
id = "up"
on = "tier_reached"
points = 500
tiers = ["silver", "gold"]
title = { ru = "Новый уровень", en = "A new tier" }
[[events]]
id = "birthday"
on = "birthday"
points = 500
days_before = 2
[registration]
consent_version = "2026-01"
ask = ["name", "birth_date", "sex", "referrer", "card"]
[registration.consent]
ru = "Согласен"
en = "I agree"
[redemption]
proof = ["code"]
proof_above_points = 500
"""
    )
    programme = parse_programme(HEAD + text)
    assert len(programme.events) == 6
    assert decode_programme(programme_json(programme)) == programme


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_pass(name: str) -> None:
    """What ships is right."""
    assert parse_programme(example_text(name)).format == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            LADDER.replace("5000", "1000"),
            "tiers[2].from_spend_minor: expected more than 1000 of 'silver', not 1000",
        ),
        (LADDER.replace("5000", "999"), "tiers[2].from_spend_minor: expected more than 1000 of 'silver', not 999"),
        (
            LADDER.replace('id = "standard"', 'id = "standard"\nfrom_spend_minor = 1'),
            "tiers[0].from_spend_minor: expected nothing in the first tier, which is what new members get",
        ),
        (
            LADDER.replace('id = "standard"', 'id = "standard"\nby_hand = true'),
            "tiers[0].by_hand: expected nothing in the first tier, which is what new members get",
        ),
        (
            LADDER + "from_spend_minor = 9000",
            "tiers[3].from_spend_minor: expected nothing beside by_hand = true: such a tier is not bought",
        ),
        (
            LADDER.replace("by_hand = true", ""),
            "tiers[3].from_spend_minor: expected a sum, or by_hand = true: nobody would ever get this tier",
        ),
        (
            LADDER.replace('tier_period = "month"', ""),
            "tier_period: expected month, quarter, year or life, not nothing: 'silver' is reached by spending",
        ),
        (
            'tier_period = "year"\n[[tiers]]\nid = "a"',
            "tier_period: expected a tier with from_spend_minor beside it, not tiers that nobody can reach",
        ),
        (
            LADDER.replace('"month"', '"monht"'),
            "tier_period: expected '' or 'month' or 'quarter' or 'year' or 'life', not 'monht'; did you mean 'month'?",
        ),
    ],
)
def test_tiers(text: str, problem: str) -> None:
    """Thresholds rise, and every tier can be got and left."""
    assert problems(text) == [problem]


EVENT = '[[events]]\nid = "e"\npoints = 1\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            EVENT + 'on = "tier_reached"\ntiers = ["glod"]',
            (
                "events[0].tiers[0]: expected a tier of the programme (standard, silver, gold, staff), not 'glod';"
                " did you mean 'gold'?"
            ),
        ),
        (
            EVENT + 'on = "tier_reached"\ntiers = ["staff"]',
            "events[0].tiers[0]: expected a tier with from_spend_minor, not 'staff', which no spending reaches",
        ),
        (
            EVENT + 'on = "tier_reached"\ntiers = ["gold", "gold"]',
            "events[0].tiers[1]: expected each tier once, not 'gold' again",
        ),
        (
            EVENT + 'on = "tier_reached"',
            "events[0].tiers: expected the tiers that give something when they are reached, not nothing",
        ),
        (
            EVENT + 'on = "registered"\ntiers = ["gold"]',
            "events[0].tiers: expected on = 'tier_reached' beside it, not 'registered'",
        ),
        (
            EVENT + 'on = "birthday"\nminimum_sum_minor = 5',
            (
                "events[0].minimum_sum_minor: expected on = 'first_purchase' or 'referred' or 'referrer' beside it, not"
                " 'birthday'"
            ),
        ),
        (
            EVENT + 'on = "registered"\ndays_before = 5',
            "events[0].days_before: expected on = 'birthday' beside it, not 'registered'",
        ),
        (
            EVENT + 'on = "registered"\nmaximum = 5',
            "events[0].maximum: expected on = 'referrer' or 'tier_reached' or 'birthday' beside it, not 'registered'",
        ),
        (
            EVENT + 'on = "brithday"',
            (
                "events[0].on: expected 'registered' or 'first_purchase' or 'referred' or 'referrer' or 'tier_reached'"
                " or 'birthday', not 'brithday'; did you mean 'birthday'?"
            ),
        ),
        (
            EVENT + 'on = "birthday"\n' + EVENT + 'on = "registered"',
            "events[1].id: expected an id of its own, not 'e' as in events[0]",
        ),
        (
            EVENT + 'on = "birthday"\n[[rules]]\nid = "e"\npoints = 1',
            "events[0].id: expected an id that no rule or exclusion has, not 'e'",
        ),
        (
            EVENT + 'on = "birthday"\nfrom_date = "2026-02-30"',
            "events[0].from_date: expected a day of the calendar, not '2026-02-30'",
        ),
        (
            EVENT + 'on = "birthday"\nfrom_date = 2026-02-20\nto_date = 2026-02-20',
            "events[0].to_date: expected later than 2026-02-20, not 2026-02-20: nothing is between them",
        ),
        (
            EVENT + 'on = "birthday"\nlife = {}',
            "events[0].life: expected days, months or a date, not an empty table",
        ),
        (
            EVENT + 'on = "birthday"\ntitle = { de = "x" }',
            "events[0].title.de: expected a language (ru, uk, kk, ky, en), not 'de'",
        ),
        (EVENT + 'on = "birthday"\npionts = 5', "events[0].pionts: expected a known field; did you mean 'points'?"),
    ],
)
def test_events(text: str, problem: str) -> None:
    """An event names what is there, and has no figure that would never be looked at."""
    assert problems(LADDER + text) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[registration]\nconsent_version = " "',
            "registration.consent_version: expected a name of the consent's text, not nothing",
        ),
        (
            '[registration]\nconsent = { ru = "" }',
            "registration.consent.ru: expected the text that people agree to, not nothing",
        ),
        (
            '[registration]\nconsent = { kz = "x" }',
            "registration.consent.kz: expected a language (ru, uk, kk, ky, en), not 'kz'",
        ),
        ('[registration]\nask = ["name", "name"]', "registration.ask[1]: expected each once, not 'name' again"),
        (
            '[registration]\nask = ["birthdate"]',
            (
                "registration.ask[0]: expected 'name' or 'birth_date' or 'sex' or 'referrer' or 'card', not"
                " 'birthdate'; did you mean 'birth_date'?"
            ),
        ),
        ('[redemption]\nproof = ["code", "code"]', "redemption.proof[1]: expected each once, not 'code' again"),
        (
            "[redemption]\nproof_above_points = 5",
            'redemption.proof: expected ["code"], ["pin"] or both beside proof_above_points, not nothing',
        ),
    ],
)
def test_registration_and_proof(text: str, problem: str) -> None:
    """What people agree to has a name and a text; a threshold of proof has a proof."""
    assert problems(text) == [problem]
