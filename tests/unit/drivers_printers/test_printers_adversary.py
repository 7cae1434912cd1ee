"""Printers that answer wrongly, late, twice, or for somebody else: nothing is PRINTED that was not proved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.loops import run
from till_drivers.exceptions import TransportRefused, TransportStalled
from till_drivers.ports import Outcome, PrintJob
from till_drivers.printers.conversation import FIRST_PATIENCE_MS
from till_drivers.printers.printer import STILL_BUSY, EscposPrinter
from unit.drivers_printers.printers_kit import ERROR, OFFLINE, PAPER, PRINTER, PROOF, FakeClock, MemoryPort, Seen

JOB = PrintJob(job_id="j", data=b"slip\n")
DEADLINE_MS = 20_000
AUTOMATIC = b"\x10\x00\x00\x00"
PICTURE = b"\x1dv0\x00\x48\x00\x10\x00" + b"\xff" * 0x48 * 0x10


class DripPort(MemoryPort):
    """Hands its bytes out one by one."""

    async def read(self, size: int, timeout_ms: int) -> bytes:
        return await super().read(min(size, 1), timeout_ms)


class TalkingPort(MemoryPort):
    """Tells something unasked just before each answer."""

    talk = AUTOMATIC

    async def write(self, data: bytes, timeout_ms: int) -> None:
        if data in (PRINTER, OFFLINE, ERROR, PAPER, PROOF):
            self.inbox += self.talk
        await super().write(data, timeout_ms)


class FarPort(MemoryPort):
    """Answers need `delay_ms` on their way; those to the next proofs each their own of `proof_delays_ms`."""

    delay_ms = 0

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.proof_delays_ms: list[int] = []
        self._under_way: list[tuple[int, bytes]] = []

    async def write(self, data: bytes, timeout_ms: int) -> None:
        await super().write(data, timeout_ms)
        if self.inbox:
            own = data == PROOF and self.proof_delays_ms
            delay_ms = self.proof_delays_ms.pop(0) if own else self.delay_ms
            self._under_way.append((self.clock.now + delay_ms, bytes(self.inbox)))
            self._under_way.sort()
            self.inbox.clear()

    async def read(self, size: int, timeout_ms: int) -> bytes:
        if self._under_way and self._under_way[0][0] <= self.clock.now + timeout_ms:
            due, data = self._under_way.pop(0)
            self.clock.now = max(self.clock.now, due)
            self.inbox += data
        return await super().read(size, timeout_ms)


def make(port_class: type[MemoryPort] = MemoryPort) -> tuple[EscposPrinter, MemoryPort, Seen, FakeClock]:
    clock = FakeClock()
    port = port_class(clock)
    printer = EscposPrinter("p", port, clock=clock)
    seen = Seen()
    printer.watch(seen)
    return printer, port, seen, clock


def submit(printer: EscposPrinter, data: bytes = JOB.data, deadline_ms: int = DEADLINE_MS) -> Outcome:
    return run(printer.submit(PrintJob(job_id="j", data=data), deadline_ms))


def test_a_proof_that_an_earlier_run_asked_for_does_not_prove_this_runs_first_slip() -> None:
    """The agent was killed in mid-slip; the printer, still at it, answers when the next slip is on its way."""
    printer, port, seen, clock = make()
    port.answers[PROOF] = b""
    assert submit(printer) is Outcome.REFUSED
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", STILL_BUSY)
    clock.now += FIRST_PATIENCE_MS
    port.on_proof = [b"", b"\x00\x00\x00"]  # nothing to this run's question; then all at once, the older run's included
    assert submit(printer) is Outcome.UNKNOWN


def test_once_it_has_answered_what_was_before_this_run_slips_are_proved_again() -> None:
    """The doubt of the first seconds is not for ever."""
    printer, port, _, clock = make()
    port.answers[PROOF] = b""
    assert submit(printer) is Outcome.REFUSED
    clock.now += 1_000
    port.on_proof = [b"\x00\x00\x00", b"\x00"]
    assert submit(printer) is Outcome.PRINTED
    assert port.printed == [JOB.data]


@pytest.mark.parametrize("delay_ms", [250, 350, 450])
def test_a_printer_at_the_end_of_a_slow_line_prints_all_the_same(delay_ms: int) -> None:
    """Its proof has as long as its other answers: else it would get no slip ever, since each question is asked anew."""
    printer, port, _, clock = make(FarPort)
    assert isinstance(port, FarPort)
    port.delay_ms = delay_ms
    for count in (1, 2):
        assert submit(printer) is Outcome.PRINTED
        assert len(port.printed) == count
        clock.now += 5_000


def test_an_answer_that_lags_behind_an_older_one_proves_no_slip() -> None:
    """Two questions are open; the older one's answer comes, 400 ms later the newer one's. Then the power fails."""
    printer, port, _, _ = make(FarPort)
    assert isinstance(port, FarPort)
    port.proof_delays_ms = [600, 500]
    assert submit(printer) is Outcome.REFUSED
    port.on_proof = [b"\x00", b""]
    assert submit(printer) is Outcome.UNKNOWN
    assert port.printed == [JOB.data]


@pytest.mark.parametrize("port_class", [DripPort, TalkingPort])
def test_answers_in_pieces_and_between_other_news_mean_the_same(port_class: type[MemoryPort]) -> None:
    """Byte by byte, and each behind an automatic status."""
    printer, _, seen, _ = make(port_class)
    assert submit(printer) is Outcome.PRINTED
    assert seen.states == ["opening", "ready", "busy", "ready"]


@pytest.mark.parametrize("port_class", [DripPort, TalkingPort])
def test_paper_out_is_seen_among_other_news(port_class: type[MemoryPort]) -> None:
    """Only the answer to the last question tells it: an unasked status is not taken for an earlier answer."""
    printer, port, seen, _ = make(port_class)
    port.answers |= {PAPER: b"\x72"}
    assert submit(printer) is Outcome.REFUSED
    assert port.printed == []
    assert seen.events[-1].detail == "paper out"


def test_no_automatic_status_within_a_slip_is_its_proof() -> None:
    """Three of its bytes look like proofs; the printer loses its power after it."""
    printer, port, _, clock = make()
    assert submit(printer) is Outcome.PRINTED
    clock.now += 5_000
    port.on_proof = [AUTOMATIC + b"\x13", AUTOMATIC]
    port.answers[PROOF] = b""
    assert submit(printer) is Outcome.UNKNOWN


@pytest.mark.parametrize("answer", [b"", b"\x12\x12", b"\x1a\x1a", b"\x00", b"\xff", b"\x12\x00"])
def test_a_wrong_number_of_bytes_never_makes_a_fault_good(answer: bytes) -> None:
    """None, two, or another answer's: the printer that is out of paper gets no slip, the other no false proof."""
    printer, port, _, clock = make()
    assert submit(printer) is Outcome.PRINTED
    clock.now += 5_000
    port.answers |= {PRINTER: answer, OFFLINE: b"\x32", PAPER: b"\x72"}
    assert submit(printer) is Outcome.REFUSED
    assert len(port.printed) == 1


@given(noise=st.lists(st.binary(max_size=6), max_size=4), junk=st.binary(max_size=6))
def test_whatever_comes_before_a_slip_proves_nothing_of_it(noise: list[bytes], junk: bytes) -> None:
    """Any bytes while nothing was asked, and as answers: without an answer behind the slip it's not PRINTED."""
    printer, port, _, clock = make()
    port.answers |= {PAPER: b"\x12" + junk}
    for piece in noise:
        port.inbox += piece
        run(printer.status())
        clock.now += 2_000
    sent = len(port.printed)
    port.answers[PROOF] = b""
    port.on_proof = [b""] * 4
    assert submit(printer) in (Outcome.UNKNOWN, Outcome.REFUSED)
    assert len(port.printed) in (sent, sent + 1)


@given(answers=st.dictionaries(st.sampled_from([PRINTER, OFFLINE, ERROR, PAPER]), st.binary(max_size=5)))
def test_no_answers_whatever_make_the_driver_fail(answers: dict[bytes, bytes]) -> None:
    """An outcome comes, in time, and no error; whatever a printer says."""
    printer, port, _, clock = make()
    port.answers |= answers
    for _ in range(3):
        began = clock.now
        assert submit(printer) in set(Outcome)
        assert clock.now - began <= DEADLINE_MS + 5_000
        clock.now += 3_000


def test_a_cutter_error_in_mid_slip_is_named_while_the_slip_is_waited_for() -> None:
    """`error` alone tells staff nothing; told once."""
    printer, port, seen, _ = make()
    port.on_proof = [b"\x00", b""]
    run(printer.status())
    port.answers |= {PROOF: b"", ERROR: b"\x1a"}

    class Jams(dict[bytes, bytes]):
        def get(self, request: bytes, default: bytes = b"") -> bytes:  # type: ignore[override]  # Reason: only ours is called
            return b"\x52" if request == OFFLINE and port.printed else super().get(request, default)

    port.answers = Jams(port.answers)
    assert submit(printer) is Outcome.UNKNOWN
    details = [event.detail for event in seen.events if event.state == "fault"]
    assert details == ["cutter jammed"]


def test_an_unasked_status_tells_of_the_cover_in_mid_slip() -> None:
    """Without waiting for the next question."""
    printer, port, seen, _ = make()
    run(printer.status())
    port.on_proof = [b"\x38\x00\x00\x0f"]
    assert submit(printer, deadline_ms=900) is Outcome.UNKNOWN
    assert seen.events[-1].detail == "cover open"


def test_a_slip_whose_time_went_by_in_questions_is_refused_not_begun() -> None:
    """A write of the last millisecond would only leave half a slip in doubt."""
    printer, port, _, _ = make()
    port.answers = {}
    assert submit(printer, deadline_ms=400) is Outcome.REFUSED
    assert port.printed == []


def test_a_stall_before_the_next_slip_does_not_forget_the_command_that_broke_off() -> None:
    """Slip 1 broke off in a picture, slip 2 was not taken at all: slip 3 still ends the picture first."""
    printer, port, _, clock = make()
    port.takes = 5
    assert submit(printer, PICTURE) is Outcome.UNKNOWN
    clock.now += 5_000
    port.takes = 0
    assert submit(printer) is Outcome.REFUSED
    clock.now += 5_000
    port.takes = None
    assert submit(printer) is Outcome.PRINTED
    assert port.printed == [bytes(0x48 * 0x10) + JOB.data]


def test_a_stall_within_the_filler_refuses_the_slip_and_keeps_the_filler() -> None:
    """Only zeros went: not one byte of the slip; and how many more the printer waits for nobody knows."""
    printer, port, _, clock = make()
    port.takes = 5
    assert submit(printer, PICTURE) is Outcome.UNKNOWN
    clock.now += 5_000
    port.takes = 100
    assert submit(printer) is Outcome.REFUSED
    clock.now += 5_000
    port.takes = None
    assert submit(printer) is Outcome.PRINTED
    assert port.printed == [bytes(0x48 * 0x10) + JOB.data]


def test_a_slip_that_broke_off_in_an_earlier_run_is_ended_first_too() -> None:
    """The queue knows it, and tells the driver; before the first question, which the picture would swallow too."""
    printer, port, _, _ = make()
    printer.resume_after(PICTURE)
    assert submit(printer) is Outcome.PRINTED
    assert port.printed == [bytes(0x48 * 0x10), JOB.data]


def test_what_refuses_to_be_opened_is_in_fault_and_says_why() -> None:
    """A queue that is stopped is there: not absent, not lost; and the slip waits."""
    printer, port, seen, clock = make()

    class Refusing(MemoryPort):
        async def open(self, timeout_ms: int) -> None:
            raise TransportRefused("the queue is stopped")

    printer = EscposPrinter("p", Refusing(clock), clock=clock)
    printer.watch(seen)
    assert submit(printer) is Outcome.REFUSED
    assert [(event.state, event.detail) for event in seen.events] == [
        ("opening", ""),
        ("fault", "the queue is stopped"),
    ]
    assert port.printed == []


def test_a_refusal_of_the_slip_itself_is_a_refusal() -> None:
    """Not one byte went, says what is at the other end."""
    clock, seen = FakeClock(), Seen()

    class Refusing(MemoryPort):
        async def write(self, data: bytes, timeout_ms: int) -> None:
            raise TransportRefused("not accepting jobs")

    printer = EscposPrinter("p", Refusing(clock), clock=clock, status=False)
    printer.watch(seen)
    assert submit(printer) is Outcome.REFUSED
    assert (seen.events[-1].state, seen.events[-1].detail) == ("fault", "not accepting jobs")


@pytest.mark.parametrize("sent", [1, 3, 5])
def test_one_byte_that_may_have_gone_is_enough_for_unknown(sent: int) -> None:
    """REFUSED is for none at all."""
    clock = FakeClock()

    class Stalling(MemoryPort):
        async def write(self, data: bytes, timeout_ms: int) -> None:
            raise TransportStalled("full", sent=sent)

    assert submit(EscposPrinter("p", Stalling(clock), clock=clock, status=False)) is Outcome.UNKNOWN


def test_a_transport_that_turns_out_to_go_one_way_is_not_asked() -> None:
    """Though the settings say status = true: the file can't be read."""
    clock = FakeClock()

    class OneWay(MemoryPort):
        is_one_way = True

    port = OneWay(clock)
    assert submit(EscposPrinter("p", port, clock=clock)) is Outcome.ACCEPTED
    assert port.asked == []


def test_a_network_printer_is_left_to_others_after_each_slip() -> None:
    """Not only after a look: a printer that takes one connection would keep the next till out."""
    clock = FakeClock()
    port = MemoryPort(clock)
    assert submit(EscposPrinter("p", port, clock=clock, keep_open=False)) is Outcome.PRINTED
    assert not port.is_open
