"""The printer driver against a port in memory: what each outcome takes, and what never happens."""

import asyncio

import pytest

from kit.loops import run
from till_drivers.ports import Outcome, PrintJob
from till_drivers.printers.conversation import FIRST_PATIENCE_MS
from till_drivers.printers.printer import NO_ANSWER, STILL_BUSY, TAKES_NOTHING, WENT_SILENT, EscposPrinter
from till_drivers.states import LAST_RETRY_MS
from unit.drivers_printers.printers_kit import ERROR, FINE, OFFLINE, PAPER, PRINTER, PROOF, FakeClock, MemoryPort, Seen

JOB = PrintJob(job_id="j", data=b"slip\n")
DEADLINE_MS = 20_000


def make(*, status: bool = True, keep_open: bool = True) -> tuple[EscposPrinter, MemoryPort, Seen, FakeClock]:
    clock = FakeClock()
    port = MemoryPort(clock)
    printer = EscposPrinter("p", port, clock=clock, status=status, keep_open=keep_open)
    seen = Seen()
    printer.watch(seen)
    return printer, port, seen, clock


def test_a_job_whose_proof_came_is_printed() -> None:
    """Three questions, one that shows that nothing older is owed, the bytes, one proof; four changes of state."""
    printer, port, seen, _ = make()
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.PRINTED
    assert port.asked == [PRINTER, OFFLINE, PAPER, PROOF, PROOF]
    assert port.printed == [JOB.data]
    assert seen.states == ["opening", "ready", "busy", "ready"]


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        ({PRINTER: b"\x1a", OFFLINE: b"\x16"}, "cover open"),
        ({PRINTER: b"\x1a", OFFLINE: b"\x32"}, "paper out"),
        ({PAPER: b"\x7e"}, "paper out"),
        ({OFFLINE: b"\x52"}, "error"),
        ({OFFLINE: b"\x52", ERROR: b"\x1a"}, "cutter jammed"),
        ({OFFLINE: b"\x52", ERROR: b"\x16"}, "error that opening and closing the cover can clear"),
        ({OFFLINE: b"\x52", ERROR: b"\x32"}, "error that only switching off and on can clear"),
        ({OFFLINE: b"\x52", ERROR: b"\x52"}, "error that passes by itself: too hot?"),
        ({PRINTER: b"\x1a", ERROR: b"\x1a"}, "cutter jammed"),
        ({PRINTER: b"\x1a", OFFLINE: b"\x56", ERROR: b"\x1a"}, "cover open"),
        ({PRINTER: b"\x1a"}, "offline"),
    ],
)
def test_a_printer_in_fault_is_sent_nothing(answers: dict[bytes, bytes], detail: str) -> None:
    """REFUSED, and not one byte of the job has left."""
    printer, port, seen, _ = make()
    port.answers |= answers
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.REFUSED
    assert port.printed == []
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", detail)


def test_paper_near_its_end_prints_and_says_so() -> None:
    """DEGRADED takes jobs."""
    printer, port, seen, _ = make()
    port.answers |= {PAPER: b"\x1e", PROOF: b"\x03"}
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.PRINTED
    assert (seen.events[-1].state, seen.events[-1].detail) == ("degraded", "paper near its end")


def test_a_printer_that_has_never_answered_gets_the_job_and_the_outcome_is_unknown() -> None:
    """Silence is unknown, not good: the slip may be on paper, and nobody will print it again."""
    printer, port, seen, clock = make()
    port.answers = {}
    began = clock.now
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN
    assert port.printed == [JOB.data]
    assert seen.events[-1].detail == NO_ANSWER
    assert clock.now - began <= DEADLINE_MS


def test_after_two_unproven_jobs_the_third_waits_only_three_seconds() -> None:
    """A printer without a way back must not make a queue of twenty seconds a slip."""
    printer, port, _, clock = make()
    port.answers = {}
    waits = []
    for _ in range(3):
        began = clock.now
        assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN
        waits.append(clock.now - began)
    assert waits[0] == waits[1] == DEADLINE_MS
    assert waits[2] < 5_000


def test_a_printer_that_used_to_answer_and_is_silent_gets_nothing() -> None:
    """It is switched off, most likely: bytes sent into the dark would be a lost slip."""
    printer, port, seen, clock = make()
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.PRINTED
    port.answers = {}
    clock.now += 5_000
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.REFUSED
    assert len(port.printed) == 1
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", WENT_SILENT)


def test_no_proof_within_the_deadline_is_unknown() -> None:
    """The printer answers everything but `GS r`; once in a run it's given time to finish what was sent before."""
    printer, port, _, clock = make()
    port.answers[PROOF] = b""
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.REFUSED
    assert port.printed == []
    clock.now += FIRST_PATIENCE_MS
    began = clock.now
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN
    assert clock.now - began == DEADLINE_MS


def test_a_proof_that_says_paper_end_proves_nothing() -> None:
    """The paper ended somewhere in the slip."""
    printer, port, seen, _ = make()
    port.answers[PROOF] = b"\x0f"
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", "paper out")


def test_what_stops_a_printer_in_mid_slip_is_shown_while_it_is_waited_for() -> None:
    """Cover opened in the middle: the state is FAULT at once, the outcome UNKNOWN at the deadline."""
    printer, port, seen, _ = make()
    port.on_proof = [b"\x00"]
    port.answers[PROOF] = b""

    async def go() -> Outcome:
        task = asyncio.ensure_future(printer.submit(JOB, DEADLINE_MS))
        while port.asked.count(PROOF) < 2:
            await asyncio.sleep(0)
        port.answers[OFFLINE] = b"\x16"
        return await task

    assert run(go()) is Outcome.UNKNOWN
    assert ("fault", "cover open") in [(event.state, event.detail) for event in seen.events]


def test_a_printer_that_takes_no_byte_refuses() -> None:
    """Stalled with nothing sent: provably untouched."""
    printer, port, seen, _ = make()
    port.takes = 0
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.REFUSED
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", TAKES_NOTHING)


def test_a_printer_that_takes_some_bytes_and_stalls_is_unknown() -> None:
    """Half a slip may be on paper."""
    printer, port, _, _ = make()
    port.takes = 1
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN


def test_a_connection_lost_in_the_job_is_unknown_and_the_state_lost() -> None:
    """Dead in mid-slip."""
    printer, port, seen, _ = make()
    port.dies_in_job = True
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.UNKNOWN
    assert seen.events[-1].state == "lost"


def test_a_missing_printer_is_absent_refuses_and_is_found_later() -> None:
    """Starts without its device; tried again by the back-off; one event while it is missing."""
    printer, port, seen, clock = make()
    port.is_there = False

    async def go() -> None:
        for _ in range(40):
            assert await printer.submit(JOB, DEADLINE_MS) is Outcome.REFUSED
            clock.now += 250
        assert seen.states == ["absent"]
        assert port.opens < 12
        port.is_there = True
        clock.now += LAST_RETRY_MS
        assert await printer.submit(JOB, DEADLINE_MS) is Outcome.PRINTED

    run(go())
    assert seen.states == ["absent", "opening", "ready", "busy", "ready"]


def test_a_printer_that_vanishes_is_lost_not_absent() -> None:
    """LOST tells store IT that a cable was pulled, ABSENT that there never was one."""
    printer, port, seen, clock = make()

    async def go() -> None:
        await printer.status()
        port.is_there = False
        clock.now += 5_000
        await printer.status()

    run(go())
    assert seen.states == ["opening", "ready", "lost"]


def test_a_dead_idle_connection_is_opened_anew_before_the_job() -> None:
    """No byte of the job had gone, so nobody needs to know."""
    printer, port, seen, clock = make()

    async def go() -> Outcome:
        await printer.status()
        port.is_open = False
        clock.now += 5_000
        return await printer.submit(JOB, DEADLINE_MS)

    assert run(go()) is Outcome.PRINTED
    assert port.opens == 2
    assert "lost" not in seen.states


def test_a_late_proof_of_an_earlier_job_does_not_prove_the_next() -> None:
    """The first slip's answer comes only when the second asks; the second waits for its own."""
    printer, port, _, _ = make()

    async def go() -> list[Outcome]:
        # The first fence; job 0; job 1: none; the fence: both; job 2: none.
        port.on_proof = [b"\x00", b"\x00", b"", b"\x00\x00", b""]
        return [await printer.submit(JOB, DEADLINE_MS) for _ in range(3)]

    assert run(go()) == [Outcome.PRINTED, Outcome.UNKNOWN, Outcome.UNKNOWN]


def test_a_printer_that_still_works_on_the_last_slip_gets_no_other() -> None:
    """It has proved before and does not answer the fence: the next job is refused, not stacked on top."""
    printer, port, seen, clock = make()

    async def go() -> list[Outcome]:
        port.on_proof = [b"\x00", b"\x00", b"", b""]
        first = [await printer.submit(JOB, DEADLINE_MS) for _ in range(3)]
        clock.now += 5_000
        port.on_proof = [b"\x00\x00\x00"]
        return [*first, await printer.submit(JOB, DEADLINE_MS)]

    assert run(go()) == [Outcome.PRINTED, Outcome.UNKNOWN, Outcome.REFUSED, Outcome.PRINTED]
    assert STILL_BUSY in [event.detail for event in seen.events]
    assert len(port.printed) == 3


def test_without_status_a_job_is_accepted_and_nothing_is_asked() -> None:
    """A line that goes one way only."""
    printer, port, _, _ = make(status=False)
    assert run(printer.submit(JOB, DEADLINE_MS)) is Outcome.ACCEPTED
    assert port.asked == []


def test_a_network_printer_is_left_to_others_after_a_probe() -> None:
    """keep_open=False: the connection is closed when nothing is to be printed."""
    printer, port, _, _ = make(keep_open=False)
    health = run(printer.status())
    assert health.state == "ready"
    assert not port.is_open


def test_jobs_are_printed_one_at_a_time_in_the_order_they_came() -> None:
    """Two bytes streams never mix."""
    printer, port, _, _ = make()

    async def go() -> list[Outcome]:
        jobs = [PrintJob(job_id=str(number), data=b"slip %d\n" % number) for number in range(5)]
        return await asyncio.gather(*(printer.submit(job, DEADLINE_MS) for job in jobs))

    assert run(go()) == [Outcome.PRINTED] * 5
    assert port.printed == [b"slip %d\n" % number for number in range(5)]


def test_a_job_that_gets_no_turn_in_time_is_refused() -> None:
    """Nothing of it was sent."""
    printer, port, _, _ = make()
    port.hangs = True

    async def go() -> Outcome:
        first = asyncio.ensure_future(printer.submit(JOB, DEADLINE_MS))
        await port.hangs_in_job.wait()
        second = await printer.submit(PrintJob(job_id="2", data=b"other"), 50)
        await printer.stop()
        assert await first is Outcome.UNKNOWN
        return second

    assert run(go()) is Outcome.REFUSED
    assert port.printed == [JOB.data]


def test_a_stop_in_mid_job_leaves_it_unknown_and_the_printer_disabled() -> None:
    """The job's bytes were under way; after the stop nothing is taken."""
    printer, port, seen, _ = make()
    port.hangs = True

    async def go() -> tuple[Outcome, Outcome]:
        job = asyncio.ensure_future(printer.submit(JOB, DEADLINE_MS))
        await port.hangs_in_job.wait()
        await printer.stop()
        return await job, await printer.submit(JOB, DEADLINE_MS)

    assert run(go()) == (Outcome.UNKNOWN, Outcome.REFUSED)
    assert seen.states[-1] == "disabled"


def test_a_cancelled_job_starts_the_next_one_on_a_new_connection() -> None:
    """Half a job may be in the old one."""
    printer, port, _, _ = make()
    port.hangs = True

    async def go() -> Outcome:
        job = asyncio.ensure_future(printer.submit(JOB, DEADLINE_MS))
        await port.hangs_in_job.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        port.hangs = False
        return await printer.submit(JOB, DEADLINE_MS)

    assert run(go()) is Outcome.PRINTED
    assert port.opens == 2


def test_a_fresh_answer_is_not_asked_for_again() -> None:
    """Status on every page view of a status page must not bother the printer."""
    printer, port, _, clock = make()

    async def go() -> None:
        await printer.status()
        await printer.status()
        assert port.asked.count(PRINTER) == 1
        clock.now += 1_500
        await printer.status()
        assert port.asked.count(PRINTER) == 2

    run(go())


@pytest.mark.parametrize("noise", [b"\x12\x12", b"\x11", b"\xff\xfe"])
def test_bytes_left_over_from_before_are_not_taken_for_answers(noise: bytes) -> None:
    """What lies in the line when a job begins is thrown away first."""
    printer, port, _, clock = make()

    async def go() -> Outcome:
        await printer.status()
        port.inbox += noise
        port.answers = FINE | {PRINTER: b"\x1a", OFFLINE: b"\x16"}
        clock.now += 5_000
        return await printer.submit(JOB, DEADLINE_MS)

    assert run(go()) is Outcome.REFUSED


def test_after_a_job_broke_off_the_next_one_first_ends_the_unfinished_command() -> None:
    """A picture that was promised and not sent would swallow the next slip: zeros fill it up."""
    printer, port, _, clock = make()
    raster = b"\x1dv0\x00\x48\x00\x10\x00" + b"\xff" * 0x48 * 0x10
    port.takes = 5

    async def go() -> None:
        assert await printer.submit(PrintJob(job_id="1", data=raster), DEADLINE_MS) is Outcome.UNKNOWN
        port.takes = None
        clock.now += 5_000
        for name in ("2", "3"):
            assert await printer.submit(PrintJob(job_id=name, data=JOB.data), DEADLINE_MS) is Outcome.PRINTED

    run(go())
    assert port.printed == [bytes(0x48 * 0x10) + JOB.data, JOB.data]
