"""Cash desks that sell at a steady rate over kept connections, through kills: each promise is kept in a book."""

import http.client
import json
import random
import threading
import time

from kit.bridge import receipt
from kit.cashier import BUYERS
from kit.proof import DoubledError
from kit.world import Till

ANSWER_TIMEOUT_S = 10.0
UP_POLL_S = 0.2


class Load:
    """`desks` threads that together make `rate` sales a second while the till is up; what a stall delays is caught up.

    A sale without an answer is sent again, the same bytes, until it has one. `answers` are the very bytes of the first
    answer of each; `unanswered` counts requests that broke off.
    """

    def __init__(self, till: Till, *, rate: int, desks: int, seed: int) -> None:
        self.till = till
        self.answers: dict[str, bytes] = {}
        self.tried: set[str] = set()
        self.unanswered = 0
        self.fault: BaseException | None = None
        self._step_s = desks / rate
        self._seed = seed
        self._port = 0
        self._token = ""
        self._up = threading.Event()
        self._opened_s = 0.0
        self._ending = False
        self._turn = threading.Lock()
        self._threads = [threading.Thread(target=self._desk, args=(number,)) for number in range(desks)]

    def begin(self) -> None:
        """The desks open; they sell as soon as the till is `up`."""
        for thread in self._threads:
            thread.start()

    def up(self) -> None:
        """The till answers, perhaps at another port than before."""
        self._port = self.till.port
        self._token = (self.till.state_dir / "tokens" / "pos.token").read_text(encoding="ascii").strip()
        self._opened_s = time.monotonic()
        self._up.set()

    def down(self) -> None:
        """The till was killed."""
        self._up.clear()

    def end(self) -> None:
        """The till is up: every desk finishes the sale it is at. Raises what a desk found wrong."""
        self._ending = True
        for thread in self._threads:
            thread.join()
        if self.fault is not None:
            raise self.fault

    def _desk(self, number: int) -> None:
        rng = random.Random(f"{self._seed}-{number}")
        due = time.monotonic() + rng.random() * self._step_s
        desk = _Desk()
        try:
            sold = 0
            while not self._ending:
                self._wait_up()
                time.sleep(max(0.0, due - time.monotonic()))
                due = max(self._opened_s, due + self._step_s)
                sold += 1
                self._sell(desk, f"{self.till.name}-{number}-{sold}", _body(rng))
        except BaseException as error:
            self.fault = self.fault or error
            self._ending = True
        finally:
            desk.close()

    def _sell(self, desk: "_Desk", uid: str, body: bytes) -> None:
        self.tried.add(uid)
        while True:
            self._wait_up()
            answer = self._send(desk, uid, body)
            if answer is not None:
                break
            with self._turn:
                self.unanswered += 1
            time.sleep(0.005)
        first = self.answers.setdefault(uid, answer)
        if first != answer:
            raise DoubledError(f"{uid} was answered {first!r}, and then {answer!r}")

    def _send(self, desk: "_Desk", uid: str, body: bytes) -> bytes | None:
        """The answer; None when the connection broke before all of it was there."""
        try:
            connection = desk.connect(self._port)
            headers = {
                "Authorization": f"Bearer {self._token}",
                "X-Tillside-Client": "tests",
                "Content-Type": "application/json",
            }
            connection.request("PUT", f"/v1/sales/{uid}", body, headers)
            answer = connection.getresponse()
            content: bytes = answer.read()
        except (OSError, http.client.HTTPException):
            desk.close()
            return None
        assert answer.status == 200, content
        return content

    def _wait_up(self) -> None:
        while not self._up.wait(UP_POLL_S):
            pass


class _Desk:
    """One kept connection, made anew when the till is at another port."""

    def __init__(self) -> None:
        self._port = 0
        self._connection: http.client.HTTPConnection | None = None

    def connect(self, port: int) -> http.client.HTTPConnection:
        if self._connection is None or self._port != port:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
            self._port = port
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _body(rng: random.Random) -> bytes:
    buyer = rng.choice(BUYERS)
    amounts = [rng.randint(1, 50_000) for _ in range(rng.randint(1, 4))]
    return json.dumps(receipt(*amounts, **({} if buyer is None else {"member": buyer}))).encode()
