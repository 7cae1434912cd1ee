"""Checks what types can't say: addresses, paths, encodings, names that must differ, keys that need each other."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from till_config.checking import Checked, nearest, shown
from till_config.meaning_devices import check_devices, check_logo
from till_config.meaning_frontol import check_frontol
from till_config.meaning_lookup import get, indexes
from till_config.toml_places import KeyPath

ATOL_PORT = 16732
"""ATOL's own web server listens there on most tills; two servers can't share a port."""

CODE_PAGES = (
    *("cp437", "cp850", "cp852", "cp858", "cp866", "cp1125", "cp1250"),
    *("cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "kz1048"),
)
"""Those that the printer driver can write. It lies above this layer; a test holds the two together."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def check_meaning(checked: Checked) -> None:
    """Add what is wrong with values whose types are right; those whose types are wrong are left alone."""
    check_values(checked)
    _check_names(checked)
    _check_clients(checked)
    check_devices(checked)
    _check_slips(checked)
    _check_cloud(checked)
    check_frontol(checked)


def check_values(checked: Checked) -> None:
    """The part of it that looks at one value at a time."""
    for path, value in list(checked.values.items()):
        check = _VALUE_CHECKS.get(tuple(part for part in path if isinstance(part, str)))
        # A list's own path has its length; its items have paths of their own, ending in an index.
        if check is not None and (isinstance(value, str) or path == ("bridge", "port")):
            fault = check(value)
            if fault:
                checked.add(path, fault)


def is_loopback(host: str) -> bool:
    """Whether a host of an address means this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_cloud_url(value: str) -> str:
    if not value:
        return ""
    # Whatever else is wrong, these come first: what stands there may be a secret, and later messages show the address.
    if "@" in value:
        return "expected an address without user and password: secrets are never kept in the configuration"
    if "?" in value or "#" in value:
        return "expected an address without `?` and `#` and what follows them"
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return f"expected an address like `https://loyalty.example`, not {shown(value)}"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return f"expected https (http only on this machine), because it carries members' data, not {shown(value)}"
    return ""


def _check_origin(value: str) -> str:
    parts = _split(value)
    host = parts.hostname if parts else None
    if "@" in value:
        return "expected an origin without user and password"
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not host:
        return f"expected an origin like `https://pos.example` or `http://127.0.0.1:8080`, not {shown(value)}"
    shown_host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    exact = f"{parts.scheme}://{shown_host}{port}"
    if value != exact:
        return f"expected the origin exactly as browsers send it, not {shown(value)}; did you mean {shown(exact)}?"
    if ":" not in host and _HOST.fullmatch(host) is None:
        return f"expected a host of Latin letters, digits, `-` and `.` (others in their xn-- form), not {shown(host)}"
    return ""


def _split(value: str) -> SplitResult | None:
    """Parts of an address; None for what isn't one. urlsplit drops some bad characters itself, so they are refused."""
    if any(letter.isspace() or not letter.isprintable() or letter in "\\*" for letter in value):
        return None
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    return parts if port is None or port > 0 else None


def _check_port(value: int) -> str:
    if value == ATOL_PORT:
        return f"expected another port than {ATOL_PORT}, which ATOL's web server takes on most tills"
    return ""


def _check_state_dir(value: str) -> str:
    if not value or not value.isprintable() or not Path(value).is_absolute():
        return f"expected an absolute path, not {shown(value)}"
    if Path(value) == Path(value).parent:
        return f"expected a folder of the agent's own, not {shown(value)}"
    return ""


def _check_template(value: str) -> str:
    if value and not (value.isprintable() and Path(value).is_absolute()):
        return f"expected an absolute path or an empty text, not {shown(value)}"
    return ""


def _check_encoding(value: str) -> str:
    try:
        "A".encode(value)
    except (LookupError, ValueError):
        return f'expected the name of an encoding, like "utf-8" or "cp1251", not {shown(value)}'
    return ""


def _check_code_page(value: str) -> str:
    return "" if value in CODE_PAGES else f"expected one of {', '.join(CODE_PAGES)}, not {shown(value)}"


_VALUE_CHECKS: dict[KeyPath, Callable[[Any], str]] = {
    ("agent", "state_dir"): _check_state_dir,
    ("bridge", "port"): _check_port,
    ("bridge", "allowed_origins"): _check_origin,
    ("cloud", "url"): _check_cloud_url,
    ("scanners", "encoding"): _check_encoding,
    ("printers", "code_page"): _check_code_page,
    ("printers", "logo"): check_logo,
    ("slips", "template"): _check_template,
}


def _check_names(checked: Checked) -> None:
    """States and metrics speak of devices by name, so one name means one device, be it scanner or printer."""
    for lists in (("scanners",), ("printers",)), (("bridge", "clients"),):
        first: dict[str, str] = {}
        for where in lists:
            for index in indexes(checked, *where):
                name = checked.values.get((*where, index, "name"))
                if name is None:
                    continue
                taken = first.setdefault(name, f"{'.'.join(where)}[{index}]")
                if taken != f"{'.'.join(where)}[{index}]":
                    checked.add((*where, index, "name"), f"expected another name, not {shown(name)}: {taken} has it")


def _check_clients(checked: Checked) -> None:
    items = [("bridge", "clients", index) for index in indexes(checked, "bridge", "clients")]
    scopes = [_list_values(checked, (*item, "scopes")) for item in items]
    if ("bridge", "clients") not in checked.values or None in scopes:
        return
    if not any(given and "admin" in given for given in scopes):
        checked.add(
            ("bridge", "clients"),
            'expected a client with the scope "admin", by which commands ask the running agent; none has it',
        )


def _list_values(checked: Checked, path: KeyPath) -> list[Any] | None:
    """A list's items; None when the list or one of them is wrong."""
    count = checked.values.get(path)
    if count is None or any((*path, index) not in checked.values for index in range(count)):
        return None
    return [checked.values[*path, index] for index in range(count)]


def _check_slips(checked: Checked) -> None:
    wanted = checked.values.get(("slips", "printer"))
    count = checked.values.get(("printers",), 0)
    given = (checked.values.get(("printers", index, "name")) for index in range(count))
    names = [name for name in given if isinstance(name, str)]
    # While a name is wrong or missing, it may be the one that is meant.
    uncertain = len(names) < count or any(fault.path == ("printers",) for fault in checked.faults)
    if not wanted or wanted in names or uncertain:
        return
    guess = nearest(wanted, names)
    hint = f"; did you mean {shown(guess)}?" if guess else f"; printers are: {', '.join(names) or 'none'}"
    checked.add(("slips", "printer"), f"expected the name of one of [[printers]], not {shown(wanted)}{hint}")


def _check_cloud(checked: Checked) -> None:
    connect, request = (get(checked, ("cloud", key)) for key in ("connect_timeout_ms", "request_timeout_ms"))
    if isinstance(connect, int) and isinstance(request, int) and connect > request:
        path = ("cloud", "connect_timeout_ms")
        place = path if path in checked.values else ("cloud", "request_timeout_ms")
        checked.add(place, f"expected connect_timeout_ms within request_timeout_ms, not {connect} and {request}")
