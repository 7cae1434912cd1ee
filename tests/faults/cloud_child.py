"""A process whose only work is a cloud's ledger, to be traced: `cloud_child.py FOLDER [MUTANT]`.

It takes the batches of a small day and writes a line for each that it acknowledged.
"""

import os
import sys
from pathlib import Path

from till_cloud.centre import Centre
from till_cloud.store import writer
from till_sync.wire import PushRequest
from unit.cloud.cloud_kit import Chain, Till

DATABASE = "c.db"
TILL = "k1"
BATCHES, SALES = 8, 4
MEMBERS = ("m-1", "m-2")
READY = "ready"


def say(line: str) -> None:
    """One system call, so that a line is there whole or not at all."""
    os.write(1, line.encode() + b"\n")


def found(folder: Path) -> list[PushRequest]:
    """A new cloud with a till and two members, and the day's batches: sales, a void, a return in part."""
    chain = Chain(folder / DATABASE)
    for member in MEMBERS:
        chain.member(member, points=50_000)
    till = chain.till(TILL)
    day = [_batch(till, number) for number in range(BATCHES)]
    chain.centre.close()
    return day


def _batch(till: Till, number: int) -> PushRequest:
    first = len(till.ops) + 1
    for each in range(SALES):
        till.sale(f"s-{number}-{each}", MEMBERS[each % len(MEMBERS)], 10_000 + number, 250)
    if number == 1:
        till.void("s-0-1")
    if number == 2:
        till.take_return("r-1", "s-1-2", [(1, 1000)])
    return till.request(first)


def break_it(mutant: str) -> None:
    """Plant a mistake; "" for none."""
    if not mutant.startswith("synchronous"):
        return
    open_writer = writer.open_writer

    def careless(path: Path) -> object:
        connection = open_writer(path)
        connection.execute(f"PRAGMA {mutant.replace(' ', ' = ')}")
        return connection

    writer.open_writer = careless  # type: ignore[assignment]  # the mistake


def main() -> None:
    """See the top."""
    folder, mutant = Path(sys.argv[1]), "".join(sys.argv[2:])
    day = found(folder)
    break_it(mutant)
    centre = Centre(folder / DATABASE)
    say(READY)
    for request in day:
        future = centre.push(TILL, request)
        if mutant != "acknowledges first":
            future.result()
        say(f"acked {request.first_seq + len(request.ops) - 1}")
    centre.close()
    say("closed")


if __name__ == "__main__":
    main()
