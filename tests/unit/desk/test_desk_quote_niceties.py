"""A quote is answered whatever happens to its niceties: the preview of the slip, and the explanation."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.till import ANNA_CARD, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Identify, Quote, QuoteRequest
from till_agent.desk import quoting
from till_drivers.exceptions import SlipTemplateError
from till_loyalty.programme import Rule


def quote(**changes: Any) -> Quote:
    till = FakeTill().know(anna())
    fields: dict[str, Any] = {
        "receipt": receipt(10_000),
        "member": Identify(card=ANNA_CARD),
        "slip_preview": True,
        "explain": True,
    }
    return till.run(till.desk.quote(QuoteRequest(**(fields | changes))))


@pytest.mark.parametrize("failure", [SlipTemplateError("no slip"), KeyError("word"), ValueError("x"), OSError("disk")])
def test_a_preview_that_fails_leaves_the_quote_whole(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = quote()
    assert whole.slip_preview

    def fails(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(quoting, "compose_quote", fails)
    with caplog.at_level(logging.ERROR):
        assert quote() == replace(whole, slip_preview="")
    assert "preview" in caplog.text


@pytest.mark.parametrize("failure", [KeyError("word"), IndexError("x"), ValueError("x")])
def test_an_explanation_that_fails_leaves_the_quote_whole(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = quote()
    assert whole.explain

    def fails(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(quoting, "explain", fails)
    with caplog.at_level(logging.ERROR):
        assert quote() == replace(whole, explain=())
    assert "explanation" in caplog.text


def test_points_that_end_with_the_calendar_are_explained() -> None:
    """A rule whose points live until the last day that there is."""
    from till_loyalty.explain_result import explain
    from till_loyalty.rule_parts import Life

    rules = replace(PROGRAMME, rules=(Rule(id="base", points=5, life=Life(expires_on="9999-12-31")),))
    till = FakeTill(programme=rules).know(anna())
    asked = QuoteRequest(receipt=receipt(10_000), member=Identify(card=ANNA_CARD), explain=True, slip_preview=True)
    answered = till.run(till.desk.quote(asked))
    for language in ("ru", "kk", "ky", "uk", "en"):
        assert any("9999" in each.text for each in explain(rules, answered.calculation, language))
    assert answered.slip_preview


def test_words_follow_the_programme_and_the_language() -> None:
    """They are kept from call to call: a programme that comes names its points anew, and no caller gets another's."""
    till = FakeTill().know(anna())

    def preview(language: str) -> str:
        asked = QuoteRequest(
            receipt=receipt(10_000), member=Identify(card=ANNA_CARD), slip_preview=True, language=language
        )
        return till.run(till.desk.quote(asked)).slip_preview

    before, english = preview("ru"), preview("en")
    stars = {"ru": {"one": "звезда", "few": "звезды", "many": "звёзд"}, "en": {"one": "star", "other": "stars"}}
    till.cache.sell_by(replace(PROGRAMME, version=PROGRAMME.version + 1, points_name=stars))
    assert (" звёзд\n" in before, " stars\n" in english) == (False, False)
    assert (" звёзд\n" in preview("ru"), " stars\n" in preview("en")) == (True, True)
