"""Policy over local file over default: which of them decides a key, and where it stands.

A policy is the chain's word: a TOML text of the same keys. Its keys win one by one; sections in [[double brackets]] are
merged by `name`: one of a name that the till has changes keys of that, one of another name is added behind. A policy
takes nothing away, and it may not set what could cut a till off for good, so that the next can mend a wrong one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeGuard

import msgspec
from msgspec import Struct

from till_config.checking import Checked, Fault, check_types
from till_config.exceptions import ConfigError, PolicyError, Problem
from till_config.loading import Source, in_order, parse, placed, read, settings_of
from till_config.meaning import check_meaning, check_values
from till_config.settings import Settings
from till_config.toml_places import KeyPath, TomlPlaces

FORBIDDEN: Mapping[KeyPath, str] = {
    ("agent", "state_dir"): "the till's journal lies there",
    ("bridge", "port"): "the cash software calls it there",
    ("bridge", "clients"): "the cash software's own tokens hang on them",
    ("cloud", "url"): "a till that calls elsewhere hears of no other policy",
}
"""What only the till's own file may set, and why."""

FLOORS: Mapping[KeyPath, int] = {
    ("cloud", "connect_timeout_ms"): 1_000,
    ("cloud", "request_timeout_ms"): 5_000,
    ("bridge", "rate_limit_per_second"): 50,
    ("bridge", "read_timeout_ms"): 1_000,
}
"""Below these a slow line or a busy till would be cut off; the till's own file may go lower."""

MERGED_BY_NAME: tuple[KeyPath, ...] = (("scanners",), ("printers",))
"""Sections that may stand several times. Others of that kind have no names: those of a policy replace the till's."""

POLICY_FILE = "policy.json"
"""In `agent.state_dir`: the policy in force, as the cloud sent it. The agent checks its signature, nobody else here."""


class PolicyText(Struct, frozen=True):
    """A policy as it came: its number, and its TOML text."""

    version: int
    text: str
    name: str = ""

    @property
    def file(self) -> str:
        """What problems and explanations call it."""
        return self.name or f"policy {self.version}"


class Origin(NamedTuple):
    """Which source decides a key ("" for the default), and where in it."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else "the default"


class Layers:
    """A till's file with a policy over it, or without one. Either source may be missing."""

    def __init__(self, local: Source | None, policy: Source | None = None) -> None:
        self.local = local
        self.policy = policy
        self._local_at: dict[KeyPath, KeyPath] = {}
        self._policy_at: dict[KeyPath, KeyPath] = {}
        """Of sections that were merged or moved: their places in the merged document, and in each source."""
        self.document = self._merged(local.document if local else {}, policy.document if policy else {}, ())
        self._places: dict[str, TomlPlaces] = {}

    @classmethod
    def of(cls, weaker: Mapping[str, object], stronger: Mapping[str, object]) -> dict[str, object]:
        """Two documents merged by the same rules."""
        return cls(Source("", "", dict(weaker)), Source("", "", dict(stronger))).document

    def origin(self, path: KeyPath) -> Origin:
        """Who decides the key at `path` of the merged settings."""
        for source, where in self._sources(path):
            place = self._places_of(source).key(where) if where is not None else None
            if place is not None:
                return Origin(source.file, place.line, place.column)
        return Origin("")

    def own(self, path: KeyPath) -> Origin:
        """Where the till's own file says something of it, whoever decides."""
        where = _moved(path, self._local_at)
        if self.local is None or where is None:
            return Origin("")
        place = self._places_of(self.local).key(where)
        return Origin("") if place is None else Origin(self.local.file, place.line, place.column)

    def problem(self, fault: Fault) -> Problem:
        """A fault of the merged settings at the place of whoever said it; what is missing, at the section around it."""
        for length in range(len(fault.path), 0, -1):
            for source, where in self._sources(fault.path[:length]):
                if where is not None and self._places_of(source).key(where) is not None:
                    at = (*where, *fault.path[length:])
                    return placed(source.file, self._places_of(source), fault, at=at)
        return placed("the settings", TomlPlaces(""), fault)

    def _sources(self, path: KeyPath) -> list[tuple[Source, KeyPath | None]]:
        """Both sources, the stronger first, with where `path` would stand in each; None: it can't stand there."""
        found: list[tuple[Source, KeyPath | None]] = []
        if self.policy is not None:
            found.append((self.policy, _moved(path, self._policy_at)))
        if self.local is not None:
            found.append((self.local, _moved(path, self._local_at)))
        return found

    def _places_of(self, source: Source) -> TomlPlaces:
        if source.file not in self._places:
            self._places[source.file] = TomlPlaces(source.text)
        return self._places[source.file]

    def _merged(self, local: Mapping[str, object], policy: Mapping[str, object], path: KeyPath) -> dict[str, object]:
        merged = dict(local)
        for name, value in policy.items():
            here = (*path, name)
            mine = local.get(name)
            if isinstance(value, dict) and isinstance(mine, dict):
                merged[name] = self._merged(mine, value, here)
            elif here in MERGED_BY_NAME and _are_sections(value) and _are_sections(mine := mine or []):
                merged[name] = self._merged_list(mine, value, here)
            else:
                merged[name] = value
        return merged

    def _merged_list(
        self, local: Sequence[Mapping[str, object]], policy: Sequence[Mapping[str, object]], path: KeyPath
    ) -> list[dict[str, object]]:
        items = [dict(item) for item in local]
        by_name = {item.get("name"): index for index, item in enumerate(items) if isinstance(item.get("name"), str)}
        for index in range(len(items)):
            self._policy_at[*path, index] = ()
        for at, item in enumerate(policy):
            index = by_name.get(item.get("name"), len(items))
            if index == len(items):
                items.append(dict(item))
                self._local_at[*path, index] = ()
            else:
                items[index] |= item
            self._policy_at[*path, index] = (*path, at)
        return items


def load(path: str | Path, policy: PolicyText | None = None) -> Settings:
    """Settings of the TOML file at `path`, under a policy if there is one, with defaults for what neither says.

    Raises ConfigError with every problem of the file, in file order; PolicyError when the file is good and the policy
    does not fit it.
    """
    return settings_with(layered(read(path), policy))


def settings_with(layers: Layers) -> Settings:
    """Settings of both. ConfigError: the till's own file is bad; PolicyError: it is good, and the policy is not."""
    own = settings_of(layers.local) if layers.local is not None else Settings()
    if layers.policy is None:
        return own
    faults = _checked_alone(layers.policy)
    if faults:
        raise PolicyError(faults)
    checked = check_types(layers.document)
    check_meaning(checked)
    if checked.faults:
        raise PolicyError(in_order([layers.problem(fault) for fault in checked.faults]))
    return msgspec.convert(layers.document, Settings)


def layered(local: Source | None, policy: PolicyText | None = None) -> Layers:
    """Both sources over each other, unchecked. PolicyError when the policy is not TOML."""
    return Layers(local, policy_source(policy) if policy is not None else None)


def kept_policy(state_dir: str) -> PolicyText | None:
    """The policy that lies in a till's folder; None when there is none. ConfigError when it can't be read."""
    path = Path(state_dir) / POLICY_FILE
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=PolicyText)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problem = Problem(file=str(path), line=0, column=0, key="", message=f"expected a policy to read: {reason}")
        raise ConfigError((problem,)) from error
    return PolicyText(kept.version, kept.text)


def policy_source(policy: PolicyText) -> Source:
    """A policy parsed. PolicyError when it is not TOML."""
    try:
        return parse(policy.file, policy.text)
    except ConfigError as error:
        raise PolicyError(error.problems) from error


def check_policy(policy: PolicyText) -> Source:
    """As far as it can be checked without a till's own file; what names that file's devices is for the till to check.

    PolicyError with every problem.
    """
    source = policy_source(policy)
    problems = _checked_alone(source)
    if problems:
        raise PolicyError(problems)
    return source


def _checked_alone(policy: Source) -> tuple[Problem, ...]:
    checked = check_types(policy.document)
    # A device may be known to the till: then its name is all that a policy must say.
    checked.faults = [fault for fault in checked.faults if fault.lacks in ("", "name")]
    check_values(checked)
    _check_allowed(checked)
    places = TomlPlaces(policy.text)
    return in_order([placed(policy.file, places, fault) for fault in checked.faults])


def _check_allowed(checked: Checked) -> None:
    wrong = {fault.path for fault in checked.faults}
    for path, reason in FORBIDDEN.items():
        if path in checked.values or path in wrong:
            message = f"expected no key in a policy that only the till's own file may set: {reason}"
            checked.add(path, message, at_value=False)
    for path, least in FLOORS.items():
        value = checked.values.get(path)
        if value is not None and value < least:
            checked.add(path, f"expected at least {least} in a policy, not {value}: a till could be cut off by less")


def _moved(path: KeyPath, moves: Mapping[KeyPath, KeyPath]) -> KeyPath | None:
    for length in range(len(path), 0, -1):
        moved = moves.get(path[:length])
        if moved is not None:
            return (*moved, *path[length:]) if moved else None
    return path


def _are_sections(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
