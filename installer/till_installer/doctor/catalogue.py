"""The list of all checks: each module of checks puts its own in, by a decorator that names what people are told."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from till_installer.doctor.findings import Bad, Severity

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

Answer = str | Bad | list[Bad]
"""What is well, in words; or what is not, a list where several things may be."""
Look = Callable[["Scene"], Answer]

LIMIT_S = 4.0
"""For one check: the longest wait within one, a connection to the cloud, is 3 s."""


class Check(Struct, frozen=True, kw_only=True):
    """One check. `looks_at` and `fix` stand in docs/reference/doctor.md; `mends`: what `--fix` does, "" for nothing."""

    code: str
    area: str
    title: str
    severity: Severity
    looks_at: str
    fix: str
    mends: str
    look: Look
    deep: bool = False
    """Only with `--deep`: it takes longer than ten seconds on a till of a year."""


_checks: dict[str, Check] = {}


def check(
    code: str,
    *,
    area: str,
    title: str,
    severity: Severity,
    looks_at: str,
    fix: str,
    mends: str = "",
    deep: bool = False,
) -> Callable[[Look], Look]:
    """Put a function into the list."""

    def put(look: Look) -> Look:
        if code in _checks:
            raise ValueError(f"expected one check of the code {code}, not two")
        _checks[code] = Check(
            code=code,
            area=area,
            title=title,
            severity=severity,
            looks_at=looks_at,
            fix=fix,
            mends=mends,
            look=look,
            deep=deep,
        )
        return look

    return put


def listed() -> tuple[Check, ...]:
    """Those of all modules that were imported."""
    return tuple(_checks.values())
