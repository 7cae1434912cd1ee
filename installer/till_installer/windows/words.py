"""The words of set-up and uninstaller: `/NAME=value`, in any case. NSIS hands them on as they were typed, for its own
reader ends a value at the next `/`, of which addresses are full. A word that is not known is refused: a `/CONFIG` that
was misspelt would install a till without its settings.
"""

from collections.abc import Iterable
from pathlib import Path

from till_installer.setup.exceptions import PreconditionError

INSTALL = ("CONFIG", "ENROLL", "POSORIGIN", "FRONTOL", "ACCOUNT", "REPAIR", "AGAIN")
REMOVE = ("PURGE", "DISCARDQUEUE", "CARRYTO")
OF_NSIS = ("/S", "/NCRC")
"""Silent; without the check of its own bytes."""
YES = "1"


class Words:
    """What was typed. PreconditionError `word` for one that is not known or has no value.

    `folder`: what a path is relative to; None where it must be a whole one.
    """

    def __init__(self, typed: Iterable[str], known: tuple[str, ...], folder: Path | None = None) -> None:
        self._folder = folder
        self._values: dict[str, str] = {}
        for word in typed:
            name, equals, value = word.removeprefix("/").partition("=")
            if word.upper() in OF_NSIS:
                continue
            if not word.startswith("/") or name.upper() not in known or not equals:
                forms = ", ".join(f"/{each}=" for each in known)
                raise PreconditionError(
                    f'expected one of {forms}, not "{word}"; a value with a space stands in quotes', code="word"
                )
            self._values[name.upper()] = value

    def text(self, name: str) -> str:
        """The value; "" when there is none."""
        return self._values.get(name, "")

    def is_yes(self, name: str) -> bool:
        """Whether it was said. PreconditionError for any other value than 1."""
        value = self.text(name)
        if value not in ("", YES):
            raise PreconditionError(f'expected /{name}={YES} or none, not "{value}"', code="word")
        return value == YES

    def path(self, name: str) -> Path | None:
        """A file or folder. PreconditionError for half a path where there is nothing that it could be relative to."""
        if not (value := self.text(name)):
            return None
        path = Path(value)
        if path.is_absolute():
            return path
        if self._folder is None:
            raise PreconditionError(f'expected a whole path for /{name}=, not "{value}"', code="word")
        return self._folder / path

    def count(self, name: str) -> int | None:
        """A number. PreconditionError."""
        value = self.text(name)
        if value and not (value.isascii() and value.isdigit()):
            raise PreconditionError(f'expected a number for /{name}=, not "{value}"', code="word")
        return int(value) if value else None
