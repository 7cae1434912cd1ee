"""What to do about a device that does not work: one thing for each, by its state and its driver's words."""

import re

_FIXES = (
    (r"not plugged in|no such file|no such device|not there", "plug it in, switch it on; then compare its line below"),
    (r"permission denied|no permission|no right|access denied|can.t be opened",
     "give the agent's user the right to open it, by its group below"),
    (r"exclusively lock|resource busy|in use|another program|held by", "end the other program that holds it"),
    (r"expected one such device", "add the serial number: `match = \"VID:PID:SERIAL\"`"),
    (r"cupsenable|cupsaccept|resume it", "mend what the message names, then resume the queue"),
    (r"paper near", "have a new roll at hand"),
    (r"paper", "put in a new roll of paper"),
    (r"cover", "close its cover"),
    (r"cutter", "open the cover, take out the jammed paper, switch it off and on"),
    (r"answer to status requests", "if its line goes one way only, set `status = false`"),
    (r"without confirming", "look whether the slips come; if they do, set `status = false`"),
    (r"takes no data|not finished|stopped answering|switching off and on|^error$|^offline$", "switch it off and on"),
    (r"connect call failed|refused|timed out|no answer in|unreachable|name or service|getaddrinfo|no route",
     "look at its power and network cable; compare `host` with the address on its self-test slip"),
    (r"expected driver to be one of", "correct `driver`, or install the package that brings it"),
    (r"expected an importable driver|needs the package|hidapi|pyusb|no module named",
     "install what the driver needs: `pip install 'tillside[camera,hid,usb]'`"),
    (r"not in hid-pos mode", "scan the code for HID-POS in the scanner's manual"),
    (r"expected an input device", "name it by `match`, or by a `port` under /dev/input/by-id"),
    (r"nothing reads at its other end", "start the program that reads the pipe"),
    (r"cups is not running|spooler is not running", "start the print service"),
    (r"queue", "compare `queue` with the names that this command lists"),
    (r"its driver failed|driver .* failed", "look into the agent's log and tell the driver's maker"),
)  # fmt: skip
"""The first that fits holds."""
_OF_STATE = {
    "absent": "plug it in and switch it on; then compare its line below",
    "lost": "look at its cable and power",
    "fault": "look at the device itself; then switch it off and on",
    "degraded": "look at the device itself",
    "disabled": "wait some seconds and look again",
}
WORKS = frozenset({"ready", "busy"})


def fix_of(state: str, detail: str) -> str:
    """What to do; "" for a device that works."""
    if state in WORKS or (not state and not detail):
        return ""
    for pattern, fix in _FIXES:
        if detail and re.search(pattern, detail, re.IGNORECASE):
            return fix
    return _OF_STATE.get(state, "")
