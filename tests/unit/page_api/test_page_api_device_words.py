"""Drivers' words in the languages of store IT: whole sentences, names and the system's own words in brackets."""

import json
import re
from pathlib import Path

import msgspec
import pytest

import till_agent.pages
from till_agent.api import Health
from till_agent.device_words import CODES, cause_of, told
from till_agent.fixes import fix_code, with_fix
from till_agent.status import Facts, problems
from till_agent.store_words import store_catalogue
from till_agent.texts import LANGUAGES
from till_drivers.printers import conversation, printer
from till_drivers.spool_store import CUT_SHORT, TOO_OLD
from till_drivers.states import DeviceState
from till_drivers.transports import usb_printers, windows_queue
from unit.page_api.test_page_api_status_words import FULL

ASSETS = Path(till_agent.pages.__file__).parent / "assets"
OTHERS = tuple(language for language in LANGUAGES if language != "en")
SAID = {
    "COM9: not plugged in": ("not_plugged_in", "COM9"),
    "0c2e:0b61: expected one such device, not 2; name its serial number": ("several", "0c2e:0b61"),
    "0c2e:0b61: plugged in, but not in HID-POS mode; scan its code for that from its manual": (
        "not_hid_pos",
        "0c2e:0b61",
    ),
    "10.0.0.9:9100: no answer in 800 ms": ("no_answer", "10.0.0.9:9100"),
    "/dev/usb/lp0: no answer to open in 800 ms": ("no_answer", "/dev/usb/lp0"),
    "receipts: CUPS gave no answer in 800 ms": ("queue_silent", "receipts"),
    "receipts: CUPS has no queue of that name": ("no_queue", "receipts"),
    "receipts: the queue is stopped: cupsenable": ("queue_stopped", "receipts"),
    "receipts: the queue is stopped: resume it": ("queue_stopped", "receipts"),
    "receipts: offline": ("printer_off", "receipts"),
    "receipts: error": ("printer_error", "receipts"),
    "10.0.0.9:9100: the printer does not read": ("takes_nothing", "10.0.0.9:9100"),
    "10.0.0.9:9100: the printer closed the connection": ("closed", "10.0.0.9:9100"),
    "/dev/ttyACM0: the driver hangs in a read": ("driver_hangs", "/dev/ttyACM0"),
    "no picture in 3 s": ("no_picture", ""),
    "the print queue is full": ("spool_full", ""),
    "driver failed: ValueError": ("driver_failed", "ValueError"),
    f"0416:5011: {usb_printers.NO_PERMISSION}": ("no_right", "0416:5011"),
    "/dev/x: [Errno 13] could not open port /dev/x: [Errno 13] Permission denied: '/dev/x'": (
        "no_right",
        "/dev/x: [Errno 13] could not open port /dev/x: [Errno 13] Permission denied: '/dev/x'",
    ),
    "/dev/x: device reports readiness to read but returned no data (device disconnected or multiple access on port?)": (
        "closed",
        "/dev/x",
    ),
    "COM3: could not open port 'COM3': PermissionError(13, 'Отказано в доступе.', None, 5)": ("held", "COM3"),
    "COM3: could not open port 'COM3': FileNotFoundError(2, 'Не удается найти указанный файл.', None, 2)": (
        "not_plugged_in",
        "COM3",
    ),
    "COM3: ClearCommError failed (PermissionError(13, 'Устройство не опознает команду.', None, 22))": (
        "closed",
        "COM3",
    ),
    "/dev/usb/lp0: unplugged": ("not_plugged_in", "/dev/usb/lp0"),
    "/dev/usb/lp0: the printer is out of paper": ("paper_out", "/dev/usb/lp0"),
    "/dev/usb/lp0: nothing reads at its other end": ("takes_nothing", "/dev/usb/lp0"),
    "/dev/usb/lp0: another program holds the printer (CUPS?)": ("held", ""),
    "0416:5011: the line to the printer broke": ("closed", "0416:5011"),
    "0c2e:0b61: can't be opened: open failed": ("no_right", "0c2e:0b61"),
    "10.0.0.9:9100: Connection refused": ("refused", "10.0.0.9:9100"),
    "10.0.0.9:9100: No route to host": ("no_answer", "10.0.0.9:9100"),
    "10.0.0.9:9100: Network is unreachable": ("no_answer", "10.0.0.9:9100"),
    "printer.local:9100: the name has no address": ("no_such_host", "printer.local:9100"),
    "receipts: Windows has no queue of that name": ("no_queue", "receipts"),
    "receipts: the print spooler is not running": ("no_spooler", "receipts"),
    "/dev/ttyACM0: expected the device's driver to answer, not 3 calls hanging": ("driver_hangs", "/dev/ttyACM0"),
    "frob the gizmo": ("", "frob the gizmo"),
}
OWN = (
    *conversation.FAULTS,
    *[words for _, words in windows_queue.TROUBLES],
    *(printer.NO_ANSWER, printer.WENT_SILENT, printer.TAKES_NOTHING, printer.STILL_BUSY, printer.NO_PROOF),
    *("paper near its end", TOO_OLD, CUT_SHORT),
)
"""What our drivers say of a device, with no name in it."""


@pytest.mark.parametrize("detail", SAID)
def test_a_drivers_sentence_has_its_cause_and_what_stays_of_it_is_apart(detail: str) -> None:
    code, rest = SAID[detail]
    assert cause_of(detail) == (code, rest)
    for language in OTHERS:
        words = store_catalogue(language)["causes"][code] if code else ""
        assert told(detail, language) == " ".join(filter(None, [words, rest and f"({rest})"]))
    assert told(detail, "en") == detail


@pytest.mark.parametrize(
    ("refused", "fix"),
    [("PermissionError(13, '{}', None, 5)", "end_other"), ("FileNotFoundError(2, '{}', None, 2)", "plug_in")],
)
def test_a_com_port_is_told_alike_on_a_windows_of_any_language(refused: str, fix: str) -> None:
    """Its sentence is the system's own; its numbers are the same everywhere."""
    for words in ("Access is denied.", "Отказано в доступе.", "Не удается найти указанный файл."):
        assert fix_code("absent", f"COM3: could not open port 'COM3': {refused.format(words)}") == fix


def test_a_slip_is_called_so_in_ukrainian() -> None:
    """By its Ukrainian letters: in Russian ones it stood in one sentence of forty."""
    files = [ASSETS.parent.parent / "data/store/uk.toml", *ASSETS.glob("*/words/uk.json")]
    assert [path for path in files if re.search("слип", path.read_text(encoding="utf-8"), re.IGNORECASE)] == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("detail", OWN)
def test_all_that_drivers_say_of_a_device_is_said_without_a_word_of_english(detail: str, language: str) -> None:
    words = told(detail, language)
    assert words
    assert not re.search("[A-Za-z]", words.replace("HID-POS", "")), words


@pytest.mark.parametrize("language", OTHERS)
def test_a_problem_of_a_device_is_a_sentence_of_one_language(language: str) -> None:
    """English stands in brackets, or nowhere; and the list of devices says it in the same words."""
    for state in DeviceState:
        for detail in (*SAID, *OWN, ""):
            device = Health(device="1", role="scanner", state=state.value, detail=detail)
            facts: Facts = msgspec.structs.replace(FULL, devices=(device,))
            for said in problems(facts, language):
                if said.code == f"scanner_{state.value}":
                    apart = re.sub(r"\(.*\)", "", said.text).replace("HID-POS", "")
                    assert not re.search("[A-Za-z]", apart), said.text
                    assert with_fix(device, language).detail in said.text
    assert told("absent", language) == store_catalogue(language)["states"]["absent"]


def test_a_problem_of_a_device_reads_as_people_speak() -> None:
    """In English the driver's own words are in brackets too."""
    devices = (
        Health(device="receipt", role="printer", state="fault", detail="paper out"),
        Health(device="hand", role="scanner", state="lost", detail="COM9: not plugged in"),
        Health(device="desk", role="scanner", state="absent", detail="frob"),
        Health(device="bare", role="scanner", state="lost"),
    )
    facts = msgspec.structs.replace(FULL, devices=devices)
    wanted = {
        "ru": [
            "принтер receipt: неисправен, кончилась бумага",
            "сканер hand: отключился, устройство не подключено (COM9)",
            "сканер desk: не найден (frob)",
            "сканер bare: отключился",
        ],
        "en": [
            "printer receipt: fault (paper out)",
            "scanner hand: unplugged (COM9: not plugged in)",
            "scanner desk: not found (frob)",
            "scanner bare: unplugged",
        ],
    }
    for language, texts in wanted.items():
        assert [each.text for each in problems(facts, language) if each.code.startswith(("scan", "printer"))] == texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_state_has_one_word_wherever_it_is_read(language: str) -> None:
    """In problems, on the status page and in the cashier's panel: two words would be taken for two states."""
    states = store_catalogue(language)["states"]
    words = {page: json.loads((ASSETS / page / f"words/{language}.json").read_text()) for page in ("status", "panel")}
    for state, word in states.items():
        assert words["status"][f"state.{state}"] == word[0].upper() + word[1:]
        role = store_catalogue(language)["roles"]["scanner"]
        told_here = words["panel"].get(f"scanner.{state}")
        assert told_here is None or told_here == f"{role[0].upper()}{role[1:]} {word}"
    assert words["panel"]["scanner.lost"]
    assert len(set(states.values())) == len(states)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_has_a_sentence_and_no_sentence_is_of_nothing(language: str) -> None:
    assert set(store_catalogue(language)["causes"]) == CODES
