"""Slips of which something can't be printed: they come out plainer, and IT is told."""

import asyncio
from pathlib import Path

import pytest

from fakes import slip_samples as samples
from fakes.till import IDENTITY, FakeTill
from till_agent.slips import making
from till_agent.slips.desk import SlipPrinter, SpoolSlipDesk
from till_agent.slips.office import SlipOffice
from till_agent.slips.templates import SlipTemplates
from till_drivers.blocks import QrCode, Text
from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import PROFILE_58MM
from till_drivers.printers.render import render
from till_drivers.printers.text import LINE_LIMIT, PICTURE_LIMIT, to_text
from till_drivers.slips.template import SlipTemplate
from till_drivers.spool import Spool

HEAD = "{{ text('HEAD') }}\n"
CODES = {
    "a receipt's number that is no ASCII": "{{ barcode('Ч-118') }}",
    "a number that is no EAN": "{{ barcode(slip.number, symbology='ean13') }}",
    "a QR code too large for the paper": "{{ qrcode('" + "x" * 950 + "', correction='H') }}",
}
LINES = "{% for i in '" + "1" * 250 + "' %}{{ text('" + "x " * 400 + "') }}\n{% endfor %}"


def templates(source: str) -> SlipTemplates:
    return SlipTemplates(SlipTemplate(source, "ours.slip"))


def printed_slip(tmp_path: Path, till: FakeTill, own: SlipTemplates) -> tuple[str, bytes]:
    """State and bytes of a sale's slip in a real print queue."""
    spool = Spool(tmp_path / "spool.db")
    spool.start()
    desk = SpoolSlipDesk(
        spool,
        SlipPrinter(name="main", profile=PROFILE_58MM),
        till.cache,
        store_name=IDENTITY.store_name,
        time_zone=IDENTITY.time_zone,
        templates=own,
    )
    desk.enqueue(till.journal.entries[0], language="ru")

    async def read() -> tuple[str, bytes]:
        waiting = await spool.next("main")
        newest = (await spool.recent(1))[0]
        return newest.state.value, waiting.data if waiting is not None else b""

    try:
        return asyncio.run(read())
    finally:
        assert spool.stop(5)


def test_a_code_that_cannot_be_printed_stands_there_as_text(tmp_path: Path) -> None:
    """The rest of the slip is as it was designed, and the till's status says what is wrong."""
    for place, (name, source) in enumerate(CODES.items()):
        own = templates(HEAD + source)
        folder = tmp_path / str(place)
        folder.mkdir()
        state, data = printed_slip(folder, samples.sold(), own)
        assert (name, state) == (name, "queued")
        assert b"HEAD" in data
        assert "can't be printed" in own.trouble


def test_a_template_that_makes_metres_of_paper_gives_way_to_the_packaged_one(tmp_path: Path) -> None:
    """Its three hundred metres took 371 MB to draw, and 1.2 GB as a picture."""
    own = templates(HEAD + LINES)
    state, data = printed_slip(tmp_path, samples.sold(), own)
    assert state == "queued"
    assert "Начислено".encode("cp866") in data
    assert b"HEAD" not in data
    assert f"at most {LINE_LIMIT} lines" in own.trouble


def test_cash_software_gets_the_plainer_slip_too(tmp_path: Path) -> None:
    """Rather than a failure of the agent; in every form."""
    till = samples.sold()
    spool = Spool(tmp_path / "spool.db")
    desk = SpoolSlipDesk(
        spool, None, till.cache, store_name=IDENTITY.store_name, time_zone=IDENTITY.time_zone, templates=templates("")
    )
    for source, told in ((HEAD + CODES["a number that is no EAN"], "HEAD"), (LINES, "Начислено")):
        office = SlipOffice(
            till.desk.entry, desk, store_name="x", time_zone=IDENTITY.time_zone, templates=templates(source)
        )

        async def both(office: SlipOffice = office) -> tuple[bytes, bytes, str]:
            escpos = await office.escpos("u1", language="ru", columns=32)
            png = await office.png("u1", language="ru", columns=32)
            return escpos, png, await office.text("u1", language="ru", columns=32)

        escpos, png, text = asyncio.run(both())
        assert told.encode("cp866") in escpos
        assert png.startswith(b"\x89PNG")
        assert told in text


def test_lines_and_codes_of_a_slip_are_bounded() -> None:
    """To the last that fits; double lines are two."""
    line, double = Text(text="x"), Text(text="x", double=True)
    assert to_text([line] * LINE_LIMIT, 32).count("\n") == LINE_LIMIT
    render([line] * (LINE_LIMIT - 2) + [double], PROFILE_58MM)
    for blocks in ([line] * (LINE_LIMIT - 1) + [double], [QrCode(data="x")] * (PICTURE_LIMIT + 1)):
        with pytest.raises(RenderError, match="expected at most"):
            render(blocks, PROFILE_58MM)


def test_a_till_that_gives_up_at_once_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mistake that there was: the slip was refused for good."""
    monkeypatch.setattr(making, "_without_codes", lambda blocks: [*blocks, QrCode(data="")])
    state, _ = printed_slip(tmp_path, samples.sold(), templates(CODES["a number that is no EAN"]))
    assert state == "refused"
