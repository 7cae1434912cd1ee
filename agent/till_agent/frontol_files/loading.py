"""The load file, by which Frontol takes in clients and cards: what stands in it, and how it gets there.

Line 1 `##@@&&`, line 2 `#` until Frontol has taken it in (it writes `@`), then commands, each with its rows; cp1251.
A file that Frontol has not taken is never touched.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from till_agent.frontol_files.exceptions import LoadRefused
from till_agent.frontol_files.rows import STANDS_FOR_SEMICOLON
from till_agent.frontol_files.store import Store
from till_sync.files import sync_folder

SIGN = "##@@&&"
ENCODING = "cp1251"
NEWLINE = "\r\n"
CLIENT_FIELDS, CARD_FIELDS = 37, 19
CARD_LENGTH = 40
CODE_DIGITS = 15
NAME_LENGTH = 100
PEEK_BYTES = 64
NEW_SUFFIX = ".tillside-new"

_NOT_IN_CP1251 = str.maketrans("ӘәҒғҚқҢңӨөҰұҮүҺһ", "АаГгКкНнОоУуУуХх")
"""Letters of Kazakh and Kyrgyz that cp1251 lacks, as tills without them write names."""


class Client(Struct, frozen=True, kw_only=True):
    """A client with at most one card. `balance`: as Frontol writes counters, "" leaves the counter alone.

    `removed`: the client's card and the client are taken out.
    """

    code: str
    name: str = ""
    group: str = ""
    card: str = ""
    card_code: str = ""
    phone: str = ""
    email: str = ""
    balance: str = ""
    active: bool = True
    removed: bool = False


class Layout(Struct, frozen=True, kw_only=True):
    """Codes of Frontol's own: of the cards' type, its name where it is to be made, and of the counter (0: none)."""

    card_type: int
    counter_type: int = 0
    card_type_name: str = ""


def load_text(clients: Iterable[Client], layout: Layout) -> str:
    """The whole file. LoadRefused for a client that can't be loaded."""
    every = list(clients)
    for each in every:
        _check(each)
    kept = [each for each in every if not each.removed]
    gone = [each for each in every if each.removed]
    blocks: list[tuple[str, list[str]]] = []
    if layout.card_type_name:
        row = _row(8, {1: str(layout.card_type), 2: layout.card_type_name, 8: "1"})
        blocks.append(("ADDCCARDTYPES", [row]))
    blocks.append(("DELETECLIENTCCARDS", [_row(3, _link(each, layout)) for each in gone if each.card]))
    blocks.append(("DELETECCARDDISCSBYVALUE", [_row(1, {1: each.card}) for each in gone if each.card]))
    blocks.append(("DELETECLIENTDISCSBYCODE", [_row(1, {1: each.code}) for each in gone]))
    blocks.append(("ADDCLIENTDISCS", [_client(each, layout) for each in kept]))
    with_card = [each for each in kept if each.card]
    blocks.append(("ADDCCARDDISCS", [_card(each, layout) for each in with_card]))
    blocks.append(("ADDCLIENTCCARDS", [_row(3, _link(each, layout)) for each in with_card]))
    lines = [SIGN, "#"]
    for command, rows in blocks:
        if rows:
            lines += [f"$$${command}", *rows]
    return NEWLINE.join(lines) + NEWLINE


def encoded(text: str) -> bytes:
    """As Frontol reads it; a letter that it can't read becomes the nearest, or `?`."""
    return text.translate(_NOT_IN_CP1251).encode(ENCODING, "replace")


def escaped(value: str) -> str:
    """A value within a row: `;` would end the field, a line end the row."""
    return " ".join(value.split()).replace(";", STANDS_FOR_SEMICOLON)


def is_pending(path: Path, flag: Path | None) -> str:
    """Why Frontol still has a load file to take in; "" when it has none. LoadRefused when the path is another file."""
    if flag is not None and flag.exists():
        return f"Frontol has not taken the flag file {flag.name} yet"
    try:
        with path.open("rb") as file:
            head = file.read(PEEK_BYTES)
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise LoadRefused(f"{path} can't be read: {exc.strerror or exc}") from exc
    if not head:
        return ""
    first, _, rest = head.partition(b"\n")
    if first.strip() != SIGN.encode():
        raise LoadRefused(f"expected a load file at {path}, not another file: it is left as it is")
    return "" if rest.lstrip()[:1] == b"@" else f"Frontol has not taken {path.name} yet"


def write_load(store: Store, path: Path, flag: Path | None, content: bytes, now_ms: int) -> bool:
    """Write the load file, then the flag file. False when an earlier call was cut off between the two, and only its
    flag file was missing. LoadRefused while Frontol has one to take in, OSError when the disk refuses."""
    written = store.query("SELECT digest, flagged FROM loads WHERE path = ?", (str(path),))
    if flag is not None and written and not written[0][1] and not flag.exists() and _digest_of(path) == written[0][0]:
        _flag(store, path, flag)
        return False
    if why := is_pending(path, flag):
        raise LoadRefused(f"{why}: nothing was written, try again when it has")
    digest = hashlib.sha256(content).hexdigest()
    fresh = path.with_name(path.name + NEW_SUFFIX)
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with store.writing() as db:
            row = (str(path), digest, int(flag is None), now_ms)
            db.execute("INSERT OR REPLACE INTO loads VALUES (?, ?, ?, ?)", row)
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    if flag is not None:
        _flag(store, path, flag)
    return True


def _flag(store: Store, path: Path, flag: Path) -> None:
    """The sign to begin; written last, when the whole load file is there."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(flag, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    sync_folder(flag.parent)
    with store.writing() as db:
        db.execute("UPDATE loads SET flagged = 1 WHERE path = ?", (str(path),))


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _check(client: Client) -> None:
    for name, code in (("code", client.code), ("card_code", client.card_code or client.code)):
        if not (code.isascii() and code.isdigit() and len(code) <= CODE_DIGITS):
            raise LoadRefused(f"expected `{name}` to be a number of at most {CODE_DIGITS} digits")
    if len(client.card) > CARD_LENGTH:
        raise LoadRefused(f"expected a card of at most {CARD_LENGTH} letters, client {client.code} has a longer one")


def _client(client: Client, layout: Layout) -> str:
    fields = {
        1: client.code, 2: client.group, 3: client.name[:NAME_LENGTH], 5: "0", 14: client.email, 16: client.phone
    }  # fmt: skip
    if layout.counter_type and client.balance:
        fields |= {24: str(layout.counter_type), 25: client.balance}
    return _row(CLIENT_FIELDS, fields)


def _card(client: Client, layout: Layout) -> str:
    return _row(
        CARD_FIELDS,
        {1: client.card_code or client.code, 2: str(layout.card_type), 3: client.card, 6: str(int(client.active))},
    )


def _link(client: Client, layout: Layout) -> dict[int, str]:
    return {1: client.code, 2: str(layout.card_type), 3: client.card}


def _row(length: int, fields: dict[int, str]) -> str:
    return ";".join([escaped(fields.get(place, "")) for place in range(1, length + 1)])


def card_number(text: str) -> str:
    """A card as it is keyed: without the blanks that people write."""
    return "".join(text.split())


def columns_of(names: Sequence[str]) -> dict[str, int]:
    """Where each column of a table of clients is. LoadRefused without `code`, or with one that is not known."""
    known = {*Client.__struct_fields__} - {"balance", "active", "removed"} | {"state"}
    found = {name.strip().lower().lstrip("\ufeff"): place for place, name in enumerate(names)}
    if strange := sorted({*found} - known - {""}):
        raise LoadRefused(f"expected the columns {', '.join(sorted(known))}, not {', '.join(strange)}")
    if "code" not in found:
        raise LoadRefused("expected a column `code`: the client's code in Frontol")
    return found
