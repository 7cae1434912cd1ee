"""What the database says of itself: its incarnation, the chain's keys, and the change counter."""

import secrets
import sqlite3

from till_cloud.exceptions import StoreFormatError
from till_sync import keys, sealing

IDENTIFIER_KEY_BYTES = 32
WALLET_KEY_BYTES = 32

_READ = "SELECT value FROM meta WHERE name = ?"
_WRITE = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_READ_POSITION = "SELECT value FROM counters WHERE name = 'position'"
_WRITE_POSITION = "UPDATE counters SET value = ? WHERE name = 'position'"

FORMER_KEYS_LIMIT = 4
"""Of one till: a machine that was replaced so often since a file was made has nothing to carry any more."""


def is_founded(connection: sqlite3.Connection) -> bool:
    """Whether the database is a chain's already."""
    return connection.execute(_READ, ("incarnation",)).fetchone() is not None


def initialise(connection: sqlite3.Connection) -> None:
    """Give a new database its incarnation and key; a database that has them keeps them. Within a transaction."""
    if not is_founded(connection):
        connection.execute(_WRITE, ("incarnation", new_incarnation()))
        connection.execute(_WRITE, ("secure_delete", "yes"))  # nothing was ever deleted from it otherwise
        connection.execute(_WRITE, ("identifier_key", secrets.token_hex(IDENTIFIER_KEY_BYTES)))
        connection.execute("INSERT INTO counters (name, value) VALUES ('position', 0)")
    if connection.execute(_READ, ("voucher_public_key",)).fetchone() is None:  # also of a database of a former release
        private = keys.new_key()
        connection.execute(_WRITE, ("voucher_private_key", private))
        connection.execute(_WRITE, ("voucher_public_key", keys.public_of(private)))

    if connection.execute(_READ, ("wallet_keys",)).fetchone() is None:
        set_wallet_keys(connection, (secrets.token_hex(WALLET_KEY_BYTES),))
    if connection.execute(_READ, ("seal_private_keys",)).fetchone() is None:
        set_seal_keys(connection, (sealing.new_private_key(),))


def new_incarnation() -> str:
    """A name for one life of the database; a restored backup must get a new one."""
    return secrets.token_hex(8)


def incarnation(connection: sqlite3.Connection) -> str:
    return _read(connection, "incarnation")


def set_incarnation(connection: sqlite3.Connection, value: str) -> None:
    connection.execute(_WRITE, ("incarnation", value))


def identifier_key(connection: sqlite3.Connection) -> bytes:
    """The chain's key for identifier tags."""
    return bytes.fromhex(_read(connection, "identifier_key"))


def cloud_key(connection: sqlite3.Connection) -> str:
    """The public key (hex) that this cloud's vouchers are checked by."""
    return _read(connection, "voucher_public_key")


def voucher_key(connection: sqlite3.Connection) -> str:
    """The private key (hex) that vouchers are signed with; it never leaves this database."""
    return _read(connection, "voucher_private_key")


def wallet_keys(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The chain's secrets (hex, the newest first) that wallet codes which change by the clock come from."""
    return tuple(_read(connection, "wallet_keys").split())


def set_wallet_keys(connection: sqlite3.Connection, values: tuple[str, ...]) -> None:
    connection.execute(_WRITE, ("wallet_keys", " ".join(values)))


def told(connection: sqlite3.Connection, name: str) -> str:
    """A note of the database on itself; "" where there is none."""
    row = connection.execute(_READ, (name,)).fetchone()
    return "" if row is None else str(row[0])


def tell(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(_WRITE, (name, value))


def former_keys(connection: sqlite3.Connection, till_id: str) -> tuple[str, ...]:
    """Public keys (hex, the newest first) that a till had before it was enrolled anew: for files of then."""
    return tuple(told(connection, f"former_keys {till_id}").split())


def keep_former_key(connection: sqlite3.Connection, till_id: str, public_key: str) -> None:
    """The till gets another key; the one that it had opens no request any more."""
    kept = (public_key, *(each for each in former_keys(connection, till_id) if each != public_key))
    tell(connection, f"former_keys {till_id}", " ".join(kept[:FORMER_KEYS_LIMIT]))


def seal_keys(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The private keys (hex, the newest first) that open what tills have sealed; they never leave this database."""
    return tuple(_read(connection, "seal_private_keys").split())


def seal_key(connection: sqlite3.Connection) -> str:
    """The public key (hex) that tills seal people to."""
    return sealing.public_key_of(seal_keys(connection)[0])


def set_seal_keys(connection: sqlite3.Connection, values: tuple[str, ...]) -> None:
    connection.execute(_WRITE, ("seal_private_keys", " ".join(values)))


def _read(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute(_READ, (name,)).fetchone()
    if row is None:
        raise StoreFormatError(f"expected {name!r} in the database's meta table, not nothing")
    return str(row[0])


def position(connection: sqlite3.Connection) -> int:
    """The last change's number. One counter for every visible change, so that a cursor is one number."""
    return int(connection.execute(_READ_POSITION).fetchone()[0])


def set_position(connection: sqlite3.Connection, value: int) -> None:
    connection.execute(_WRITE_POSITION, (value,))
