"""Getting files of an update repository, from the cloud or from a folder, within bounds of size and time.

A file of metadata comes whole or not at all. A bundle is written as it comes, and goes on later where it ended.
"""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import asyncio
import ipaddress
import os
import re
import ssl
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from msgspec import Struct
from tuf.api.exceptions import DownloadHTTPError, DownloadLengthMismatchError
from tuf.ngclient import FetcherInterface

from till_installer.update.exceptions import EndlessError, InsecureError, SlowError, UnreachableError

if TYPE_CHECKING:
    import httpx

METADATA_SECONDS = 30.0
"""For one file of metadata, at most 200 KB."""
METADATA_CAP_BYTES = 2_000_000
"""A file of metadata that does not end by then does not end."""
WINDOW_SECONDS = 60.0
WINDOW_LEAST_BYTES = 120_000
"""So much of a bundle in each window: 2 KB/s, by which 30 MB take four hours. Slower is no line."""
CHUNK_BYTES = 65_536
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
METADATA_NAME = re.compile(r"(?:[0-9]{1,9}\.)?(?:root|targets|snapshot|timestamp)\.json")
TARGET_NAME = re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9._+-]{1,150}")
NOT_FOUND = 404
OK, PARTIAL, RANGE_WRONG = 200, 206, 416


Progress = Callable[[int, int], None]
"""Told with each piece: bytes that are here, bytes in all."""


class Pace(Struct, frozen=True, kw_only=True):
    """How long is waited, in seconds; in tests shorter."""

    metadata_s: float = METADATA_SECONDS
    window_s: float = WINDOW_SECONDS
    window_least_bytes: int = WINDOW_LEAST_BYTES
    connect_s: float = CONNECT_SECONDS
    read_s: float = READ_SECONDS


class Seen(Struct):
    """The last file of metadata that came, for whoever has to say what is wrong with it. `ended`: all of it is here."""

    name: str = ""
    data: bytes = b""
    ended: bool = True


class Fetcher(FetcherInterface):
    """Base of both ways. The url of a file is `base/metadata/NAME` or `base/targets/NAME`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.seen = Seen()

    def _fetch(self, url: str) -> Iterator[bytes]:
        """Not used by the client: bundles come by `target`."""
        yield self.download_bytes(url, METADATA_CAP_BYTES)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """A file of metadata. Of one that is longer than `max_length` as much is read as shows what it is."""
        folder, _, name = url.rpartition("/")
        if not (METADATA_NAME.fullmatch(name) if folder.endswith("metadata") else TARGET_NAME.fullmatch(name)):
            raise DownloadHTTPError(f"expected the name of a file of metadata, not {name[:80]!r}", NOT_FOUND)
        self.seen = Seen(name=name, ended=False)
        data, ended = self._small(url, METADATA_CAP_BYTES)
        self.seen = Seen(name=name, data=data, ended=ended)
        if not ended:
            raise EndlessError(f"expected {name} to end within {METADATA_CAP_BYTES} bytes; {AGAIN}")
        if len(data) > max_length:
            raise DownloadLengthMismatchError(f"expected {name} to have at most {max_length} bytes, not {len(data)}")
        return data

    @abstractmethod
    def _small(self, url: str, cap: int) -> tuple[bytes, bool]:
        """At most `cap` bytes of a file, and whether it ended with them."""

    @abstractmethod
    def target(self, name: str, into: BinaryIO, offset: int, length: int, progress: Progress | None = None) -> None:
        """Write a target to `into`, which holds its first `offset` bytes; anew when it can't go on from there.

        EndlessError past `length`, SlowError, UnreachableError, OSError of the disk.
        """


AGAIN = "nothing was taken; tell the chain's IT if it stays so"
"""The one thing to do about what the server sends."""


class FolderFetcher(Fetcher):
    """From a folder, such as a USB stick."""

    def __init__(self, folder: Path) -> None:
        super().__init__("folder://updates")
        self._folder = folder

    def _small(self, url: str, cap: int) -> tuple[bytes, bool]:
        path = self._folder.joinpath(*url.removeprefix(self.base).strip("/").split("/"))
        try:
            with path.open("rb") as file:
                data = file.read(cap + 1)
        except FileNotFoundError as exc:
            if path.name == "timestamp.json":
                raise UnreachableError(f"expected updates in {self._folder}: there is no {path.name}") from exc
            raise DownloadHTTPError(f"there is no {path.name}", NOT_FOUND) from exc
        except OSError as exc:
            raise UnreachableError(f"expected to read {path}: {exc.strerror}; try another stick") from exc
        return data[:cap], len(data) <= cap

    def target(self, name: str, into: BinaryIO, offset: int, length: int, progress: Progress | None = None) -> None:
        """Copy it, from the beginning: a stick is fast."""
        del offset
        into.seek(0)
        into.truncate()
        path = self._folder / "targets" / name
        try:
            source = path.open("rb")
        except OSError as exc:
            raise UnreachableError(f"expected {path}: {exc.strerror}; make the stick again") from exc
        with source:
            if os.fstat(source.fileno()).st_size > length:
                raise EndlessError(f"expected {length} bytes of {name}, and there are more; {AGAIN}")
            while True:
                try:
                    chunk = source.read(CHUNK_BYTES)
                except OSError as exc:
                    raise UnreachableError(f"expected to read {path}: {exc.strerror}; try another stick") from exc
                if not chunk:
                    return
                into.write(chunk)
                if progress is not None:
                    progress(into.tell(), length)


class HttpFetcher(Fetcher):
    """From `url`, the folder of updates of a cloud. Each file is asked for in a connection of its own.

    InsecureError for an address that is neither https nor 127.0.0.1: what is signed can't be altered on its way, but
    who listens or holds up should not have it easier than need be. No proxy of the environment is used, and no
    redirection followed.
    """

    def __init__(self, url: str, *, pace: Pace | None = None, ssl_context: ssl.SSLContext | None = None) -> None:
        super().__init__(_checked(url))
        self._pace = pace or Pace()
        self._ssl = ssl_context

    def _small(self, url: str, cap: int) -> tuple[bytes, bool]:
        return asyncio.run(self._read_small(url, cap))

    async def _read_small(self, url: str, cap: int) -> tuple[bytes, bool]:
        data = bytearray()
        try:
            async with asyncio.timeout(self._pace.metadata_s), self._asked(url, {}) as answer:
                if answer.status_code != OK:
                    raise _refused(url, answer.status_code)
                async for chunk in answer.aiter_raw():
                    data += chunk
                    if len(data) > cap:
                        return bytes(data[:cap]), False
        except TimeoutError as exc:
            raise SlowError(f"expected {url} within {self._pace.metadata_s:.0f} s; it goes on by itself later") from exc
        return bytes(data), True

    def target(self, name: str, into: BinaryIO, offset: int, length: int, progress: Progress | None = None) -> None:
        """Go on after `offset` when the server can, else from the beginning."""
        asyncio.run(self._read_target(f"{self.base}/targets/{name}", into, offset, length, progress))

    async def _read_target(self, url: str, into: BinaryIO, offset: int, length: int, progress: Progress | None) -> None:
        loop, pace = asyncio.get_running_loop(), self._pace
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            async with asyncio.timeout(pace.window_s) as window, self._asked(url, headers) as answer:
                if not (answer.status_code == PARTIAL and _begins_at(answer, offset)):
                    if answer.status_code == RANGE_WRONG or answer.status_code == PARTIAL:
                        offset = -1  # it has another idea of the file: from the beginning, by a request of its own
                    elif answer.status_code != OK:
                        raise _refused(url, answer.status_code)
                    else:
                        offset = 0
                if offset >= 0:
                    into.seek(offset)
                    into.truncate()
                    marked = total = offset
                    async for chunk in answer.aiter_raw():
                        total += len(chunk)
                        if total > length:
                            raise EndlessError(f"expected {length} bytes of {url}, and more came; {AGAIN}")
                        into.write(chunk)
                        if progress is not None:
                            progress(total, length)
                        if total - marked >= pace.window_least_bytes:
                            marked = total
                            window.reschedule(loop.time() + pace.window_s)
        except TimeoutError as exc:
            raise SlowError(
                f"expected {pace.window_least_bytes} bytes in each {pace.window_s:.0f} s; what came is kept, and the "
                "next try goes on after it"
            ) from exc
        if offset < 0:
            await self._read_target(url, into, 0, length, progress)

    @asynccontextmanager
    async def _asked(self, url: str, headers: dict[str, str]) -> "AsyncIterator[httpx.Response]":
        from till_sync.httpx_transport import USER_AGENT, load_httpx

        load_httpx()
        import httpx

        pace = self._pace
        try:
            async with (
                httpx.AsyncClient(
                    verify=self._verify(),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=httpx.Timeout(pace.read_s, connect=pace.connect_s),
                    headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                ) as client,
                client.stream("GET", url, headers=headers) as answer,
            ):
                yield answer
        except httpx.HTTPError as exc:
            raise UnreachableError(
                f"expected an answer from {url}: {type(exc).__name__} {exc}; it goes on by itself later"
            ) from exc

    def _verify(self) -> ssl.SSLContext | bool:
        if self._ssl is not None:
            return self._ssl
        if self.base.startswith("http:"):
            return False  # no TLS at all: spares loading the CA bundle
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _begins_at(answer: "httpx.Response", offset: int) -> bool:
    return str(answer.headers.get("content-range", "")).startswith(f"bytes {offset}-")


def _refused(url: str, status: int) -> Exception:
    if status in (403, NOT_FOUND):
        return DownloadHTTPError(f"{url} is not there", status)
    return UnreachableError(f"expected {url}, and the server answered {status}; it goes on by itself later")


def _checked(url: str) -> str:
    wrong = InsecureError(f"expected https://host[:port][/path] for updates, not {url!r}; mend `cloud.url`")
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not fits or parts.username or parts.password or parts.query or parts.fragment:
        raise wrong
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise InsecureError(f"expected https for updates, not {url!r}; mend `cloud.url`")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    """By its number: a name may be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
