"""Slips as text, in every language and both widths, against files that a person has read.

`TILLSIDE_WRITE_GOLDEN=1` writes the files anew; read the difference before it is committed.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import slip_samples as samples
from fakes.till import IDENTITY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import QuoteRequest
from till_agent.ports import Entry
from till_agent.slips.compose import compose_entry
from till_agent.slips.preview import preview_text
from till_agent.texts import LANGUAGES, Words
from till_loyalty.programme import Programme

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = (48, 32)
DOCUMENTS: dict[str, Callable[[], Entry]] = {
    "sale": samples.full,
    "unknown": samples.unknown,
    "blocked": samples.blocked,
    "before-rules": samples.before_rules,
    "return": samples.returned,
    "void": samples.voided,
}


def text_of(
    entry: Entry, language: str, columns: int, *, programme: Programme | None = PROGRAMME, copy: bool = False
) -> str:
    blocks = compose_entry(
        entry,
        Words(language, programme),
        store_name=IDENTITY.store_name,
        time_zone=IDENTITY.time_zone,
        copy=copy,
    )
    return preview_text(blocks, columns)


def compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("TILLSIDE_WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_slips_read_as_they_should(language: str, columns: int) -> None:
    """All documents of one language and width, one after another, and the sale's copy at the end."""
    parts = [f"== {name} ==\n{text_of(make(), language, columns)}" for name, make in DOCUMENTS.items()]
    parts.append(f"== copy ==\n{text_of(samples.full(), language, columns, copy=True)}")
    entry, programme = samples.cents()
    parts.append(f"== cents ==\n{text_of(entry, language, columns, programme=programme)}")
    text = "".join(parts)
    assert max(len(line) for line in text.splitlines()) <= columns
    compare(f"{language}-{columns}", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_preview_of_a_quote_reads_as_it_should(language: str) -> None:
    """What the slip would say, on the till's own width."""
    till = FakeTill(columns=32).know(anna())
    request = QuoteRequest(receipt=receipt(100_000), member=samples.ANNA, redeem_points=200, language=language)  # type: ignore[arg-type]  # from the list
    compare(f"{language}-quote", till.run(till.desk.quote(request)).slip_preview)


def test_a_copy_says_what_the_slip_said_and_that_it_is_a_copy() -> None:
    """Ages and balances are of the sale, not of the moment of the reprint."""
    entry = samples.full()
    original, copy = text_of(entry, "en", 48).splitlines(), text_of(entry, "en", 48, copy=True).splitlines()
    assert [line for line in copy if line.strip() != "COPY"] == original
    assert sum(line.strip() == "COPY" for line in copy) == 2


def test_a_fresh_balance_has_no_age_and_an_old_one_has() -> None:
    """The member sees how old the confirmed part is."""
    assert "Balance as of 2017-12-23 15:05\n" in text_of(samples.sold().journal.entries[0], "en", 48)
    old = text_of(samples.sold(age_ms=5 * samples.HOUR_MS).journal.entries[0], "en", 48)
    assert "Balance as of 2017-12-23 15:05, 5 hours ago\n" in old
    assert "Not confirmed yet: 61 points\n" in old
