"""Cash software in small: an HTTP client of the bridge, and a listener of its events."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Self

import httpx

from kit.waiting import PATIENCE_S

CALL_TIMEOUT_S = 30.0

IN_PATHS = {
    "uid": "recorded",
    "hold": "h-1",
    "seq": "1",
    "code": "c",
    "reference": "m-1",
    "printer": "p",
    "job": "trial:0123456789ab",
    "finding": "1",
    "client": "panel-aaaaaa",
}
"""What stands in the paths of the bridge, as each operation takes it."""
Body = dict[str, Any]


class Bridge:
    """Calls the bridge of one agent with one client's token."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}", "X-Tillside-Client": "tests"},
            timeout=CALL_TIMEOUT_S,
            trust_env=False,
            # Nothing here is encrypted, and reading the certificates takes longer than a sale.
            verify=False,
        )

    def close(self) -> None:
        """Hang up."""
        self.http.close()

    def send(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """One call; the answer whatever it is. httpx.TransportError when there is none."""
        if body is not None:
            options["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            options["headers"] = {"Content-Type": "application/json"} | options.get("headers", {})
        return self.http.request(method, path, **options)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of a good answer; AssertionError with the problem otherwise."""
        answer = self.send(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and stable code of a refusal."""
        answer = self.send(method, path, body)
        assert answer.status_code >= 400, f"{method} {path} was not refused: {answer.text[:600]}"
        return answer.status_code, answer.json()["code"]

    def identify(self, **who: str) -> Body:
        """Whose card, phone or code it is."""
        found: Body = self.ask("POST", "/v1/identify", who)
        return found

    def quote(self, body: Body) -> Body:
        """What a receipt would give."""
        found: Body = self.ask("POST", "/v1/quotes", body)
        return found

    def sell(self, uid: str, body: Body) -> Body:
        """Commit a sale."""
        found: Body = self.ask("PUT", f"/v1/sales/{uid}", body)
        return found


def receipt(*amounts: int, **more: Any) -> Body:
    """The body of a quote or sale: a line an amount. `member` and the rest come as keywords."""
    lines = [
        {"number": number, "sku": f"sku-{number}", "amount_minor": amount} for number, amount in enumerate(amounts, 1)
    ]
    return {"receipt": {"lines": lines}, **more}


class Events:
    """Everything that the agent tells on its event stream, from the moment the context is entered."""

    def __init__(self, bridge: Bridge) -> None:
        self._headers = {"Authorization": f"Bearer {bridge.token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=CALL_TIMEOUT_S)
        self._news = threading.Condition()
        self._seen: list[tuple[str, Body]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self._connection.request("GET", "/v1/events", headers=self._headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The thread waits for the next line: only the end of the connection wakes it.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._answer.close()
        self._connection.close()

    def of(self, kind: str) -> list[Body]:
        """All events of a kind so far, oldest first."""
        with self._news:
            return self._of(kind)

    def wait(self, kind: str, count: int = 1) -> Body:
        """The `count`-th event of a kind, once it has come."""
        with self._news:
            came = self._news.wait_for(lambda: len(self._of(kind)) >= count, PATIENCE_S)
            assert came, f"expected {count} events {kind!r}, not {self._seen}"
            return self._of(kind)[count - 1]

    def _of(self, kind: str) -> list[Body]:
        return [data for name, data in self._seen if name == kind]

    def _listen(self) -> None:
        # The agent has been ended, or the test is over: what is missing is told by `wait`.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            for name, data in _events(self._answer):
                with self._news:
                    self._seen.append((name, json.loads(data)))
                    self._news.notify_all()


def _events(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    name, data = "message", ""
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            yield name, data
            name, data = "message", ""
