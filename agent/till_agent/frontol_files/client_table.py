"""The chain's table of clients (CSV) as clients to load, each with the balance that this till knows."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from till_agent.frontol_files.exceptions import LoadRefused
from till_agent.frontol_files.loading import Client, card_number, columns_of

STATES = {"": (True, False), "active": (True, False), "blocked": (False, False), "removed": (True, True)}
"""Of the column `state`: whether the card is active, and whether the client is taken out."""
ROWS_LIMIT = 1_000_000


class Known(Struct, frozen=True, kw_only=True):
    """What the till knows of a member. `balance`: as Frontol writes counters."""

    balance: str
    blocked: bool


def read_clients(path: Path, encoding: str) -> Iterator[Client]:
    """Rows of the table, in its order. LoadRefused with the line of one that can't be read."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline()
            delimiter = max(";,\t", key=first.count)
            columns = columns_of(next(csv.reader([first], delimiter=delimiter), []))
            seen: set[str] = set()
            for line, row in enumerate(csv.reader(file, delimiter=delimiter), 2):
                if not any(cell.strip() for cell in row):
                    continue
                if line > ROWS_LIMIT:
                    raise LoadRefused(f"expected at most {ROWS_LIMIT} rows")
                client = _client_of({name: row[at].strip() for name, at in columns.items() if at < len(row)}, line)
                if client.code in seen:
                    raise LoadRefused(f"line {line}: expected each code once, not {client.code} again")
                seen.add(client.code)
                yield client
    except UnicodeDecodeError as exc:
        raise LoadRefused(f"expected {encoding}, which {path.name} is not: say --encoding") from exc
    except (OSError, csv.Error) as exc:
        raise LoadRefused(f"{path.name} can't be read: {exc}") from exc


def with_balance(client: Client, known: Known | None) -> Client:
    """The client as the till knows the member; one whom it does not know keeps the counter that Frontol has."""
    if known is None or client.removed:
        return client
    return replace(client, balance=known.balance, active=client.active and not known.blocked)


def clients_with_balances(
    path: Path, encoding: str, ask: Callable[[Client], Known | None] | None
) -> tuple[list[Client], int]:
    """All clients, and how many of them the till does not know. Without `ask` no balance is looked up."""
    clients: list[Client] = []
    unknown = 0
    for client in read_clients(path, encoding):
        known = ask(client) if ask is not None and (client.card or client.phone) and not client.removed else None
        unknown += ask is not None and known is None and not client.removed
        clients.append(with_balance(client, known))
    return clients, unknown


def _client_of(cells: dict[str, str], line: int) -> Client:
    state = cells.pop("state", "").lower()
    if state not in STATES:
        raise LoadRefused(f"line {line}: expected the state active, blocked or removed, not {state[:20]!r}")
    active, removed = STATES[state]
    cells["card"] = card_number(cells.get("card", ""))
    cells.pop("", None)
    return Client(**{"code": "", **cells}, active=active, removed=removed)
