"""The page on installing on Windows: its words, exit codes and commands are those of the set-up.

Its commands are typed under wine by tests/faults/windows.
"""

import re
from importlib import resources

from house.shell import blocks
from house.tree import ROOT
from till_installer.setup.exceptions import EXIT_NOT_ENROLLED, EXIT_QUEUE
from till_installer.windows.building import for_windows
from till_installer.windows.words import INSTALL, REMOVE

PAGE = (ROOT / "docs/how-to/install-on-windows.md").read_text(encoding="utf-8")
WORD = re.compile(r"/([A-Z]+)(?==)")
COMMENT = re.compile(r"^;.*$", re.MULTILINE)


def test_the_page_has_each_word_that_the_set_up_and_the_uninstaller_take() -> None:
    """And none that they don't; the comment at the head of the script, too."""
    taken = {*INSTALL, *REMOVE}
    assert set(WORD.findall(PAGE)) == taken
    head = (resources.files("till_installer.windows") / "data/setup.nsi").read_text(encoding="utf-8")
    assert set(WORD.findall("".join(COMMENT.findall(head)))) == taken


def test_the_commands_of_the_page_are_of_what_is_built() -> None:
    """The set-up by the version of this tree, and the uninstaller where it lies."""
    about = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', about, re.MULTILINE)
    assert version is not None
    install, remove = (block.code.strip() for block in blocks(PAGE) if block.language == "bat")
    assert install.startswith(f"TillsideSetup-{version[1]}.exe /S ")
    assert remove == '"C:\\Program Files\\Tillside\\uninstall.exe" /S'


def test_exit_codes_are_those_of_the_page() -> None:
    """Not enrolled yet, and a queue."""
    assert f"{EXIT_NOT_ENROLLED} installed, not enrolled yet" in PAGE
    assert f"exit code {EXIT_QUEUE} while operations wait" in PAGE


def test_windows_gets_the_packages_whose_conditions_hold_there() -> None:
    """By the lock that Linux bundles are made from."""
    lines = list(for_windows(ROOT / "requirements/bundle.devices.lock"))
    names = {line.partition("==")[0] for line in lines}
    assert {"colorama", "msgspec", "backports-zstd", "cffi"} <= names
    assert all(" --hash=sha256:" in line and ";" not in line for line in lines)
