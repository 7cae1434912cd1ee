"""A programme in the words of five languages, and one receipt of it."""

import json
import re
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from fakes.programmes import programmes
from till_loyalty.cli import programme as group
from till_loyalty.explain import explain_programme
from till_loyalty.explain_words import LANGUAGES
from till_loyalty.programme import Event, Programme, Redemption, Registration, Rule, Tier
from till_loyalty.programme_document import EXAMPLES, example_text, parse_programme
from till_loyalty.rule_parts import Coupon, Limit
from unit.loyalty.loyalty_support import programme

FIGURE = re.compile(r"\d+")


@settings(max_examples=100, deadline=None)
@given(programmes())
def test_any_programme_is_told_in_every_language_with_the_same_figures(rules: Programme) -> None:
    """A figure that one language leaves out, or a sentence that asks for a value that is not there, is found here."""
    told = {language: list(explain_programme(rules, language)) for language in LANGUAGES}
    figures = {language: [sorted(FIGURE.findall(line)) for line in lines] for language, lines in told.items()}
    assert all(figures[language] == figures["en"] for language in LANGUAGES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_rule_of_the_examples_is_told(name: str) -> None:
    rules = parse_programme(example_text(name))
    for language in LANGUAGES:
        text = "\n".join(explain_programme(rules, language))
        parts = (*rules.rules, *rules.exclusions, *rules.tiers, *rules.coupons, *rules.events)
        assert all(f"{each.id}: " in text for each in parts)


def test_tiers_events_coupons_and_registration_are_told() -> None:
    rules = programme(
        Rule(id="r", points=5, limits=(Limit(per="week", uses=2), Limit(per="month", amount=300))),
        tiers=(Tier(id="base"), Tier(id="gold", from_spend_minor=10_000, multiplier_basis_points=15_000)),
        tier_period="quarter",
        events=(
            Event(id="hello", on="registered", points=1),
            Event(id="cake", on="birthday", points=21, days_before=7),
        ),
        coupons=(Coupon(id="c", codes=("A", "B"), assigned=True, uses_per_code=3, valid_to="2026-12-01"),),
        registration=Registration(consent={"ru": "Да"}, ask=("name", "referrer")),
        redemption=Redemption(maximum_receipt_minor=50_000, proof_above_points=1000, proof=("code",)),
        return_grace_days=3,
    )
    russian = "\n".join(explain_programme(rules, "ru"))
    assert "Один бонус стоит 1,00 RUB. Бонусы целые." in russian
    assert "живут ещё 3 дня" in russian
    assert "5 бонусов за покупку: все товары, не больше: 2 раза в неделю, не больше: 300 бонусов в месяц" in russian
    assert "gold: при покупках от 100,00 RUB за квартал, 150 % от бонусов, которые дают проценты" in russian
    assert "hello: 1 бонус за регистрацию" in russian
    assert "cake: 21 бонус ко дню рождения, раньше на 7 дней" in russian
    assert "c: коды A, B, только у кого он есть, каждый код 3 раза, раньше 2026-12-01" in russian
    assert "если больше, чем 1000 бонусов, покупатель называет одноразовый код" in russian
    assert "ещё спрашивается: имя, кто привёл" in russian
    ukrainian = "\n".join(explain_programme(rules, "uk"))
    assert "cake: 21 бонус до дня народження, раніше на 7 днів" in ukrainian


@pytest.fixture
def shop(tmp_path: Path) -> tuple[str, str]:
    rules, sale = tmp_path / "russia.toml", tmp_path / "sale.json"
    rules.write_text(example_text("russia"), encoding="utf-8")
    lines = [
        {"number": 1, "sku": "bread", "amount_minor": 45_500},
        {"number": 2, "sku": "c", "amount_minor": 60_000, "category": ["Витамины"]},
        {"number": 3, "sku": "s", "amount_minor": 20_000, "category": ["Табак"]},
    ]
    member = {"tier": "general", "spendable_points": 400}
    clock = {"local_time": "2026-11-22T10:00:00", "business_date": "2026-11-22"}
    past = {"receipt": {"lines": lines}, "member": member, "clock": clock, "redeem_points": 500}
    sale.write_text(json.dumps(past), encoding="utf-8")
    return str(rules), str(sale)


def test_the_command_explains_a_programme_in_a_language(shop: tuple[str, str]) -> None:
    result = CliRunner().invoke(group, ["explain", shop[0], "--language", "uk"])
    assert result.exit_code == 0
    assert "Нарахування і знижки, за порядком:" in result.stdout


def test_the_command_explains_a_receipt(shop: tuple[str, str]) -> None:
    result = CliRunner().invoke(group, ["explain", shop[0], "--language", "ru", "--receipt", shop[1]])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "Сумма: 1255,00 RUB. К оплате: 939,00 RUB.",
        "Начисляется: 36 бонусов.",
        "Списывается: 316 бонусов.",
        "  Строка 3 не участвует по закону: «Табак: стимулирование продаж запрещено законом».",
        "  Оплата бонусами: 316,00 RUB = 316 бонусов.",
        "    Строка 1: оплата бонусами 136,28 RUB из 455,00 RUB = 136 бонусов.",
        "    Строка 2: оплата бонусами 179,72 RUB из 600,00 RUB = 180 бонусов.",
        "  «Генеральная карта: 5 % от чека»: 5 % от 739,00 RUB = 36 бонусов. Округлено вниз.",
        "    Строка 1, «Генеральная карта: 5 % от чека»: с 318,72 RUB = 16 бонусов.",
        "    Строка 2, «Генеральная карта: 5 % от чека»: с 420,28 RUB = 20 бонусов.",
        "  Бонусами можно оплатить только часть чека. Просили: 500 бонусов, можно: 316 бонусов.",
        "  «Ещё 5 % на витамины от 500 рублей»: действует от 500,00 RUB, а здесь 420,28 RUB.",
    ]


def test_a_file_that_is_no_receipt_is_told(shop: tuple[str, str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"receipt": 5}', encoding="utf-8")
    result = CliRunner().invoke(group, ["explain", shop[0], "--receipt", str(bad)])
    assert result.exit_code == 1
    assert "expected a receipt" in result.stderr


@pytest.mark.parametrize(
    ("ways", "sentence"),
    [
        (("code",), "если больше, чем 1000 бонусов, покупатель называет одноразовый код"),
        (("pin",), "если больше, чем 1000 бонусов, покупатель вводит ПИН-код"),
        (("pin", "code"), "если больше, чем 1000 бонусов, покупатель называет одноразовый код или вводит ПИН-код"),
    ],
)
def test_the_ways_to_prove_who_a_member_is_are_told(ways: tuple[Literal["code", "pin"], ...], sentence: str) -> None:
    rules = programme(redemption=Redemption(proof_above_points=1000, proof=ways))
    assert sentence in "\n".join(explain_programme(rules, "ru")).replace("\u202f", "").replace("\xa0", "")
    told = [list(explain_programme(rules, language)) for language in LANGUAGES]
    assert len({len(lines) for lines in told}) == 1
