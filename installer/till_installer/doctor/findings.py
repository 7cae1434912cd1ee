"""What the doctor's checks say: each of them one code, a state, what was found, and one thing to do."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]
"""`error`: sales, points or their way to the cloud are in danger now. `warning`: they will be, or help is harder."""
State = Literal["good", "bad", "skipped", "late", "broken"]
"""`skipped`: there is nothing to look at; `late`: it did not answer in time; `broken`: the check itself failed."""

GOOD_STATUS, WARNING_STATUS, ERROR_STATUS, BROKEN_STATUS = 0, 1, 2, 3
"""Exit statuses: all well; warnings; errors; the doctor itself failed, or was called wrongly."""


class NotLooked(Exception):  # noqa: N818 - an answer, not a fault
    """Raised when a check has nothing to look at; the message says why."""


class Mend(Struct, frozen=True):
    """A safe repair: what it will do, in words, and the doing, which says what it did. It never deletes data."""

    what: str
    do: Callable[[], str]


class Bad(Struct, frozen=True, kw_only=True):
    """What is wrong. `fix` instead of the check's own where this case needs another; `severity` likewise."""

    found: str
    fix: str = ""
    severity: Severity | None = None
    subject: str = ""
    """Name of the device that it is about."""
    fix_code: str = ""
    """Of `fix`, where `till_agent.fixes` has it."""
    mend: Mend | None = None


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one check, for people and programs. `fix` is "" unless something is to be done."""

    code: str
    area: str
    title: str
    state: State
    severity: Severity
    found: str = ""
    fix: str = ""
    subject: str = ""
    """Name of the device that it is about."""
    fix_code: str = ""
    """Of what to do about a device, as `till_agent.fixes` names it."""
    fixable: bool = False
    """`--fix` does it."""
    mended: str = ""
    """What `--fix` did."""
    took_ms: int = 0


class Report(Struct, frozen=True, kw_only=True):
    """All of it. `status` is the exit status."""

    status: int
    version: str
    till: str
    at_ms: int
    took_ms: int
    errors: int
    warnings: int
    findings: tuple[Finding, ...]

    @property
    def grave(self) -> tuple[Finding, ...]:
        """Those that keep a till from selling as it should."""
        return tuple(each for each in self.findings if each.state == "bad" and each.severity == "error")


def status_of(findings: tuple[Finding, ...]) -> int:
    """The gravest decides; a doctor that failed says so before all."""
    if any(each.state == "broken" for each in findings):
        return BROKEN_STATUS
    bad = [each for each in findings if each.state in ("bad", "late")]
    if any(each.severity == "error" and each.state == "bad" for each in bad):
        return ERROR_STATUS
    return WARNING_STATUS if bad else GOOD_STATUS
