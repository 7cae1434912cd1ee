"""An MJPEG stream over HTTP: a network camera, or a telephone that plays one."""

import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from till_drivers.camera.lines import shortened
from till_drivers.camera.mjpeg import PartReader, boundary_of
from till_drivers.camera.sources import decode_picture
from till_drivers.exceptions import ProtocolError, TransportAbsent, TransportLost

if TYPE_CHECKING:
    import httpx

CONNECT_S = 2.0
READ_S = 3.0
"""Silence of the line after which it counts as gone."""
PICTURE_WITHIN_S = 4.0
"""A stream that gives bytes but no whole picture for this long counts as gone, too."""


class MjpegSource:
    """The newest picture of a stream. A thread takes what comes, so that what is looked at is never a backlog."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._taker: _Taker | None = None

    def open(self) -> None:
        """See `Source`. No reason holds the address: it may have a password in it."""
        import httpx

        try:
            verify: Any = False  # no TLS at all: spares loading the CA bundle
            if self._address.lower().startswith("https:"):
                import truststore

                verify = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
            client = httpx.Client(verify=verify, trust_env=False, follow_redirects=False, timeout=timeout)
        except (httpx.HTTPError, ValueError, OSError) as exc:
            raise TransportAbsent(f"can't be asked: {type(exc).__name__}") from None
        try:
            response = client.send(client.build_request("GET", self._address), stream=True)
            parts = PartReader(_boundary(response))
        except ProtocolError as exc:
            client.close()
            raise TransportAbsent(shortened(exc)) from exc
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as exc:
            client.close()
            raise TransportAbsent(f"no answer: {type(exc).__name__}") from None
        self._taker = _Taker(client, response, parts)
        try:
            self._taker.wait_for_first()
        except TransportLost as exc:
            self.close()
            raise TransportAbsent(str(exc)) from None

    def read(self) -> Any:
        """See `Source`: the newest picture, if one came since the last time."""
        if self._taker is None:
            raise TransportLost("the stream has ended")
        return decode_picture(self._taker.take())

    def close(self) -> None:
        """The thread ends with the next bytes, or when the line has been silent for READ_S."""
        if self._taker is not None:
            self._taker.stop()
            self._taker = None


def _boundary(response: "httpx.Response") -> bytes:
    if response.status_code != 200:
        raise ProtocolError(f"expected the status 200, not {response.status_code}")
    return boundary_of(response.headers.get("content-type", ""))


class _Taker:
    """Keeps the newest picture of a response."""

    def __init__(self, client: "httpx.Client", response: "httpx.Response", parts: PartReader) -> None:
        self._client = client
        self._response = response
        self._parts = parts
        self._lock = threading.Lock()
        self._news = threading.Event()
        """The first picture is there, or the end."""
        self._newest = b""
        self._came_at = time.monotonic()
        self._why = ""
        self._stopped = False
        threading.Thread(target=self._run, name="mjpeg", daemon=True).start()

    def take(self) -> bytes:
        """The newest JPEG, once; b"" when none has come since. TransportLost when no more come."""
        with self._lock:
            newest, self._newest = self._newest, b""
            why, came_at = self._why, self._came_at
        if newest:
            return newest
        if why:
            raise TransportLost(why)
        if time.monotonic() - came_at > PICTURE_WITHIN_S:
            raise TransportLost(f"no picture in {PICTURE_WITHIN_S:.0f} s")
        return b""

    def wait_for_first(self) -> None:
        """Until a picture has come. TransportLost when none does."""
        if not self._news.wait(PICTURE_WITHIN_S):
            raise TransportLost(f"no picture in {PICTURE_WITHIN_S:.0f} s")
        if not self._newest:
            raise TransportLost(self._why)

    def stop(self) -> None:
        self._stopped = True

    def _run(self) -> None:
        import httpx

        why = "the stream has ended"
        try:
            for data in self._response.iter_raw():
                if self._stopped:
                    break
                pictures = self._parts.feed(data)
                if pictures:
                    with self._lock:
                        self._newest, self._came_at = pictures[-1], time.monotonic()
                    self._news.set()
                if self._parts.ended:
                    break
        except ProtocolError as exc:
            why = shortened(exc)
        except httpx.TimeoutException:
            why = f"silent for {READ_S:.0f} s"
        except Exception as exc:  # noqa: BLE001 - whatever ends the stream, the camera tries it again
            why = f"the stream broke off: {type(exc).__name__}"
        with self._lock:
            self._why = why
        self._news.set()
        self._client.close()
