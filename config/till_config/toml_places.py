"""Where each key and value of a TOML document stands.

`tomllib` gives values without places. This scanner walks a document that `tomllib` has accepted and notes the places;
it reads no values and judges nothing, and runs only when there is something to say of a file: an error or `explain`.
"""

import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
# A multi-line string may end in up to two quotes of its own before the three that close it.
_BASIC_MULTILINE = re.compile(r'"""(?:[^"\\]|\\.|""?(?!"))*"{3,5}', re.DOTALL)
_LITERAL_MULTILINE = re.compile(r"'''(?:[^']|''?(?!'))*'{3,5}", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")


class Place(NamedTuple):
    """Line and column, both from 1; columns count characters."""

    line: int
    column: int


class Found(NamedTuple):
    """Offsets of one key or list item: where its name starts, and its value's start and end (all 0 for a section)."""

    key: int
    value: int
    value_end: int


class TomlPlaces:
    """Places of all keys of one document.

    A path has a name for each key and an index for each list item: `("scanners", 0, "port")`.
    The document must be valid TOML; of one that isn't, places may be missing or wrong, but nothing is raised.
    """

    def __init__(self, text: str) -> None:
        # tomllib reads CR LF as LF too; columns don't change by it.
        self.text = text.replace("\r\n", "\n")
        self.found: dict[KeyPath, Found] = {}
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._array_lengths: dict[KeyPath, int] = {}
        self._scan()

    def key(self, path: KeyPath) -> Place | None:
        """Where the key's name (or a list item, or a section's heading) starts; None when it isn't in the file."""
        found = self.found.get(path)
        return None if found is None else self._place(found.key)

    def value(self, path: KeyPath) -> Place | None:
        """Where the value starts; a section's heading for a section; None when it isn't in the file."""
        found = self.found.get(path)
        return None if found is None else self._place(found.value if found.value_end else found.key)

    def nearest(self, path: KeyPath) -> Place:
        """The place of `path`, else of the closest section around it, else the start of the file."""
        for length in range(len(path), 0, -1):
            place = self.key(path[:length])
            if place is not None:
                return place
        return Place(1, 1)

    def end(self) -> Place:
        """Just past the last character."""
        return self._place(len(self.text))

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)

    def _scan(self) -> None:
        table: KeyPath = ()
        at = self._skip(_FILLER, 0)
        while at < len(self.text):
            before = at
            if self.text[at] == "[":
                table, at = self._heading(at)
            else:
                at = self._key_value(table, at)
            at = self._skip(_FILLER, at)
            if at == before:
                return  # not TOML; a place not found is better than a loop

    def _skip(self, pattern: re.Pattern[str], at: int) -> int:
        match = pattern.match(self.text, at)
        return at if match is None else match.end()

    def _heading(self, at: int) -> tuple[KeyPath, int]:
        start = at
        is_array = self.text.startswith("[[", at)
        segments, at = self._dotted_key(at + (2 if is_array else 1))
        here = Found(start, 0, 0)
        path: KeyPath = ()
        for index, (name, _) in enumerate(segments):
            path = (*path, name)
            is_last = index == len(segments) - 1
            if is_array and is_last:
                self._array_lengths[path] = self._array_lengths.get(path, 0) + 1
            self.found.setdefault(path, here)
            if path in self._array_lengths:
                path = (*path, self._array_lengths[path] - 1)
            if is_last:
                self.found[path] = here
        return path, self._skip(_BLANK, at) + (2 if is_array else 1)

    def _key_value(self, table: KeyPath, at: int) -> int:
        segments, at = self._dotted_key(at)
        path = table
        for name, offset in segments:
            path = (*path, name)
            self.found.setdefault(path, Found(offset, 0, 0))
        if not segments or not self.text.startswith("=", at):
            return at
        start = self._skip(_BLANK, at + 1)
        end = self._value(path, start)
        self.found[path] = Found(segments[-1][1], start, end)
        return end

    def _dotted_key(self, at: int) -> tuple[list[tuple[str, int]], int]:
        """Names with their offsets, and the offset after the key and its blanks."""
        segments: list[tuple[str, int]] = []
        while True:
            at = self._skip(_BLANK, at)
            for pattern in (_BARE_KEY, _BASIC, _LITERAL):
                match = pattern.match(self.text, at)
                if match is not None:
                    break
            else:
                return segments, at
            segments.append((_key_name(match.group()), at))
            at = self._skip(_BLANK, match.end())
            if not self.text.startswith(".", at):
                return segments, at
            at += 1

    def _value(self, path: KeyPath, at: int) -> int:
        """Note what is inside the value at `at`; gives its end."""
        if self.text.startswith("[", at):
            return self._list(path, at)
        if self.text.startswith("{", at):
            return self._inline_table(path, at)
        for pattern in (_BASIC_MULTILINE, _LITERAL_MULTILINE, _BASIC, _LITERAL):
            match = pattern.match(self.text, at)
            if match is not None:
                return match.end()
        return self._skip(_SCALAR, at)

    def _list(self, path: KeyPath, at: int) -> int:
        at = self._skip(_FILLER, at + 1)
        index = 0
        while at < len(self.text) and self.text[at] != "]":
            end = self._value((*path, index), at)
            self.found[*path, index] = Found(at, at, end)
            index += 1
            after = self._separator(end)
            if after == at:
                return after
            at = after
        return at + 1

    def _inline_table(self, path: KeyPath, at: int) -> int:
        at = self._skip(_FILLER, at + 1)
        while at < len(self.text) and self.text[at] != "}":
            after = self._separator(self._key_value(path, at))
            if after == at:
                return after
            at = after
        return at + 1

    def _separator(self, at: int) -> int:
        at = self._skip(_FILLER, at)
        return self._skip(_FILLER, at + 1) if self.text.startswith(",", at) else at


def _key_name(raw: str) -> str:
    if raw[0] not in "\"'":
        return raw
    try:
        name = tomllib.loads(f"key = {raw}")["key"]
    except tomllib.TOMLDecodeError:
        return raw[1:-1]
    return str(name)
