"""The agent's log: one JSON object a line on standard error, with nothing in it that names a member.

No caller logs a phone, card, code or token. Should one slip through, in a message or in an exception's text, long runs
of digits and bearer tokens are struck out here: a second line of defence, not the first.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

DIGITS_LIMIT = 9
"""Ten digits are a phone; times in milliseconds and counts go into named fields instead, which keep theirs."""
TEXT_LIMIT = 8_000
"""Letters of one text; a traceback takes about 3,000."""

_BETWEEN = r"(?:[ ()\-./+_\t\u00a0\u2000-\u200f\u2010-\u2015\u202f\u2060\u2212\u3000\ufeff]|%2[089BDbd]){0,3}"
"""What people, forms and addresses put between the digits of one number."""
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS = rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\d.])"
_DIGITS = re.compile(rf"({_ADDRESS})|\d(?:{_BETWEEN}\d){{{DIGITS_LIMIT},}}", re.ASCII)
_OTHER_DIGITS = re.compile(rf"\d(?:{_BETWEEN}\d){{{DIGITS_LIMIT},}}")
"""With those of other scripts and widths, which no address of a network is written in."""
_SECRET = re.compile(
    r"(?i)\b(bearer|basic|token|frontolauth)([\"']?(?:[ \u00a0=:]|%3[AD]|%20)+[\"']?)[A-Za-z0-9+/_=-]{16,}"
)
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SAFE_ENDS = ("_ms", "_ns", "_bytes", "_seq", "_port", "_count")
_SAFE_NAMES = frozenset({"port", "pid", "seq", "count"})
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def redact(text: str) -> str:
    """`text` without digit runs that could be a phone or a card, and without tokens."""
    text = _DIGITS.sub(lambda found: found[1] or "[digits]", _SECRET.sub(r"\1\2[secret]", text))
    return text if text.isascii() else _OTHER_DIGITS.sub(_unless_address, text)


def _unless_address(found: re.Match[str]) -> str:
    return found[0] if found[0].isascii() else "[digits]"


class JsonLines(logging.Formatter):
    """Time in UTC, level, logger, message, then the record's extra fields; line breaks and controls are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, always; a record that can't be worded says so."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(_message(record)),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in entry:
                entry[name] = _field(name, value)
        if record.exc_info and record.exc_info[0] is not None:
            entry["error"] = record.exc_info[0].__name__
            entry["where"] = _clean("".join(traceback.format_exception(*record.exc_info)))
        line = json.dumps(entry, ensure_ascii=False)
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} (its arguments did not fit)"


def _clean(text: str) -> str:
    return redact(text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "...")


def _field(name: str, value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        known = name in _SAFE_NAMES or name.endswith(_SAFE_ENDS)
        return value if known or abs(value) < 10**DIGITS_LIMIT else "[digits]"
    return _clean(str(value))


def set_up(level: str, stream: TextIO | None = None, *, file: Path | None = None) -> logging.Handler:
    """Send every log of the process to `stream` (standard error) at `level` (debug, info, warning, error).

    With `file` into that one and its predecessors instead, bounded in size and number.
    """
    handler: logging.Handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    if file is not None:
        from till_agent.log_files import LogFiles

        handler = LogFiles(file)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        if type(old) is not logging.StreamHandler:
            old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Libraries at their chattiest name addresses and headers of requests to the cloud.
    for noisy in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handler
