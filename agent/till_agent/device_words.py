"""Why a device does not work, in the language of whoever looks: what drivers say, sentence by sentence.

Drivers speak English. What is known of their words is said in the five languages (`[causes]` of `data/store`); what
stays of them (a device's name, the system's own words) is set behind it in brackets, never within the sentence.
"""

import re

from msgspec import Struct

from till_agent.store_words import ENGLISH, store_catalogue, store_text

_CAUSES = (
    (r"expected one such device, not \d+(; name its serial number)?", "several"),
    (r"plugged in, but not in HID-POS mode(; scan its code for that from its manual)?", "not_hid_pos"),
    # Of a COM port: Windows says so in its own language, but with its numbers. Nobody but another program denies one.
    (r"could not open port .*FileNotFoundError\(2, .*", "not_plugged_in"),
    (r"could not open port .*PermissionError\(13, .*, None, 5\).*", "held"),
    (r"\w+ failed \((OSError|PermissionError)\(\d+, .*, None, \d+\)\)", "closed"),
    (r"not plugged in|unplugged$|no such file or directory|no such device", "not_plugged_in"),
    (r"no permission to use it(: a udev rule has to give the agent's user this device)?", "no_right"),
    (r"permission denied|access (is )?denied|can.t be opened: open failed", "no_right"),
    (r"could not exclusively lock port|.*resource busy|.*another program (may )?holds? (it|the printer.*)", "held"),
    (r"gives no answer to status requests(; set status = false if its line goes one way only)?", "no_status"),
    (r"stopped answering: switched off\?", "went_silent"),
    (r"(CUPS|the spooler) (gave no answer in \d+ ms|did not take the slip in time)", "queue_silent"),
    (r"no answer (to open )?in \d+ ms|timed out|no route to host|(host|network) is unreachable", "no_answer"),
    (r".*connect call failed.*|connection refused", "refused"),
    (r"name or service not known|.*getaddrinfo failed.*|temporary failure in name resolution", "no_such_host"),
    (r"the name has no address", "no_such_host"),
    (r"takes no data|nothing reads at its other end", "takes_nothing"),
    (r"the (printer|device|spooler) (takes no bytes|stopped taking bytes|does not read)", "takes_nothing"),
    (r"has not finished the last slip", "still_busy"),
    (r"prints without confirming it", "no_proof"),
    (r"paper near its end", "paper_near_end"),
    (r"paper out|the printer is out of paper", "paper_out"),
    (r"paper jammed", "paper_jammed"),
    (r"cover open", "cover_open"),
    (r"cutter jammed", "cutter_jammed"),
    (r"error that only switching off and on can clear", "needs_switching"),
    (r"error that opening and closing the cover can clear", "needs_cover"),
    (r"error that passes by itself: too hot\?", "too_hot"),
    (r"wants a person|^error$|(?<=: )error$", "printer_error"),
    (r"^offline$|(?<=: )offline$|not available", "printer_off"),
    (r"(CUPS|Windows) has no queue of that name", "no_queue"),
    (r"the queue takes no jobs: cupsaccept|the queue is being deleted", "queue_shut"),
    (r"the queue is stopped: (cupsenable|resume it)", "queue_stopped"),
    (r"(CUPS|the (print )?spooler) is not running", "no_spooler"),
    (r"expected the programs of CUPS \(package cups-client\)", "no_spooler"),
    (r"the print queue is (full|too-large)", "spool_full"),
    (r"the print queue is stopped", "spool_stopped"),
    (r"waited too long for the printer", "too_old"),
    (r"the till stopped while it was printing", "cut_short"),
    (r"(its )?driver failed", "driver_failed"),
    (
        r"the driver hangs in a (read|write)|expected the device's driver to answer, not \d+ calls hanging",
        "driver_hangs",
    ),
    (r"the printer closed the connection|the line to the printer broke|not (open|connected)$|closed$", "closed"),
    (r"device reports readiness to read but returned no data.*", "closed"),
    (r"no picture in \d+ s|gives no picture|the stream has ended", "no_picture"),
    (r"the camera gives no more pictures: unplugged\?", "no_picture"),
    (r"no module named .*|.*needs the package .*|expected (an importable driver|driver to be one of).*", "no_driver"),
)
"""The first that is found holds, so the narrow ones come first."""
CODES = frozenset([code for _, code in _CAUSES])
"""Every cause there is."""
_NAME = re.compile(r"\S+")
_EDGES = " :;,.()"


def cause_of(detail: str) -> tuple[str, str]:
    """The code of what a driver says, "" for what is not known, and what is to be set behind it."""
    for pattern, code in _CAUSES:
        found = re.search(pattern, detail, re.IGNORECASE)
        if found is not None:
            rest = f"{detail[: found.start()].strip(_EDGES)} {detail[found.end() :].strip(_EDGES)}".strip()
            # Where more is left than a name, it is the system's own sentence: support reads it as it was.
            return code, rest if not rest or _NAME.fullmatch(rest) else detail
    return "", detail


class Why(Struct, frozen=True):
    """What a driver says, as the end of a sentence."""

    detail: str

    def said(self, language: str) -> str:
        """In words, with what sets them apart from the sentence; "" for nothing."""
        words = told(self.detail, language)
        if not words:
            return ""
        if language == ENGLISH:
            return f" ({words})"
        return f" {words}" if words.startswith("(") else f", {words}"


def told(detail: str, language: str) -> str:
    """What a driver says, in a language: a cause with the rest in brackets; the driver's own words in English."""
    if language == ENGLISH or not detail:
        return detail
    if detail in store_catalogue(language)["states"]:
        return store_text(language, "states", detail)
    code, rest = cause_of(detail)
    behind = f"({rest})" if rest else ""
    return f"{store_text(language, 'causes', code) if code else ''} {behind}".strip()
