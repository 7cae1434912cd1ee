"""Print queues: CUPS by programs that behave as its own do, Windows' spooler behind its interface."""

import asyncio
import ctypes
import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from integration.drivers_printers.printers_rig import job, slip
from kit.loops import run
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost, TransportRefused, TransportStalled
from till_drivers.ports import Outcome
from till_drivers.printers import (
    EscposPrinter,
    cups_printer,
    file_printer,
    usb_printer,
    windows_printer,
)
from till_drivers.transports import CupsTransport, WindowsQueueTransport
from till_drivers.transports.windows_queue import RPC_S_SERVER_UNAVAILABLE, TROUBLES, Winspool
from till_drivers.transports.winspool import CtypesWinspool, SpoolerError

needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="CUPS is not on Windows")


def program(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n" + textwrap.dedent(script), encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


GOOD = "; ".join(
    f"echo '{line}'"
    for line in (
        "scheduler is running",
        "till accepting requests since today",
        "printer till is idle.  enabled since today",
    )
)
"""What CUPS 2.4 says of a queue that prints."""
TAKES = 'cat > "$0.slip"; echo "$@" > "$0.words"; echo "request id is till-12 (1 file(s))"'


def queue(folder: Path, *, lpstat: str = GOOD, lp: str = TAKES) -> CupsTransport:
    return CupsTransport("till", lp=program(folder, "lp", lp), lpstat=program(folder, "lpstat", lpstat))


def printer_on(transport: CupsTransport | WindowsQueueTransport) -> EscposPrinter:
    return EscposPrinter("queue", transport, status=False, keep_open=False)


@needs_shell
def test_a_slip_that_the_queue_took_is_accepted_whole_and_raw(tmp_path: Path) -> None:
    """More bytes than a pipe holds; its title names nobody; programs come from PATH as from a path."""

    async def go() -> None:
        data = slip("1") + bytes(300_000)
        printer = printer_on(queue(tmp_path))
        assert await printer.submit(job("1", data), 10_000) is Outcome.ACCEPTED
        assert (tmp_path / "lp.slip").read_bytes() == data
        assert (tmp_path / "lp.words").read_text() == "-d till -o raw -t Tillside\n"
        assert (await printer.status()).state == "ready"
        await printer.stop()

    run(go())


@needs_shell
@pytest.mark.parametrize(
    ("lpstat", "error", "words"),
    [
        ("echo 'lpstat: Invalid destination name in list \"till\".' >&2; exit 1", TransportAbsent, "no queue of that"),
        ("echo 'lpstat: Bad file descriptor' >&2; exit 1", TransportAbsent, "CUPS is not running"),
        ("echo 'scheduler is not running'", TransportAbsent, "CUPS is not running"),
        ("echo 'lpstat: never heard' >&2; exit 3", TransportAbsent, "never heard"),
        (GOOD.replace("is idle.  enabled", "disabled") + "; printf '\\tout of service\\n'", TransportRefused,
         r"stopped: cupsenable \(out of service\)"),
        (GOOD.replace("till accepting", "till not accepting"), TransportRefused, "cupsaccept"),
        ("exec sleep 20", TransportAbsent, "no answer in 300 ms"),
    ],
)  # fmt: skip
def test_a_queue_that_can_not_print_is_told_before_the_first_byte(
    tmp_path: Path, lpstat: str, error: type[Exception], words: str
) -> None:
    """Missing, stopped, not accepting, no CUPS: each by its name."""
    with pytest.raises(error, match=words):
        run(queue(tmp_path, lpstat=lpstat).open(300))


@needs_shell
@pytest.mark.parametrize(
    ("lp", "outcome", "words"),
    [
        ("echo 'lp: Error - The printer or class does not exist.' >&2; exit 1", Outcome.REFUSED, "no queue of that"),
        ("echo 'lp: Destination \"till\" is not accepting jobs.' >&2; exit 1", Outcome.REFUSED, "cupsaccept"),
        ("echo 'lp: Bad file descriptor' >&2; exit 1", Outcome.UNKNOWN, "ended with 1"),
        ("kill -9 $$", Outcome.UNKNOWN, "ended with -9"),
        ("exec sleep 20", Outcome.UNKNOWN, "takes no data"),
    ],
)
def test_a_slip_is_refused_only_when_cups_itself_said_no(tmp_path: Path, lp: str, outcome: Outcome, words: str) -> None:
    """A line that broke, a program that died or hangs: the slip may be in the queue."""

    async def go() -> None:
        printer = printer_on(queue(tmp_path, lp=lp))
        assert await printer.submit(job("1"), 700) is outcome
        assert words in (await printer.status()).detail
        await printer.stop()

    run(go())


@needs_shell
def test_without_the_programs_of_cups_the_package_is_named_and_a_vanished_lp_refuses(tmp_path: Path) -> None:
    """Before a byte could go."""

    async def go() -> None:
        with pytest.raises(TransportAbsent, match="cups-client"):
            await CupsTransport("till", lpstat=str(tmp_path / "none")).open(1_000)
        transport = CupsTransport("till", lp=str(tmp_path / "none"), lpstat=program(tmp_path, "lpstat", GOOD))
        with pytest.raises(TransportLost, match="not open"):
            await transport.write(b"slip", 1_000)
        await transport.open(2_000)
        with pytest.raises(TransportRefused, match="No such file"):
            await transport.write(b"slip", 1_000)
        with pytest.raises(TransportLost, match="can't be read"):
            await transport.read(1, 10)
        await transport.close(500)

    run(go())


@needs_shell
def test_a_stop_ends_the_program_that_runs(tmp_path: Path) -> None:
    """Nobody waits for it, and it is not left behind; the job is UNKNOWN."""

    async def go() -> None:
        printer = printer_on(queue(tmp_path, lp='echo $$ > "$0.pid"; exec sleep 20'))
        under_way = asyncio.ensure_future(printer.submit(job("1"), 15_000))
        told = tmp_path / "lp.pid"
        while not (told.exists() and told.read_text().strip()):
            await asyncio.sleep(0.01)
        await printer.stop()
        assert await under_way is Outcome.UNKNOWN
        number = int(told.read_text())
        while Path(f"/proc/{number}").exists():
            await asyncio.sleep(0.01)

    run(go())


@pytest.mark.parametrize("name", ["", "-o", "two words", "a#b", "a/b", "кухня"])
def test_what_can_be_no_queue_of_cups_is_an_error_of_settings(name: str) -> None:
    """It would be an option to `lp`, or never found."""
    with pytest.raises(SettingsError, match="name of a queue"):
        CupsTransport(name)


class Spooler:
    """Implements `Winspool`: documents in memory."""

    def __init__(self) -> None:
        self.bits = 0
        self.fails: dict[str, int] = {}
        self.takes: int | None = None
        self.documents: list[tuple[str, bytes]] = []
        self.calls: list[str] = []
        self._data = b""

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if number := self.fails.get(name):
            raise SpoolerError(number)

    def open(self, queue: str) -> int:
        self._call("open")
        return 7

    def status(self, handle: int) -> int:
        self._call("status")
        return self.bits

    def start(self, handle: int, title: str) -> None:
        self._call("start")
        self._data = b""

    def write(self, handle: int, data: bytes) -> int:
        self._call("write")
        taken = len(data) if self.takes is None else min(self.takes, len(data))
        self._data += data[:taken]
        return taken

    def end(self, handle: int) -> None:
        self._call("end")
        self.documents.append(("Tillside", self._data))

    def abort(self, handle: int) -> None:
        self._call("abort")

    def close(self, handle: int) -> None:
        self._call("close")


def windows(spooler: Spooler) -> WindowsQueueTransport:
    api: Winspool = spooler
    return WindowsQueueTransport("POS-80", api=lambda: api)


def test_a_slip_is_one_raw_document_and_accepted() -> None:
    """In pieces, then ended and let go of."""
    spooler = Spooler()
    spooler.takes = 1_000
    data = slip("1", lines=200)
    assert run(printer_on(windows(spooler)).submit(job("1", data), 5_000)) is Outcome.ACCEPTED
    assert spooler.documents == [("Tillside", data)]
    assert spooler.calls[-2:] == ["end", "close"]
    assert "abort" not in spooler.calls


@pytest.mark.parametrize(("bit", "words"), TROUBLES)
def test_a_queue_in_trouble_gets_no_slip(bit: int, words: str) -> None:
    """Its word is the state's; nothing is begun; the handle is given back."""
    spooler = Spooler()
    spooler.bits = bit

    async def go() -> None:
        printer = printer_on(windows(spooler))
        assert await printer.submit(job("1"), 1_000) is Outcome.REFUSED
        health = await printer.status()
        assert (health.state, health.detail) == ("fault", f"POS-80: {words}")

    run(go())
    assert spooler.calls[:3] == ["open", "status", "close"]
    assert "start" not in spooler.calls


@pytest.mark.parametrize(
    ("fails", "outcome", "words"),
    [
        ({"open": 1801}, Outcome.REFUSED, "no queue of that name"),
        ({"open": RPC_S_SERVER_UNAVAILABLE}, Outcome.REFUSED, "spooler is not running"),
        ({"status": 5}, Outcome.REFUSED, "may not print"),
        ({"start": 5}, Outcome.REFUSED, "may not print"),
        ({"start": 9999}, Outcome.REFUSED, "Windows error 9999"),
        ({"write": 9999}, Outcome.UNKNOWN, "Windows error 9999"),
        ({"end": 9999}, Outcome.UNKNOWN, "Windows error 9999"),
    ],
)
def test_only_what_was_not_begun_is_refused(fails: dict[str, int], outcome: Outcome, words: str) -> None:
    """Behind StartDocPrinter nobody knows what the spooler has sent on; what is left of it is thrown away."""
    spooler = Spooler()
    spooler.fails = fails

    async def go() -> None:
        printer = printer_on(windows(spooler))
        assert await printer.submit(job("1"), 1_000) is outcome
        assert words in (await printer.status()).detail

    run(go())
    assert ("abort" in spooler.calls) == (outcome is Outcome.UNKNOWN)
    assert spooler.documents == []


def test_a_spooler_that_takes_nothing_is_in_doubt_since_the_document_was_begun() -> None:
    """No byte of it is taken back by us alone."""
    spooler = Spooler()
    spooler.takes = 0

    async def go() -> None:
        transport = windows(spooler)
        await transport.open(500)
        with pytest.raises(TransportStalled) as stalled:
            await transport.write(b"slip", 500)
        assert stalled.value.sent > 0
        with pytest.raises(TransportLost, match="can't be read"):
            await transport.read(1, 10)
        await transport.close(500)
        with pytest.raises(TransportLost, match="not open"):
            await transport.write(b"slip", 500)

    run(go())


class Library:
    """winspool.drv as ctypes would call it: the same functions, and the structures read back."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.result = 1

        def function(name: str) -> Any:
            def call(*arguments: Any) -> int:
                return self._called(name, arguments)

            return call

        for name in ("OpenPrinterW", "GetPrinterW", "StartDocPrinterW", "WritePrinter", "EndDocPrinter",
                     "AbortPrinter", "ClosePrinter"):  # fmt: skip
            setattr(self, name, function(name))

    def _called(self, name: str, arguments: tuple[Any, ...]) -> int:
        told: Any = arguments[1:]
        match name:
            case "OpenPrinterW":
                arguments[1]._obj.value, told = 42, arguments[0]
            case "GetPrinterW":
                arguments[2]._obj.value, told = 0x10, (arguments[1], arguments[3])
            case "StartDocPrinterW":
                info = arguments[2]._obj
                told = (arguments[1], info.name, info.output_file, info.data_type)
            case "WritePrinter":
                arguments[3]._obj.value, told = len(arguments[1]), arguments[1][: arguments[2]]
            case _:
                pass
        self.calls.append((name, told))
        return self.result


def test_the_spoolers_functions_are_called_as_winspool_h_has_them() -> None:
    """Level 6 of four bytes, a DOC_INFO_1 with RAW, zero bytes and all; an error carries Windows' number."""
    library = Library()
    api = CtypesWinspool(library, lambda: 1801)
    handle = api.open("POS-80")
    assert (handle, api.status(handle)) == (42, 0x10)
    api.start(handle, "Tillside")
    assert api.write(handle, b"a\x00b") == 3
    api.end(handle)
    api.abort(handle)
    api.close(handle)
    assert library.calls == [
        ("OpenPrinterW", "POS-80"),
        ("GetPrinterW", (6, ctypes.sizeof(ctypes.c_uint32))),
        ("StartDocPrinterW", (1, "Tillside", None, "RAW")),
        ("WritePrinter", b"a\x00b"),
        ("EndDocPrinter", ()),
        ("AbortPrinter", ()),
        ("ClosePrinter", ()),
    ]
    library.result = 0
    with pytest.raises(OSError, match="1801") as failed:
        api.open("POS-81")
    assert isinstance(failed.value, SpoolerError)
    assert failed.value.winerror == 1801


def test_factories_of_the_new_links_name_what_is_wrong() -> None:
    """Before anything is opened; on another system the driver that fits is named."""
    good: dict[str, Any] = {
        "name": "p", "host": "", "port": 9100, "device": "/dev/usb/lp0", "baud_rate": 9600, "width_dots": 576,
        "columns": 48, "code_page": "cp866", "code_page_number": 17, "cut": True, "drawer": False, "status": True,
        "match": "04b8:0202", "queue": "till", "cut_mode": "partial", "native_qr": True, "density": 0, "logo": "",
    }  # fmt: skip
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (file_printer, {"device": ""}, "expected device"),
        (usb_printer, {"match": "04b8"}, "VID:PID"),
        (cups_printer, {"queue": ""}, "name of a queue"),
        (windows_printer, {"queue": ""}, "expected queue"),
        (cups_printer, {"columns": 1}, "columns"),
    ]
    if os.name != "nt":
        wrong.append((windows_printer, {}, "expected Windows"))
        for factory in (file_printer, usb_printer, cups_printer):
            assert factory(SimpleNamespace(**good)).device_id == "p"
    for factory, change, words in wrong:
        with pytest.raises(SettingsError, match=words):
            factory(SimpleNamespace(**(good | change)))


@needs_shell
def test_an_error_of_ours_while_lp_runs_leaves_the_slip_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a program that could not be started: the slip was refused, and printed a second time."""

    async def go() -> None:
        printer = printer_on(queue(tmp_path))
        assert (await printer.status()).state == "ready"
        real = subprocess.Popen.communicate

        def failing(process: Any, *args: Any, **options: Any) -> Any:
            if process.args[0].endswith("lp"):
                real(process, *args, **options)
                raise OSError(errno.EIO, "a pipe of ours broke")
            return real(process, *args, **options)

        monkeypatch.setattr(subprocess.Popen, "communicate", failing)
        assert await printer.submit(job("1", slip("1")), 10_000) is Outcome.UNKNOWN
        assert (tmp_path / "lp.slip").read_bytes() == slip("1")
        await printer.stop()

    run(go())
