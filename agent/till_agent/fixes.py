"""What to do about a device that does not work: one thing for each, by its state and its driver's words.

The one table of the command line, the status and its page; sentences are in `data/store/<language>.toml`.
"""

import re

from msgspec.structs import replace

from till_agent.api import Health
from till_agent.device_words import told
from till_agent.store_words import store_text

_FIXES = (
    (r"not plugged in|no such file|no such device|not there", "plug_in"),
    (r"could not open port .*permissionerror\(13, .*, none, 5\)", "end_other"),
    (r"could not open port .*filenotfounderror", "plug_in"),
    (r"permission denied|no permission|no right|access denied|can.t be opened", "give_right"),
    (r"exclusively lock|resource busy|in use|another program|held by", "end_other"),
    (r"expected one such device", "add_serial"),
    (r"cupsenable|cupsaccept|resume it", "resume_queue"),
    (r"paper near", "roll_at_hand"),
    (r"paper", "new_roll"),
    (r"cover", "close_cover"),
    (r"cutter", "free_cutter"),
    (r"answer to status requests", "status_false"),
    (r"without confirming", "look_at_slips"),
    (r"takes no data|not finished|stopped answering|switching off and on|^error$|^offline$", "switch_off_on"),
    (
        r"connect call failed|refused|timed out|no answer in|unreachable|name or service|getaddrinfo|no route",
        "look_at_network",
    ),
    (r"expected driver to be one of", "correct_driver"),
    (r"expected an importable driver|needs the package|hidapi|pyusb|no module named", "install_extras"),
    (r"not in hid-pos mode", "hid_pos"),
    (r"expected an input device", "name_input"),
    (r"nothing reads at its other end", "start_reader"),
    (r"cups is not running|spooler is not running", "start_print_service"),
    (r"queue", "compare_queue"),
    (r"its driver failed|driver .* failed", "look_at_log"),
)
"""The first that fits holds."""
_OF_STATE = {
    "absent": "plug_in",
    "lost": "look_at_cable",
    "fault": "look_and_switch",
    "degraded": "look_at_device",
    "disabled": "wait",
}
CODES = tuple(dict.fromkeys([code for _, code in _FIXES] + list(_OF_STATE.values())))
"""Every fix there is."""
WORKS = frozenset({"ready", "busy"})


def fix_code(state: str, detail: str) -> str:
    """The stable code of what to do; "" for a device that works."""
    if state in WORKS or (not state and not detail):
        return ""
    for pattern, code in _FIXES:
        if detail and re.search(pattern, detail, re.IGNORECASE):
            return code
    return _OF_STATE.get(state, "")


def fix_of(state: str, detail: str, language: str = "en") -> str:
    """What to do, in words; "" for a device that works."""
    code = fix_code(state, detail)
    return store_text(language, "fixes", code) if code else ""


def with_fix(device: Health, language: str) -> Health:
    """A device with what to do about it, and its driver's words in that language."""
    return replace(device, fix=fix_of(device.state, device.detail, language), detail=told(device.detail, language))
