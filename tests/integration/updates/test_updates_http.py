"""Updates over HTTP: from the cloud as it serves them, and from servers that break off, dawdle, or never end."""

import asyncio
import contextlib
import http.server
import threading
from pathlib import Path

import pytest

from kit.updates import Shop
from till_cloud.centre import Centre
from till_cloud.server import CloudServer
from till_installer.update import exceptions as refusals
from till_installer.update.fetching import HttpFetcher, Pace

BUNDLE = bytes(range(256)) * 2_000
QUICK = Pace(metadata_s=0.4, window_s=0.4, window_least_bytes=100_000, connect_s=2, read_s=2)


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; `cut` is where bundles end, `pause_s` what comes between pieces, `endless` adds to all."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.cut = self.metadata_pause_s = self.pause_s = 0.0
        self.endless = ""
        self.ranges = True
        self.wrong_range = False
        self.asked: list[tuple[str, str]] = []
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, bundle = self.server, self.path.endswith(".tar.gz")
        server.asked.append((self.path.rpartition("/")[2], self.headers.get("Range", "")))
        path = server.folder / self.path.lstrip("/")
        if not path.is_file():
            return self.send_error(404)
        data, begin = path.read_bytes(), 0
        if bundle and server.ranges and (asked := self.headers.get("Range")):
            begin = int(asked.removeprefix("bytes=").rstrip("-")) + server.wrong_range
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.end_headers()
        end = int(server.cut) if bundle and server.cut else len(data)
        pause_s = server.pause_s if bundle else server.metadata_pause_s
        with contextlib.suppress(OSError):
            for at in range(begin, end, 50 if pause_s else 50_000):
                self.wfile.write(data[at : min(end, at + (50 if pause_s else 50_000))])
                if pause_s and server.gone.wait(pause_s):
                    return None
            while server.endless and server.endless in self.path and not server.gone.is_set():
                self.wfile.write(b"x" * 65536)
        return None


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    made.release("1.1.0", BUNDLE)
    made.trust()
    return made


@pytest.fixture
def server(shop):
    made = Server(shop.repo.public)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.gone.set()
    made.shutdown()
    made.server_close()
    thread.join(10)


def _fetch(shop, server, **pace):
    return shop.fetch(HttpFetcher(server.url, pace=QUICK if pace.get("quick") else None))


def _bundles(server):
    return [asked for name, asked in server.asked if name.endswith(".tar.gz")]


def test_a_broken_line_goes_on_where_it_broke(shop, server):
    """What has come is kept over the break, and is not asked for again."""
    server.cut = 200_000
    with pytest.raises(refusals.UnreachableError, match="200000"):
        _fetch(shop, server)
    server.cut = 0
    assert _fetch(shop, server).read_bytes() == BUNDLE
    assert _bundles(server) == ["", "bytes=200000-"]


@pytest.mark.parametrize("how", ["no_ranges", "wrong_range", "other_bytes"])
def test_what_can_not_be_gone_on_with_begins_anew(shop, server, how):
    """A server without ranges, one that answers another one, and a beginning that was another file's."""
    server.cut = 200_000
    with pytest.raises(refusals.UnreachableError):
        _fetch(shop, server)
    server.cut = 0
    server.ranges = how != "no_ranges"
    server.wrong_range = how == "wrong_range"
    if how == "other_bytes":
        part = next((shop.layout.updates_dir / "downloads").glob("*.part"))
        part.write_bytes(b"?" * 200_000)
    assert _fetch(shop, server).read_bytes() == BUNDLE


def test_a_bundle_that_dribbles(shop, server):
    """Fewer bytes in a window than any line has: given up in a bounded time, and what came is kept."""
    server.pause_s = 0.02
    with pytest.raises(refusals.SlowError):
        _fetch(shop, server, quick=True)
    assert next((shop.layout.updates_dir / "downloads").glob("*.part")).stat().st_size > 0


def test_metadata_that_dribbles(shop, server):
    """The time is that of the whole file, however often a byte comes."""
    server.metadata_pause_s = 0.05
    with pytest.raises(refusals.SlowError):
        _fetch(shop, server, quick=True)


@pytest.mark.parametrize("what", ["timestamp.json", ".tar.gz"])
def test_what_never_ends(shop, server, what):
    """Metadata and bundle alike: read no further than they may go."""
    server.endless = what
    with pytest.raises(refusals.EndlessError):
        _fetch(shop, server)
    parts = (shop.layout.updates_dir / "downloads").glob("*.part")
    assert all(path.stat().st_size <= len(BUNDLE) for path in parts)


def test_nobody_answers(shop):
    """Said as what mends itself."""
    with pytest.raises(refusals.UnreachableError, match="by itself"):
        shop.fetch(HttpFetcher("http://127.0.0.1:1"))


def test_the_cloud_serves_what_was_published(shop, tmp_path):
    """With ranges, without a listing, and nothing but files of the repository."""
    import httpx

    (shop.repo.public / "metadata/secret.txt").write_text("x")
    (shop.repo.folder / "o.json").write_text("x")

    async def case():
        server = CloudServer(Centre(tmp_path / "c.db"), updates=shop.repo.public)
        try:
            base = f"http://127.0.0.1:{await server.start()}/v1/updates"
            got = await asyncio.to_thread(shop.fetch, HttpFetcher(base))
            async with httpx.AsyncClient(trust_env=False) as client:
                target = next((shop.repo.targets).glob("*.tar.gz")).name
                ranged = await client.get(f"{base}/targets/{target}", headers={"Range": "bytes=10-19"})
                paths = [
                    "metadata/secret.txt",
                    "metadata/",
                    "metadata",
                    "targets/..%2F..%2Foutside.json",
                    "x/root.json",
                ]
                refused = [(await client.get(f"{base}/{path}")).status_code for path in paths]
                stamp = await client.get(f"{base}/metadata/timestamp.json")
            return got.read_bytes(), ranged, refused, stamp.headers["cache-control"]
        finally:
            await server.stop()

    got, ranged, refused, cache = asyncio.run(case())
    assert got == BUNDLE
    assert (ranged.status_code, ranged.content) == (206, BUNDLE[10:20])
    assert refused == [404] * 5
    assert cache == "no-cache"
