"""Runs the checks beside one another, each with its own time: whatever hangs, the others answer and the doctor ends."""

import queue
import threading
import time
from typing import NamedTuple

from msgspec.structs import replace

from till_installer.doctor.catalogue import LIMIT_S, Check
from till_installer.doctor.findings import Bad, Finding, Mend, NotLooked, Report, State, status_of
from till_installer.doctor.scene import Scene
from till_installer.exceptions import InstallerError

TOTAL_S = 8.0
"""For all of them; what has not answered by then is told as late. The doctor is to take less than ten seconds."""
DEEP_TOTAL_S = 600.0
"""With `--deep`, which reads every row of a year."""
FOUND_LIMIT = 600
"""Letters of what a check found; errors of libraries may quote whole files."""


class Told(NamedTuple):
    """A finding, and how it can be mended."""

    finding: Finding
    mend: Mend | None = None


_Done = tuple[Check, list[Told]]


def examine(
    scene: Scene, checks: tuple[Check, ...], *, total_s: float = TOTAL_S, limit_s: float = LIMIT_S
) -> list[Told]:
    """What the checks found, in their order; never later than `total_s`. A thread that hangs is left behind."""
    done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
    for each in checks:
        threading.Thread(target=_look, args=(scene, each, done), name=f"doctor {each.code}", daemon=True).start()
    begun = time.monotonic()
    found: dict[str, list[Told]] = {}
    limits = {each.code: total_s if each.deep else min(limit_s, total_s) for each in checks}
    while len(found) < len(checks):
        left = begun + max(limits[each.code] for each in checks if each.code not in found) - time.monotonic()
        try:
            each, told = done.get(timeout=max(0.0, left))
        except queue.Empty:
            break
        found[each.code] = told
    return [one for each in checks for one in found.get(each.code) or [_late(each, limits[each.code])]]


def mend(scene: Scene, checks: tuple[Check, ...], told: list[Told]) -> tuple[Scene, list[Told]]:
    """Do what is safe, then look anew at all: one repair may mend several findings, or show another fault."""
    done: dict[str, str] = {}
    for each in told:
        if each.mend is None:
            continue
        try:
            said = each.mend.do()
        except (OSError, InstallerError) as exc:
            said = f"could not {each.mend.what}: {exc}"
        code = each.finding.code
        done[code] = f"{done[code]}; {said}" if code in done else said
    if not done:
        return scene, told
    anew = scene.anew()
    after = examine(anew, checks, total_s=DEEP_TOTAL_S if scene.deep else TOTAL_S)
    shown: set[str] = set()
    merged: list[Told] = []
    for each in after:
        code = each.finding.code
        said = done.get(code, "") if code not in shown else ""
        shown.add(code)
        merged.append(Told(replace(each.finding, mended=said), each.mend) if said else each)
    return anew, merged


def report_of(scene: Scene, told: list[Told], took_s: float) -> Report:
    """All of it, counted."""
    findings = tuple(each.finding for each in told)
    return Report(
        status=status_of(findings),
        version=scene.version,
        till=scene.till,
        at_ms=scene.now_ms(),
        took_ms=int(took_s * 1000),
        errors=sum(each.state == "bad" and each.severity == "error" for each in findings),
        warnings=sum((each.state == "bad" and each.severity == "warning") or each.state == "late" for each in findings),
        findings=findings,
    )


def _look(scene: Scene, check: Check, done: "queue.SimpleQueue[_Done]") -> None:
    begun = time.monotonic()
    try:
        told = _said(check, check.look(scene))
    except NotLooked as exc:
        told = [Told(_finding(check, "skipped", str(exc)))]
    except PermissionError as exc:
        why = f"{exc.filename or 'something'} may not be looked at by this user; run it as root or the agent's user"
        told = [Told(_finding(check, "skipped", why))]
    except Exception as exc:  # noqa: BLE001 - a check that fails is told as such, and hides no other
        told = [Told(_finding(check, "broken", f"the check itself failed: {type(exc).__name__}: {exc}"))]
    took_ms = int((time.monotonic() - begun) * 1000)
    done.put((check, [Told(replace(each.finding, took_ms=took_ms), each.mend) for each in told]))


def _said(check: Check, answer: "str | Bad | list[Bad]") -> list[Told]:
    if isinstance(answer, str):
        return [Told(_finding(check, "good", answer))]
    bad = answer if isinstance(answer, list) else [answer]
    return [_bad(check, each) for each in bad] or [Told(_finding(check, "good"))]


def _bad(check: Check, bad: Bad) -> Told:
    finding = replace(
        _finding(check, "bad", bad.found),
        severity=bad.severity or check.severity,
        fix=bad.fix or check.fix,
        subject=bad.subject,
        fix_code=bad.fix_code,
        fixable=bad.mend is not None,
    )
    return Told(finding, bad.mend)


def _late(check: Check, limit_s: float) -> Told:
    return Told(replace(_finding(check, "late", f"no answer within {limit_s:g} s"), fix=check.fix))


def _finding(check: Check, state: State, found: str = "") -> Finding:
    text = " ".join(found.split())
    return Finding(
        code=check.code,
        area=check.area,
        title=check.title,
        state=state,
        severity=check.severity,
        found=text if len(text) <= FOUND_LIMIT else text[:FOUND_LIMIT] + "...",
    )
