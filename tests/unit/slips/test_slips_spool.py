"""Slips in a real print queue: once for each document, copies on request, and no trouble for the sale."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fakes import slip_samples as samples
from fakes.till import IDENTITY, PROGRAMME, FakeTill, anna
from till_agent.api import SaleRequest, SlipState
from till_agent.exceptions import DeskProblem
from till_agent.ports import Entry
from till_agent.slips.desk import SlipPrinter, SpoolSlipDesk
from till_agent.slips.office import SlipOffice
from till_drivers.blocks import Text
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM, Profile
from till_drivers.printers.text import to_text
from till_drivers.spool import Spool

PRINTER = SlipPrinter(name="main", profile=PROFILE_80MM)
KICK = b"\x1bp"
"""ESC p: the pulse that opens a drawer."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.db")
    spool.start()
    yield spool
    assert spool.stop(5)


def slip_desk(spool: Spool, till: FakeTill, printer: SlipPrinter | None = PRINTER) -> SpoolSlipDesk:
    return SpoolSlipDesk(spool, printer, till.cache, store_name=IDENTITY.store_name, time_zone=IDENTITY.time_zone)


def office(desk: SpoolSlipDesk, till: FakeTill) -> SlipOffice:
    return SlipOffice(till.desk.entry, desk, store_name=IDENTITY.store_name, time_zone=IDENTITY.time_zone)


def jobs(spool: Spool) -> list[tuple[str, str, bool]]:
    async def read() -> list[tuple[str, str, bool]]:
        return [(job.job_id, job.state.value, job.copy) for job in await spool.recent(10)]

    return asyncio.run(read())


def next_bytes(spool: Spool) -> bytes:
    async def read() -> bytes:
        job = await spool.next("main")
        assert job is not None
        return job.data

    return asyncio.run(read())


@pytest.mark.parametrize(("copy", "opens"), [(False, True), (True, False)])
def test_the_cash_drawer_stays_closed_for_a_copy(spool: Spool, copy: bool, opens: bool) -> None:
    """No money goes with a copy, whoever asks for one."""
    till = samples.sold()
    printer = SlipPrinter(name="main", profile=replace(PROFILE_80MM, drawer=True))
    slip_desk(spool, till, printer).enqueue(till.journal.entries[-1], language="en", copy=copy)
    assert (KICK in next_bytes(spool)) is opens


def test_a_documents_first_slip_is_one_job_however_often_it_is_handed_over(spool: Spool) -> None:
    """A retry of the sale prints nothing by itself."""
    till = samples.sold()
    desk, entry = slip_desk(spool, till), till.journal.entries[0]
    assert desk.enqueue(entry, language="ru") == SlipState(state="queued", printer="main")
    assert desk.enqueue(entry, language="en") == SlipState(state="queued", printer="main")
    assert jobs(spool) == [("sale:u1", "queued", False)]
    assert "Начислено".encode("cp866") in next_bytes(spool)


def test_a_copy_is_a_job_of_its_own_with_a_copy_mark(spool: Spool) -> None:
    """Each time it is asked for."""
    till = samples.sold()
    desk, entry = slip_desk(spool, till), till.journal.entries[0]
    desk.enqueue(entry, language="ru", copy=True)
    desk.enqueue(entry, language="ru", copy=True)
    listed = jobs(spool)
    assert [copy for _, _, copy in listed] == [True, True]
    assert len({job for job, _, _ in listed}) == 2
    assert "КОПИЯ".encode("cp866") in next_bytes(spool)


def test_the_state_is_of_the_documents_newest_slip(spool: Spool) -> None:
    """A void and its sale share a uid, and not a slip."""
    till = samples.sold()
    till.run(till.desk.void("u1"))
    desk = slip_desk(spool, till)
    assert desk.state("sale", "u1") == SlipState(state="none")
    desk.enqueue(till.journal.entries[0], language="ru")
    assert desk.state("sale", "u1") == SlipState(state="queued", printer="main")
    assert desk.state("void", "u1") == SlipState(state="none")
    desk.enqueue(till.journal.entries[1], language="ru")
    assert desk.state("void", "u1").state == "queued"
    assert [job for job, _, _ in jobs(spool)] == ["void:u1", "sale:u1"]


def test_without_a_printer_there_is_no_slip(spool: Spool) -> None:
    """And no trouble."""
    till = samples.sold()
    desk = slip_desk(spool, till, None)
    assert desk.enqueue(till.journal.entries[0], language="ru") == SlipState(state="none")
    with pytest.raises(DeskProblem, match="no_printer"):
        asyncio.run(office(desk, till).print_copy("u1", language="ru"))
    assert jobs(spool) == []


def test_a_sale_with_no_member_has_no_slip(spool: Spool) -> None:
    """There is nothing to tell."""
    till = samples.sold(None)
    assert slip_desk(spool, till).enqueue(till.journal.entries[0], language="ru") == SlipState(state="none")
    assert jobs(spool) == []


def test_a_full_or_stopped_queue_is_said_and_never_raised(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """The sale has been made."""
    till = samples.sold()
    spool.stop(5)
    with caplog.at_level(logging.WARNING):
        state = slip_desk(spool, till).enqueue(till.journal.entries[0], language="ru")
    assert state == SlipState(state="refused", printer="main")
    assert "stopped" in caplog.text


def test_a_slip_that_cannot_be_drawn_is_refused_and_the_next_one_goes_on(spool: Spool) -> None:
    """In the spool's thread, where no sale is."""
    till = samples.sold()
    desk, entry = slip_desk(spool, till), till.journal.entries[0]
    broken = msgspec.structs.replace(entry, uid="u0", body=b"{}")
    desk.enqueue(broken, language="ru")
    desk.enqueue(entry, language="ru")
    assert jobs(spool) == [("sale:u1", "queued", False), ("sale:u0", "refused", False)]


def test_a_slip_names_points_as_the_programme_of_its_sale_did(spool: Spool) -> None:
    """A copy printed after the programme changed says what the slip said."""
    entry, cents = samples.cents()
    till = FakeTill().know(anna())
    till.cache.programmes[cents.id, cents.version] = cents
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, version=2))
    desk = slip_desk(spool, till)
    assert desk.words_for(entry, "en").points(617) == "6.17 points"
    del till.cache.programmes[cents.id, cents.version]
    assert desk.words_for(entry, "en").points(617) == "617 points"


def test_the_office_gives_the_slip_in_every_form() -> None:
    """Blocks, text, a picture, the printer's bytes: of the same slip."""
    till = samples.sold()

    async def all_forms(desk: SlipOffice) -> tuple[object, ...]:
        return (
            await desk.blocks("u1", language="en", columns=None),
            await desk.text("u1", language="en", columns=None),
            await desk.text("u1", language="en", columns=32),
            await desk.png("u1", language="en", columns=None),
            await desk.escpos("u1", language="en", columns=32),
        )

    for printer in (None, PRINTER):
        desk = slip_desk(Spool(Path("unused")), till, printer)
        blocks, wide, narrow, png, escpos = asyncio.run(all_forms(office(desk, till)))
        assert isinstance(blocks, tuple)
        assert Text(text="Points", align="center") in blocks
        assert (wide, narrow) == (to_text(blocks, 48), to_text(blocks, 32))
        assert isinstance(png, bytes)
        assert png.startswith(b"\x89PNG")
        assert isinstance(escpos, bytes)
        assert b"Earned" in escpos


@pytest.mark.parametrize(
    ("own", "columns", "expected"),
    [
        (None, None, PROFILE_80MM),
        (None, 32, PROFILE_58MM),
        (Profile(columns=42), None, Profile(columns=42)),
        (Profile(columns=42), 42, Profile(columns=42)),
        (Profile(columns=42), 48, PROFILE_80MM),
    ],
)
def test_another_width_is_another_paper(own: Profile | None, columns: int | None, expected: Profile) -> None:
    """The printer's own unless another one is asked for."""
    till = samples.sold()
    printer = SlipPrinter(name="main", profile=own) if own else None
    made = office(slip_desk(Spool(Path("unused")), till, printer), till)
    assert made._profile(columns) == expected


def test_slips_of_voids_and_returns_and_of_nothing() -> None:
    """By kind; what is not there is not found."""
    till = samples.sold()
    till.run(till.desk.void("u1"))
    made = office(slip_desk(Spool(Path("unused")), till), till)
    assert "Cancelled receipt" in asyncio.run(made.text("u1", language="en", columns=48, kind="void"))
    with pytest.raises(DeskProblem, match="sale_unknown"):
        asyncio.run(made.text("u2", language="en", columns=48))


def test_a_reprint_is_a_copy_in_the_queue(spool: Spool) -> None:
    """Through the office, as the bridge asks for it."""
    till = samples.sold()
    desk = slip_desk(spool, till)
    assert asyncio.run(office(desk, till).print_copy("u1", language="en")).state == "queued"
    assert jobs(spool)[0][2] is True


def test_a_sale_is_answered_whatever_its_slip_does(spool: Spool) -> None:
    """The desk with a real queue whose printer's profile no slip fits."""
    till = samples.sold()
    till.slips = slip_desk(spool, till, SlipPrinter(name="main", profile=PROFILE_80MM))  # type: ignore[assignment]  # the real one
    till.desk = till.new_desk()
    answered = till.run(till.desk.sell("u2", SaleRequest(receipt=samples.receipt(1), member=samples.ANNA)))
    entry: Entry = till.journal.entries[-1]
    assert answered.body == entry.answer
    assert till.run(till.desk.sale("u2")).slip == SlipState(state="queued", printer="main")
