"""Runs the version of Tillside that the file `current` names. In an installation this very file is `starter\\start.py`.

The service and the command `tillside` both begin here, so that neither has to be changed when the version is. It has a
Python of its own beside it and uses nothing but that one's library. A version that is not there is no reason to sell
nothing: the one before it is run then, and says so.

First words of its own: `--windows` runs `till_installer.windows` instead; `--service FILE` says that the service runs
it, and counts in that file how often.

Exit status: the version's own; 72 when there is no version to run.
"""

import signal
import subprocess
import sys
from pathlib import Path

POINTERS = ("current", "previous")
EXIT_NO_VERSION = 72
NAME_LIMIT = 64
WINDOWS, SERVICE = "--windows", "--service"


def chosen(programs: Path) -> tuple[Path | None, str]:
    """The interpreter to run, and a remark when it is not the one that `current` names."""
    remark = ""
    for pointer in POINTERS:
        name = _named(programs / pointer)
        python = programs / "versions" / name / "python.exe"
        if name and python.is_file():
            return python, remark
        remark = f"{pointer} names {name or 'no version'}, which is not there"
    return None, remark


def _named(pointer: Path) -> str:
    try:
        name = pointer.read_bytes()[: NAME_LIMIT + 1].decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    is_plain = bool(name) and len(name) <= NAME_LIMIT and name[0].isalnum()
    return name if is_plain and not set(name) & set('/\\:*?"<>|') else ""


def count(file: Path) -> None:
    """One more start since the service was started by hand, which empties the file. A full disk is no reason not to."""
    try:
        with file.open("ab") as starts:
            starts.write(b".")
    except OSError as error:
        sys.stderr.write(f"tillside: {file} takes nothing: {error.strerror}\n")


def main() -> int:
    """Run it with our own words, and end as it ends. Ctrl-C and Ctrl-Break reach it by the console that we share."""
    programs = Path(__file__).resolve().parent.parent
    python, remark = chosen(programs)
    if remark:
        sys.stderr.write(f"tillside: {remark}\n")
    if python is None:
        sys.stderr.write("tillside: there is no version to run; run the set-up again\n")
        return EXIT_NO_VERSION
    for number in (signal.SIGINT, getattr(signal, "SIGBREAK", signal.SIGINT)):
        signal.signal(number, lambda *_: None)
    words, module = sys.argv[1:], "till_installer"
    if words[:1] == [SERVICE]:
        count(Path(words[1]))
        words = words[2:]
    if words[:1] == [WINDOWS]:
        module, words = "till_installer.windows", words[1:]
    child = subprocess.Popen([str(python), "-P", "-m", module, *words])  # noqa: S603 - a version of ours
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
