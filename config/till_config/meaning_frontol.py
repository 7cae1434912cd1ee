"""What Frontol's settings need of each other: files by whole paths, each watched once, an access key that may sell."""

from pathlib import PurePosixPath, PureWindowsPath

from till_config.checking import Checked, nearest, shown
from till_config.meaning_lookup import get, indexes
from till_config.toml_places import KeyPath

DEFAULT_CLIENTS = ("pos", "admin")
"""Names of the packaged configuration's clients, both with the scope sale."""


def check_frontol(checked: Checked) -> None:
    """Add what is wrong with `[frontol]` and what is in it."""
    _check_access(checked)
    _check_reports(checked)
    _check_load(checked)


def _check_access(checked: Checked) -> None:
    path: KeyPath = ("frontol", "access_client")
    wanted = checked.values.get(path)
    if not isinstance(wanted, str) or not wanted:
        return
    items = [("bridge", "clients", index) for index in indexes(checked, "bridge", "clients")]
    if ("bridge", "clients") not in checked.values:
        if wanted not in DEFAULT_CLIENTS:
            checked.add(path, _unknown_client(wanted, list(DEFAULT_CLIENTS)))
        return
    names = {checked.values.get((*item, "name")): item for item in items}
    if None in names or any(fault.path[:2] == ("bridge", "clients") for fault in checked.faults):
        return  # one that is wrong may be the one that is meant
    if wanted not in names:
        checked.add(path, _unknown_client(wanted, [str(name) for name in names]))
        return
    count = checked.values.get((*names[wanted], "scopes"))
    scopes = {checked.values.get((*names[wanted], "scopes", index)) for index in range(count or 0)}
    if count is not None and None not in scopes and "sale" not in scopes:
        checked.add(path, f'expected a client with the scope "sale", not {shown(wanted)}, which has it not')


def _unknown_client(wanted: str, names: list[str]) -> str:
    guess = nearest(wanted, names)
    hint = f"; did you mean {shown(guess)}?" if guess else f"; clients are: {', '.join(names) or 'none'}"
    return f"expected the name of one of [[bridge.clients]], not {shown(wanted)}{hint}"


def _check_reports(checked: Checked) -> None:
    first: dict[str, str] = {}
    for index in indexes(checked, "frontol", "reports"):
        path: KeyPath = ("frontol", "reports", index, "path")
        value = checked.values.get(path)
        if not isinstance(value, str):
            continue
        fault = _path_fault(value) or _pattern_fault(value)
        if fault:
            checked.add(path, fault)
            continue
        here = f"frontol.reports[{index}]"
        owner = first.setdefault(_same(value), here)
        if owner != here:
            checked.add(path, f"expected a report of its own, not {shown(value)}: {owner} has it")
        if _same(value) == _same(str(get(checked, ("frontol", "load", "path")) or "")):
            checked.add(path, f"expected a sales report, not {shown(value)}, which is frontol.load.path")


def _check_load(checked: Checked) -> None:
    load, flag = (get(checked, ("frontol", "load", key)) for key in ("path", "flag"))
    for key, value in ("path", load), ("flag", flag):
        if isinstance(value, str) and value and (fault := _path_fault(value) or _star_fault(value)):
            checked.add(("frontol", "load", key), fault)
            return
    if isinstance(flag, str) and flag and load == "":
        checked.add(("frontol", "load", "flag"), "expected frontol.load.path too, whose loading the flag file starts")
    elif isinstance(flag, str) and isinstance(load, str) and flag and _same(flag) == _same(load):
        checked.add(("frontol", "load", "flag"), f"expected another file than frontol.load.path, not {shown(flag)}")


def _path_fault(value: str) -> str:
    if value.isprintable() and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        return ""
    return f"expected an absolute path, not {shown(value)}"


def _pattern_fault(value: str) -> str:
    """`*` stands for what differs from report to report, in the file's name alone."""
    folder, _, _ = value.replace("\\", "/").rpartition("/")
    return f"expected `*` in the last part of the path only, not {shown(value)}" if "*" in folder else ""


def _star_fault(value: str) -> str:
    return f"expected the path of one file, not {shown(value)}" if "*" in value else ""


def _same(value: str) -> str:
    """Windows has one file for all ways of writing its path's letters and strokes."""
    return value.replace("\\", "/").lower() if PureWindowsPath(value).drive else value
