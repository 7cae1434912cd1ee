"""Runs `tillside` with one deliberate defect: `python mutants.py NAME COMMAND...`. What no mutant fails is no test.

Each mutant is a mistake that somebody could make. The first three, `finds_no_names`, `clock_is_set`, `queue_is_slow`
and `queue_is_stuck` are no defects but accidents that chance brings seldom.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_before_commit() -> None:
    """The request is read and understood, and then the power fails."""
    from till_agent.journal import DiskJournal

    async def commit(_self: Any, _decide: Any) -> None:
        _die()

    DiskJournal.commit = commit


def dies_within_commit() -> None:
    """The row is written, and the transaction is not committed."""
    from till_agent.journal import writer
    from till_agent.journal.journal import _Written

    def mutant_of(apply: Any) -> Any:
        def mutant(session: Any, job: Any) -> Any:
            outcome = apply(session, job)
            if isinstance(outcome[1], _Written):
                _die()
            return outcome

        return mutant

    writer._apply, writer._apply_alone = mutant_of(writer._apply), mutant_of(writer._apply_alone)


def dies_after_commit() -> None:
    """The sale is durable, and the answer never leaves."""
    from till_agent.journal import DiskJournal

    commit = DiskJournal.commit

    async def mutant(self: Any, decide: Any) -> Any:
        await commit(self, decide)
        _die()

    DiskJournal.commit = mutant


def answers_before_commit() -> None:
    """The answer goes out, and the disk is asked afterwards."""
    from till_agent.journal import writer
    from till_agent.journal.journal import _Written

    def mutant_of(apply: Any) -> Any:
        def mutant(session: Any, job: Any) -> Any:
            outcome = apply(session, job)
            if isinstance(outcome[1], _Written):
                future = job.future
                future.get_loop().call_soon_threadsafe(lambda: future.done() or future.set_result(outcome[1]))
                time.sleep(2)
            return outcome

        return mutant

    writer._apply, writer._apply_alone = mutant_of(writer._apply), mutant_of(writer._apply_alone)


def sells_again() -> None:
    """A uid that is known is taken for a new sale."""
    from till_agent.desk.selling import Selling

    sell = Selling.sell

    async def mutant(self: Any, uid: str, request: Any) -> Any:
        earlier = await self._bench.read(lambda reader: reader.find("sale", uid))
        return await sell(self, uid if earlier is None else f"{uid}.again", request)

    Selling.sell = mutant


def push_believing(*errors: type[Exception]) -> Any:
    """A push that takes one of `errors` for the cloud's word that all of it is applied."""
    import msgspec

    from till_sync.client import CloudClient
    from till_sync.wire import OpResult, PushAnswer, PushRequest

    push = CloudClient.push

    async def mutant(self: Any, batch: bytes) -> PushAnswer:
        try:
            return await push(self, batch)
        except errors:
            sent = msgspec.json.decode(batch, type=PushRequest)
            results = tuple(OpResult(seq=op.seq, status="applied") for op in sent.ops)
            last = sent.ops[-1].seq
            return PushAnswer(incarnation=sent.incarnation, acked_seq=last, results=results, server_time_ms=0)

    return mutant


def page_acknowledges() -> None:
    """Whatever says 200 to a push is taken for the cloud's word."""
    from till_sync.client import CloudClient
    from till_sync.exceptions import NotOurCloud

    CloudClient.push = push_believing(NotOurCloud)


def believes_in_luck() -> None:
    """A push without an answer is taken for carried out."""
    from till_sync.client import CloudClient
    from till_sync.exceptions import CloudUnreachable

    CloudClient.push = push_believing(CloudUnreachable)


def hears_no_advice() -> None:
    """A till asks again at once, whatever it was told about when to come back."""
    from till_sync.retry import Backoff

    Backoff.delay_ms = lambda self, error, attempt: 50


def finds_no_names() -> None:
    """No defect: names can't be resolved for as long as there is a file `no-names` beside."""
    import socket
    from pathlib import Path

    found = socket.getaddrinfo

    def mutant(host: Any, *rest: Any, **more: Any) -> Any:
        if Path("no-names").exists() and host in ("localhost", b"localhost"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return found(host, *rest, **more)

    socket.getaddrinfo = mutant


def trusts_anybody() -> None:
    """Whatever certificate is shown is taken for the cloud's."""
    import ssl

    import truststore

    def mutant(*_: Any) -> ssl.SSLContext:
        return ssl._create_unverified_context()

    truststore.SSLContext = mutant


def applies_again() -> None:
    """An op that came a second time moves its points a second time."""
    from till_cloud.ingest.push import Ingest

    known = Ingest._duplicates

    def mutant(self: Any, connection: Any, till: str, request: Any, acked: int) -> Any:
        results = known(self, connection, till, request, acked)
        for result in results:
            op = (till, request.epoch, result.seq)
            connection.execute(
                "INSERT OR IGNORE INTO movements SELECT member_id, position + 1000000, kind, till, epoch, seq, uid,"
                " about_uid, earned, redeemed, given_back, reversed, expired, balance, debt, at_ms FROM movements"
                " WHERE till = ? AND epoch = ? AND seq = ?",
                op,
            )
            connection.execute(
                "UPDATE balances SET balance = balance + m.earned, earned = balances.earned + m.earned FROM"
                " (SELECT member_id, earned FROM movements WHERE till = ? AND epoch = ? AND seq = ? LIMIT 1) AS m"
                " WHERE balances.member_id = m.member_id",
                op,
            )
        return results

    Ingest._duplicates = mutant


def prints_again() -> None:
    """After a restart, what was being printed is printed once more."""
    from till_drivers.spool_store import JobTable

    def recover(self: Any, _now_ms: int) -> int:
        return int(self._run("update jobs set state = 'queued', waits = 1 where state = 'printing'", ()).rowcount)

    JobTable.recover = recover


def reprints_unknown() -> None:
    """A slip of which nobody knows whether it was printed is printed again, to be on the safe side."""
    from till_drivers import spool_worker
    from till_drivers.ports import Outcome
    from till_drivers.spool_store import PrintState

    spool_worker._STATES[Outcome.UNKNOWN] = PrintState.REFUSED


def queue_is_slow() -> None:
    """The disk takes a second for each slip that is queued."""
    _queue_takes(1)


def queue_is_stuck() -> None:
    """The disk takes no slip, as if the power failed between a sale's answer and the write of its slip."""
    _queue_takes(3_600)


def _queue_takes(seconds: float) -> None:
    from till_drivers.spool_store import JobTable

    add = JobTable.add

    def mutant(self: Any, job: Any) -> None:
        time.sleep(seconds)
        add(self, job)

    JobTable.add = mutant


def sale_waits_for_printer() -> None:
    """The answer to a sale leaves when its slip is on paper."""
    from till_agent.slips.desk import SpoolSlipDesk

    enqueue = SpoolSlipDesk.enqueue

    def mutant(self: Any, entry: Any, **options: Any) -> Any:
        state = enqueue(self, entry, **options)
        while self.state(entry.kind, entry.uid).state in ("queued", "printing"):
            time.sleep(0.01)
        return state

    SpoolSlipDesk.enqueue = mutant


def sale_waits_for_cloud() -> None:
    """The answer to a sale leaves when the cloud has heard of it."""
    from till_agent.facade import Agent

    committed = Agent.committed

    def mutant(self: Any) -> None:
        committed(self)
        while self.core.journal.figures.waiting:
            time.sleep(0.01)

    Agent.committed = mutant


def joins_halves() -> None:
    """Half a code is kept over an unplug."""
    from till_drivers.scanners.framing import Framer

    def finish(self: Any) -> bytes:
        frame = bytes(self._partial)
        self._partial.clear()
        self._skipping = False
        return frame

    Framer._finish = finish
    Framer.reset = lambda self: None


def registers_unsealed() -> None:
    """Who registers is journalled in clear, as before there was a key to seal to."""
    from till_agent.desk import registering

    registering.sealed = lambda body, _key: body


def masks_nothing() -> None:
    """Slips and caches have the whole name, because it looks nicer."""
    from till_agent.slips import compose

    facts = compose._of_member

    def mutant(*words: Any) -> Any:
        return facts(*words) | {"name": "Anna Akhmetova"}

    compose._of_member = mutant


def journals_the_phone() -> None:
    """The receipt goes into the journal with what the cashier typed."""
    from msgspec.structs import replace

    from till_agent.desk.selling import Selling

    sell = Selling.sell

    async def mutant(self: Any, uid: str, request: Any) -> Any:
        typed = (request.member.phone or "") if request.member else ""
        return await sell(self, uid, replace(request, number=typed or request.number))

    Selling.sell = mutant


def clock_is_set() -> None:
    """The machine's wall clock is wrong by as many seconds as the file `clock` in the working directory says."""
    from pathlib import Path

    told, seconds, nanoseconds = Path("clock").absolute(), time.time, time.time_ns

    def wrong_s() -> int:
        return int(told.read_text()) if told.exists() else 0

    time.time = lambda: seconds() + wrong_s()
    time.time_ns = lambda: nanoseconds() + wrong_s() * 1_000_000_000


def holds_end_by_the_wall_clock() -> None:
    """On such a machine a hold's end is reckoned by the clock that anybody may set."""
    from till_agent.desk import holding, quoting, selling

    began_ms = time.time_ns() // 1_000_000
    clock_is_set()

    def mutant(stored: Any, clock: Any) -> bool:
        return stored.boot == clock.boot and abs(clock.wall_ms() - began_ms) < 3_600_000

    holding.usable = quoting.usable = selling.usable = mutant


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__.replace("_", "-"): mutant
    for mutant in (
        dies_before_commit,
        dies_within_commit,
        dies_after_commit,
        answers_before_commit,
        sells_again,
        page_acknowledges,
        believes_in_luck,
        hears_no_advice,
        finds_no_names,
        trusts_anybody,
        applies_again,
        prints_again,
        reprints_unknown,
        queue_is_slow,
        queue_is_stuck,
        sale_waits_for_printer,
        sale_waits_for_cloud,
        joins_halves,
        registers_unsealed,
        masks_nothing,
        journals_the_phone,
        clock_is_set,
        holds_end_by_the_wall_clock,
    )
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    from till_config.main import main

    main()
