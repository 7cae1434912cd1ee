"""Writes docs/reference/doctor.md from the checks; `make reference` calls it, and a test holds the page to them.

`python -m till_installer.doctor.reference PAGE`
"""

import sys
from itertools import groupby
from pathlib import Path

from till_installer.doctor.every import all_checks

HEAD = """# What the doctor looks at

<!-- Made from the checks by `python -m till_installer.doctor.reference docs/reference/doctor.md`; a test keeps it. -->

`tillside doctor` makes these checks beside one another, each with a time limit of 4 s, all of them within 8 s. Codes
are stable. A check that has nothing to look at is skipped and says why. [Read the doctor](../how-to/read-the-doctor.md)
tells how to use it.

| exit status | meaning |
|---|---|
| 0 | all is well |
| 1 | warnings |
| 2 | errors |
| 3 | the doctor itself failed, or was called wrongly |

An **error** puts sales, points or their way to the cloud in danger now; a **warning** will, or makes help harder. A
finding may be graver or lighter than its check where the table says so. `--fix` does what the last column says, names
it, and deletes no data.
"""

READY = """
## What `tillside ready` adds

`tillside ready` makes the checks above, and tries a receipt, the printer and a scanner. Its JSON has codes and English
words; screen and paper say them in the till's language.

| code | step | means |
|---|---|---|
| `sale_failed` | sale | the agent did not work a receipt out |
| `print_failed` | printer | the test slip was not printed; the fix is that of the printer's trouble |
| `print_unknown` | printer | nobody knows whether it was: no word came from the printer, and no scanner read it |
| `nothing_scanned` | scanner | there is no printer, and no code was scanned within the time |
| `code_unread` | scanner | the printed code was not read within the time |
| `other_code` | scanner | another code was read than the printed one |
| `none_configured` | scanner, printer | skipped: the configuration names none |
| `left_out` | scanner | skipped by `--no-scan` |
| `no_slip` | scanner | skipped: no slip came out |
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    ordered = sorted(all_checks(), key=lambda each: _areas().index(each.area))
    for area, checks in groupby(ordered, key=lambda each: each.area):
        parts.append(f"\n## {area.capitalize()}\n\n")
        parts.append("| code | severity | well when | looks at | fix | `--fix` |\n|---|---|---|---|---|---|\n")
        for each in checks:
            cells = (f"`{each.code}`", each.severity, each.title, each.looks_at, each.fix, each.mends)
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join([*parts, READY])


def _areas() -> list[str]:
    return list(dict.fromkeys(each.area for each in all_checks()))


def main() -> None:
    """Write it to the file that was named."""
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
