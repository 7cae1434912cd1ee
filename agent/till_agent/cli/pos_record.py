"""`tillside pos --record`: every exchange with the agent as a line of JSON, with what names a person masked."""

import json
import threading
from pathlib import Path
from typing import Any, TextIO

import httpx

PERSONAL = frozenset({"card", "phone", "scan", "code", "pin", "name", "birth_date", "referrer"})
"""Fields of requests that name a person, or prove that it is they."""
SHOWN = 4


class Recording(httpx.HTTPTransport):
    """Passes requests on and writes them down with their answers. The stream of events is not among them."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._stream: TextIO = file.open("w", encoding="utf-8")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; one that came to nothing is written down as such."""
        if request.url.path == "/v1/events":
            return super().handle_request(request)
        row: dict[str, Any] = {"method": request.method, "target": request.url.raw_path.decode("ascii")}
        body = request.read()
        if body:
            row["request"] = masked(json.loads(body))
        try:
            answer = super().handle_request(request)
            found = answer.read()
        except httpx.HTTPError as exc:
            row["failed"] = type(exc).__name__
            self._write(row)
            raise
        row["status"] = answer.status_code
        if found:
            kind = answer.headers.get("content-type", "")
            row["answer"] = json.loads(found) if "json" in kind else found.decode("utf-8", "replace")
        self._write(row)
        return answer

    def close(self) -> None:
        """Hang up and close the file."""
        super().close()
        with self._lock:
            self._stream.close()

    def _write(self, row: dict[str, Any]) -> None:
        with self._lock:
            if not self._stream.closed:
                self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                self._stream.flush()


def masked(value: Any, *, person: bool = True) -> Any:
    """A request's body with only the last letters of what names a person; lines of a receipt stay as they are."""
    if isinstance(value, dict):
        return {
            name: _stars(inner)
            if person and name in PERSONAL and isinstance(inner, str)
            else masked(inner, person=person and name not in ("receipt", "lines", "discounts", "payments"))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(each, person=person) for each in value]
    return value


def _stars(text: str) -> str:
    return "*" * max(len(text) - SHOWN, min(len(text), SHOWN)) + (text[-SHOWN:] if len(text) > 2 * SHOWN else "")
