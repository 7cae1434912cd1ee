"""Templates that come with a programme: checked at the cloud, chosen at the till, and never at a member's cost."""

import asyncio
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from fakes import slip_samples as samples
from fakes.till import ANNA_CARD, IDENTITY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Identify, QuoteRequest, SaleRequest
from till_agent.slips.compose import compose_entry
from till_agent.slips.preview import preview_text
from till_agent.slips.templates import KEPT, SlipTemplates, templates_from
from till_agent.slips.watching import TemplateWatch
from till_agent.status import Facts, problems
from till_agent.texts import Words
from till_cloud.cli.programmes import programme as cloud_programme
from till_drivers.slips.checking import PROBLEMS_SHOWN, programme_slip_problems, template_problems
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.template import SlipTemplate, default_template
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Programme
from till_loyalty.programme_document import parse_programme, programme_json
from till_loyalty.rule_parts import Coupon
from till_loyalty.slips import KINDS, LANGUAGES, TEMPLATE_LIMIT_BYTES, Slips, Template, fitting, qr_text
from till_sync.wire import MemberFacts


def with_slips(*templates: Template, version: int = 1, **slips: object) -> Programme:
    return replace(PROGRAMME, version=version, slips=Slips(templates=templates, **slips))  # type: ignore[arg-type]  # as they are


def said(templates: SlipTemplates, programme: Programme | None, *, kind: str = "sale", language: str = "ru") -> str:
    words = Words(language, programme)
    return preview_text(templates.blocks(sample_facts(kind, words), words), 32).strip()


OURS = Template(template="{{ text('ours') }}")
PACKAGED = "Спасибо за покупку!"


def test_a_template_is_chosen_by_kind_and_language_the_first_that_fits() -> None:
    """Where none fits, the packaged one."""
    programme = with_slips(
        Template(template="{{ text('a kazakh sale') }}", kinds=("sale",), languages=("kk",)),
        Template(template="{{ text('a sale') }}", kinds=("sale", "quote")),
        Template(template="{{ text('english') }}", languages=("en",)),
    )
    templates = SlipTemplates()
    assert said(templates, programme, language="kk") == "a kazakh sale"
    assert said(templates, programme, language="ru") == "a sale"
    assert said(templates, programme, kind="quote", language="en") == "a sale"
    assert said(templates, programme, kind="void", language="en") == "english"
    assert "Возврат товара" in said(templates, programme, kind="return")
    assert PACKAGED in said(templates, None)


def test_the_tills_own_template_is_stronger() -> None:
    """For every kind and language; where it fails, the packaged one stands in, not the programme's."""
    assert said(SlipTemplates(SlipTemplate("{{ text('mine') }}")), with_slips(OURS)) == "mine"
    failing = SlipTemplates(SlipTemplate("{{ slip.nothing }}", "mine.slip"))
    assert PACKAGED in said(failing, with_slips(OURS))
    assert "mine.slip" in failing.trouble


def test_a_template_that_fails_when_tried_is_not_used_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Until a version comes that has a good one in its place."""
    bad = with_slips(Template(template="{% if slip.after < 0 %}{{ slip.nothing }}{% endif %}{{ text('ours') }}"))
    templates = SlipTemplates()
    with caplog.at_level(logging.ERROR):
        templates.check(bad)
        for _ in range(3):
            templates.check(bad)
            assert PACKAGED in said(templates, bad)
    assert "slips.templates[0] of demo version 1" in templates.trouble
    assert len(caplog.records) == 1
    good = with_slips(OURS, version=2)
    templates.check(good)
    assert said(templates, good) == "ours"
    assert templates.trouble == ""
    assert PACKAGED in said(templates, bad)


def test_a_template_that_fails_at_one_slip_serves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """One member's name does not turn it off; it is said once."""
    programme = with_slips(Template(template="{% if slip.name == 'Evil' %}{{ 1 // 0 }}{% endif %}{{ text('ours') }}"))
    templates = SlipTemplates()
    words = Words("ru", programme)
    facts = sample_facts("sale", words)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert len(templates.blocks(replace(facts, name="Evil"), words)) > 5
            assert said(templates, programme) == "ours"
    assert len(caplog.records) == 1
    assert "ZeroDivisionError" in templates.trouble


def test_one_that_does_not_compile_is_met_unchecked_as_well() -> None:
    """A slip may come before the check."""
    programme = with_slips(Template(template="{{ text("))
    templates = SlipTemplates()
    assert PACKAGED in said(templates, programme)
    assert "slips.templates[0]" in templates.trouble


def test_former_programmes_templates_are_not_kept_without_end() -> None:
    """A copy of an old slip is made by the template of its day."""
    templates = SlipTemplates()
    for version in range(1, 2 * KEPT):
        text = f"{{{{ text('v{version}') }}}}"
        assert said(templates, with_slips(Template(template=text), version=version)) == f"v{version}"
    assert len(templates._kept) == KEPT


def test_an_unreadable_template_of_the_settings_is_a_trouble(tmp_path: Path) -> None:
    """And slips are packaged ones."""
    templates = templates_from(str(tmp_path / "none.slip"))
    assert "none.slip" in templates.trouble
    assert PACKAGED in said(templates, None)
    assert templates_from("").trouble == ""


def test_a_sale_and_its_quote_are_made_by_the_programmes_template() -> None:
    """Through the desk; a bad one costs neither."""
    for source, expected in (("{{ text('ours ' ~ slip.kind) }}", "ours"), ("{{ slip.nothing }}", "Earned")):
        programme = with_slips(Template(template=source))
        till = FakeTill(programme=programme).know(anna())
        member = Identify(card=ANNA_CARD)
        quoted = till.run(till.desk.quote(QuoteRequest(receipt=receipt(100_000), member=member, language="en")))
        assert ("ours quote" if expected == "ours" else "Will be earned") in quoted.slip_preview
        till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(100_000), member=member)))
        blocks = compose_entry(
            till.journal.entries[0], Words("en", programme), store_name="S", time_zone=IDENTITY.time_zone
        )
        assert expected in preview_text(blocks, 48)


def test_each_new_programme_is_tried_out_beside_the_sales() -> None:
    """Once; the status has it then."""

    async def run() -> tuple[str, str, bool]:
        till = FakeTill(programme=with_slips(Template(template="{{ text(")))
        watch = TemplateWatch(SlipTemplates(), till.cache)
        watch.look()
        assert watch._task is not None
        await watch._task
        first, task = watch.templates.trouble, watch._task
        watch.look()
        same = watch._task is task
        till.cache.sell_by(with_slips(OURS, version=2))
        watch.look()
        await watch._task
        await watch.stop()
        return first, watch.templates.trouble, same

    first, then, same = asyncio.run(run())
    assert "slips.templates[0] of demo version 1" in first
    assert then == ""
    assert same


GOOD = replace(
    PROGRAMME,
    slips=Slips(
        templates=(Template(template=default_template()._source, kinds=("sale",)), OURS),
        note={"ru": "Приходите ещё"},
        qr="https://example.test/{uid}?n={number}&k={kind}&l={language}",
    ),
)


@pytest.mark.parametrize(
    ("slips", "place"),
    [
        (Slips(templates=(OURS, OURS)), "slips.templates[1]: expected kinds and languages of its own"),
        (
            Slips(
                templates=(
                    Template(template="x", kinds=("sale", "quote")),
                    Template(template="x", kinds=("return", "void")),
                    Template(template="x", languages=("ru",)),
                )
            ),
            "slips.templates[2]: expected kinds and languages of its own, not only those that slips.templates[0], ",
        ),
        (Slips(templates=(Template(template="ё" * 40_000),)), "slips.templates[0].template: expected at most 65536"),
        (Slips(note={"tg": "x"}), "slips.note.tg: expected a language"),
        (Slips(note={"ru": "x" * 501}), "slips.note.ru: expected at most 500 letters, not 501"),
        (Slips(qr="https://example.test/{member}"), "slips.qr: expected one of {uid}, {number}, {kind}, {language}"),
        (Slips(qr="https://example.test/{"), "slips.qr: expected one of"),
    ],
)
def test_shapes_and_sizes_are_checked_with_the_programme(slips: Slips, place: str) -> None:
    """With the place, in the words of every other fault."""
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(programme_json(replace(PROGRAMME, slips=slips)), suffix=".json")
    assert any(problem.startswith(place) for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    "field", ['template = "x"\nkinds = ["bill"]', 'template = ""', 'template = "x"\nlanguages = ["de"]', 'file = "x"']
)
def test_types_are_checked_with_the_programme(field: str) -> None:
    """A kind, a language, a field that there is none of."""
    text = f'format = 1\nid = "a"\nversion = 1\ncurrency = "RUB"\n[[slips.templates]]\n{field}\n'
    with pytest.raises(ProgrammeError, match=r"slips\.templates\[0\]"):
        parse_programme(text)


def test_a_programme_with_slips_goes_to_tills_and_back_and_one_without_is_as_it_was() -> None:
    """Its canonical text holds them; the digests of older programmes stay."""
    assert parse_programme(programme_json(GOOD), suffix=".json") == GOOD
    assert "slips" not in programme_json(PROGRAMME)
    assert fitting(GOOD.slips, "sale", "ru") == 0
    assert {fitting(GOOD.slips, kind, language) for kind in KINDS[1:] for language in LANGUAGES} == {1}
    assert TEMPLATE_LIMIT_BYTES == 65_536


def test_the_cloud_tries_the_slips_out_and_takes_no_programme_whose_slips_fail(tmp_path: Path) -> None:
    """`check` and `upload` alike; each fault with its place, once."""
    bad = tmp_path / "bad.json"
    broken = Template(template="{{ text('a') }}\n{{ barcode('x', symbology='ean13') }}", kinds=("sale",))
    bad.write_text(programme_json(with_slips(broken, Template(template="\n{{ slip.nothing }}"))), encoding="utf-8")
    good = tmp_path / "good.json"
    good.write_text(programme_json(GOOD), encoding="utf-8")
    for words in (["check", str(bad)], ["upload", str(bad), "--db", str(tmp_path / "none.db")]):
        done = CliRunner().invoke(cloud_programme, words)
        assert done.exit_code == 1
        lines = done.stderr.splitlines()
        assert lines[0].startswith(f"{bad}: slips.templates[0]: on 80 mm paper:")
        assert any(line.startswith(f"{bad}: slips.templates[1]: line 2:") for line in lines)
        assert len(lines) <= 2 * PROBLEMS_SHOWN
    assert CliRunner().invoke(cloud_programme, ["check", str(good)]).output == f"{good}: good: demo version 1\n"
    assert programme_slip_problems(GOOD) == ()


def test_the_packaged_template_works_everywhere() -> None:
    """All kinds, languages, situations, on paper too."""
    assert template_problems(default_template(), printed=True) == ()
    assert template_problems(SlipTemplate("{# nothing #}", "x"))[0] == "x: expected a block at least, not an empty slip"


def test_a_slip_tells_of_the_chains_note_and_qr_code() -> None:
    """Percent-encoded; a quote has no code, for there is no receipt yet."""
    entry = samples.sold().journal.entries[0]
    blocks = compose_entry(entry, Words("ru", GOOD), store_name="S", time_zone=IDENTITY.time_zone)
    shown = preview_text(blocks, 80)
    assert "Приходите ещё" in shown
    assert "https://example.test/u1?n=118&k=sale&l=ru" in shown
    assert qr_text(GOOD.slips, uid="a b/ё?", number="", kind="sale", language="ru").startswith(
        "https://example.test/a%20b%2F%D1%91%3F?n=&"
    )
    till = FakeTill(programme=GOOD).know(anna())
    request = QuoteRequest(receipt=receipt(100), member=Identify(card=ANNA_CARD))
    assert "https:" not in till.run(till.desk.quote(request)).slip_preview


def test_members_are_told_of_coupons_that_they_hold_and_may_use_today() -> None:
    """By title and last day, the first to end first; one that is used up with this receipt no more."""
    coupons = (
        Coupon(id="later", codes=("L",), title={"en": "Later"}, valid_from="2018-02-01"),
        Coupon(id="over", codes=("O",), title={"en": "Over"}, valid_to="2017-12-01"),
        Coupon(id="always", codes=("A",), title={"en": "Always", "ru": "Всегда"}),
        Coupon(id="soon", codes=("S",), title={"en": "Soon", "ru": "Скоро"}, valid_to="2018-01-01", uses_per_member=1),
        Coupon(id="others", codes=("X",), title={"en": "Others'"}),
    )
    programme = replace(PROGRAMME, coupons=coupons)
    facts = MemberFacts(coupons=("always", "soon", "later", "over"))
    till = FakeTill(programme=programme).know(anna(facts=facts))
    shown = till.run(till.desk.identify(Identify(card=ANNA_CARD)))
    assert [(each.coupon, each.valid_to) for each in shown.offers] == [("soon", "2018-01-01"), ("always", "")]
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(100), member=Identify(card=ANNA_CARD))))
    blocks = compose_entry(
        till.journal.entries[0], Words("ru", programme), store_name="S", time_zone=IDENTITY.time_zone
    )
    lines = [" ".join(line.split()) for line in preview_text(blocks, 48).splitlines()]
    assert lines[lines.index("Для вас") :][:3] == ["Для вас", "- Скоро по 31.12.2017", "- Всегда"]


def test_the_status_tells_of_a_template_that_does_not_work() -> None:
    """To those who mend it: nobody at the till can."""
    facts = Facts(
        not_ready="",
        detail="",
        now_wall_ms=0,
        has_cloud_url=True,
        figures=None,
        report=None,
        worker=None,
        has_programme=True,
        devices=(),
        slip_trouble="ours.slip: line 3: wrong",
    )
    (found,) = [each for each in problems(facts) if each.code == "slip_template_failed"]
    assert found.text.endswith("ours.slip: line 3: wrong")
    assert problems(replace(facts, slip_trouble="")) == ()
