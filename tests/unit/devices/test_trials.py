"""Test slips: what is on them, and their way through the running agent's print queue."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_agent.api import Health
from till_agent.slips.desk import SlipPrinter
from till_agent.trial_slip import CODE_PREFIX, LETTERS, code_page_letters, new_code, trial_blocks
from till_agent.trials import Trials
from till_drivers.blocks import Cut, QrCode, Text
from till_drivers.printers import CODE_PAGES, PROFILE_58MM, PROFILE_80MM, Profile, render
from till_drivers.printers.text import to_text
from till_drivers.spool import Spool
from till_sync.problems import ProblemError

MOMENT = datetime(2026, 11, 22, 13, 40, tzinfo=UTC)


@pytest.mark.parametrize("language", ["ru", "kk", "ky", "uk", "en"])
@pytest.mark.parametrize("profile", [PROFILE_58MM, PROFILE_80MM])
def test_the_slip_has_every_letter_a_full_line_and_the_code(language: str, profile: Profile) -> None:
    blocks = trial_blocks(language, profile, printer="receipt", code="TILLSIDE-TEST-1", moment=MOMENT)
    text = to_text(blocks, profile.columns)
    said = "".join(text.split())
    assert all(letter in said for _, letters in LETTERS for letter in letters.replace(" ", ""))
    digits = "".join(str(column % 10) for column in range(1, profile.columns + 1))
    assert digits in text.splitlines()
    assert QrCode(data="TILLSIDE-TEST-1") in blocks
    assert blocks[-1] == Cut()
    assert max(map(len, text.splitlines())) <= profile.columns
    assert render(blocks, profile)


def test_slips_differ_by_language() -> None:
    said = {
        to_text(trial_blocks(each, PROFILE_80MM, printer="r", code="c", moment=MOMENT), 48)
        for each in ("ru", "kk", "ky", "uk", "en")
    }
    assert len(said) == 5


@pytest.mark.parametrize("code_page", sorted(CODE_PAGES))
def test_the_code_page_is_shown_once_as_letters_and_once_drawn(code_page: str) -> None:
    """So that the two lines differ on paper when the printer's number for the code page is another."""
    profile = Profile(code_page=code_page, code_page_number=CODE_PAGES[code_page])
    sample = code_page_letters(profile)
    assert len(sample) >= 20
    sample.encode(code_page)
    texts = [
        each.text
        for each in trial_blocks("en", profile, printer="r", code="c", moment=MOMENT)
        if isinstance(each, Text)
    ]
    drawn = texts[texts.index(sample) + 1]
    assert drawn.startswith(sample)
    assert len(drawn) <= profile.columns
    with pytest.raises(UnicodeEncodeError):
        drawn.encode(code_page)


def test_codes_differ_from_slip_to_slip() -> None:
    assert new_code().startswith(CODE_PREFIX)
    assert new_code() != new_code()


Ask = Callable[[str, str], Trials]


@pytest.fixture
def trials(tmp_path: Path) -> Iterator[Ask]:
    spool = Spool(tmp_path / "spool.db")
    spool.start()

    def of(state: str, detail: str) -> Trials:
        health = Health(device="receipt", role="printer", state=state, detail=detail, since_ms=1)
        made = Trials(spool, lambda: [health])
        made.put({"receipt": SlipPrinter(name="receipt", profile=PROFILE_80MM)})
        return made

    yield of
    assert spool.stop(10)


@pytest.mark.parametrize("state", ["ready", "degraded", "busy"])
def test_a_test_slip_goes_through_the_queue(trials: Ask, state: str) -> None:
    asked = trials(state, "")
    begun = asked.start("receipt", "ru")
    assert (begun.state, begun.printer) == ("queued", "receipt")
    assert begun.code.startswith(CODE_PREFIX)
    assert asked.look(begun.job).state == "queued"


def test_a_test_slip_leaves_the_cash_drawer_closed(tmp_path: Path) -> None:
    """Whoever tries a printer takes no money."""
    spool = Spool(tmp_path / "spool.db")
    spool.start()
    made = Trials(spool, lambda: [Health(device="receipt", role="printer", state="ready", detail="", since_ms=1)])
    made.put({"receipt": SlipPrinter(name="receipt", profile=replace(PROFILE_80MM, drawer=True))})
    made.start("receipt", "en")
    job = asyncio.run(spool.next("receipt"))
    assert spool.stop(10)
    assert job is not None
    assert b"\x1bp" not in job.data


@pytest.mark.parametrize("state", ["fault", "lost", "absent", "disabled", "opening"])
def test_a_printer_that_takes_none_gets_none_that_comes_out_hours_later(trials: Ask, state: str) -> None:
    begun = trials(state, "paper out").start("receipt", "ru")
    assert (begun.state, begun.detail, begun.job) == ("refused", "paper out", "")


def test_an_unknown_printer_is_refused_with_the_names_that_there_are(trials: Ask) -> None:
    with pytest.raises(ProblemError, match="receipt"):
        trials("ready", "").start("other", "ru")


def test_jobs_of_sales_are_none_of_its_business(trials: Ask) -> None:
    for job in ("sale:s-1", "trial:000000000000"):
        with pytest.raises(ProblemError, match="test slip"):
            trials("ready", "").look(job)
