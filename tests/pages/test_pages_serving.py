"""How files of pages go over the wire: which, with what headers, to whom, and what is in no path's reach."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.bridge_kit import LiveBridge, live_bridge
from till_agent.bridge.endpoint import Numbers
from till_agent.pages import serving
from till_agent.pages.library import ASSETS, DEPTH_LIMIT, FILE_LIMIT_BYTES, Asset, Library
from till_agent.pages.serving import Pages
from till_config.settings_frontol import PageSettings


@pytest.fixture(scope="module")
def live() -> Iterator[LiveBridge]:
    with live_bridge() as found:
        yield found


class Observed:
    """Counts what was answered."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()

    def refused(self, reason: str) -> None:
        raise AssertionError(reason)

    def cashier(self, code: str, status: int, numbers: Numbers | None = None, language: str | None = None) -> str:
        return ""

    def answered(self, operation: str, status: int, seconds: float) -> None:
        self.answers[operation, status] += 1


def ask(pages: Pages, path: str, **headers: str) -> tuple[int, dict[bytes, bytes], bytes]:
    """One GET without a server around it."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(pages({"type": "http", "method": "GET", "path": path, "headers": raw}, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_a_page_needs_no_token_and_comes_with_its_policy(live: LiveBridge) -> None:
    """The browser that opens it is nobody yet; it may not run, load or embed anything of others."""
    reply = live.call("GET", "/status/", token=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.body == (ASSETS / "status" / "index.html").read_bytes()
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_every_packaged_file_is_served_with_its_type(live: LiveBridge) -> None:
    """And byte for byte."""
    for path in ASSETS.rglob("*"):
        if path.is_file():
            reply = live.call("GET", "/" + path.relative_to(ASSETS).as_posix(), token=None)
            assert (reply.status, reply.body) == (200, path.read_bytes()), path
            if path.suffix == ".js":
                assert reply.headers["content-type"].startswith("text/javascript")


def test_what_the_browser_has_is_not_sent_again(live: LiveBridge) -> None:
    """If-None-Match with the tag, among others, called weak, or any; another tag gets the file."""
    etag = live.call("GET", "/common/base.css", token=None).headers["etag"]
    assert etag.startswith('"')
    for known in (etag, f'"old", {etag}', f"W/{etag}", "*"):
        reply = live.call("GET", "/common/base.css", token=None, headers={"If-None-Match": known})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    assert live.call("GET", "/common/base.css", token=None, headers={"If-None-Match": '"old"'}).status == 200


def test_head_has_all_but_the_body(live: LiveBridge) -> None:
    """Length and tag as of GET."""
    whole = live.call("GET", "/common/dom.js", token=None)
    head = live.call("HEAD", "/common/dom.js", token=None)
    assert (head.status, head.body) == (200, b"")
    assert {name: head.headers[name] for name in ("content-length", "etag")} == {
        "content-length": str(len(whole.body)),
        "etag": whole.headers["etag"],
    }


def test_a_page_without_its_slash_is_sent_there(live: LiveBridge) -> None:
    """Relative addresses hang on it; the place is a path, so no other host can get in."""
    for page in ("panel", "status"):
        reply = live.call("GET", f"/{page}", token=None)
        assert (reply.status, reply.headers["location"]) == (308, f"/{page}/")


@pytest.mark.parametrize(
    "path",
    [
        "/status/../../library.py",
        "/status/..%2f..%2flibrary.py",
        "/status/%2e%2e/%2e%2e/serving.py",
        "/status//etc/passwd",
        "/status/words",
        "/status/words/",
        "/status/main.js/",
        "/status/main.js%00",
        "/status/MAIN.JS",
        "/common/",
        "/client",
        "/status/index.html%20",
        "/status/..\\..\\library.py",
    ],
)
def test_nothing_else_is_in_reach(live: LiveBridge, path: str) -> None:
    """Paths are names in a list: whatever is not in it is not found, however it is spelt."""
    reply = live.call("GET", path, token=None)
    assert reply.status in (400, 404)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_is_only_read(live: LiveBridge, method: str) -> None:
    """No other method, even of a client that is known."""
    reply = live.call(method, "/status/", {})
    assert (reply.status, reply.code) == (405, "method_not_allowed")


def test_foreign_pages_get_no_page(live: LiveBridge) -> None:
    """Files of pages are behind the same guard as all else."""
    reply = live.call("GET", "/status/", token=None, headers={"Origin": "https://evil.example"})
    assert (reply.status, reply.code) == (403, "origin_foreign")
    reply = live.call("GET", "/status/", token=None, headers={"Host": "evil.example"})
    assert (reply.status, reply.code) == (403, "host_foreign")


def test_all_files_are_counted_as_one() -> None:
    """The figures have one label for them, whatever was asked for."""
    seen = Observed()
    pages = Pages(PageSettings(), seen)
    for path in ("/status/", "/common/dom.js", "/panel/none"):
        ask(pages, path)
    assert seen.answers == {("page", 200): 2, ("page", 404): 1}


def test_a_page_that_is_off_is_not_there() -> None:
    """The other one goes on; without both, what they share is gone too, and the client kit stays."""
    one = Pages(PageSettings(panel=False), Observed())
    assert [ask(one, path)[0] for path in ("/panel/", "/panel", "/status/", "/common/dom.js")] == [404, 404, 200, 200]
    none = Pages(PageSettings(panel=False, status=False), Observed())
    paths = ("/status/main.js", "/common/dom.js", "/client/tillside.js")
    assert [ask(none, path)[0] for path in paths] == [404, 404, 200]


def test_no_path_leads_out_of_the_list() -> None:
    """Even where nothing before it has looked at the path."""
    for path in ("/status/../../library.py", "/status/./main.js", "//status/main.js", "/status/../status/main.js"):
        assert ask(Pages(PageSettings(), Observed()), path)[0] == 404, path


def test_the_list_is_bounded(tmp_path: Path) -> None:
    """Other kinds of files, large ones and deep folders are not served."""
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "index.html").write_text("<!doctype html>")
    (tmp_path / "status" / "notes.txt").write_text("no page")
    (tmp_path / "status" / "large.js").write_bytes(b" " * (FILE_LIMIT_BYTES + 1))
    deep = tmp_path.joinpath("status", *"abcdef"[: DEPTH_LIMIT + 1])
    deep.mkdir(parents=True)
    (deep / "deep.js").write_text("")
    library = Library(tmp_path)
    assert library.find("status/index.html") is not None
    for path in ("status/notes.txt", "status/large.js", f"status/{deep.relative_to(tmp_path / 'status')}/deep.js", ""):
        assert library.find(path) is None


def test_a_disk_that_fails_is_no_mistake_of_the_server(tmp_path: Path) -> None:
    """A file that vanished is not found; one that was served before goes on."""
    shutil.copytree(ASSETS / "status", tmp_path / "status")
    pages = Pages(PageSettings(), Observed(), Library(tmp_path))
    assert ask(pages, "/status/main.js")[0] == 200
    shutil.rmtree(tmp_path / "status")
    assert ask(pages, "/status/main.js")[0] == 200
    assert ask(pages, "/status/status.css")[0] == 404


def test_pages_without_their_policy_or_out_of_their_list_are_found_out(
    live: LiveBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above fail where headers are forgotten, and where paths are joined to a folder in place of a list."""
    with monkeypatch.context() as broken:
        broken.setattr(serving, "_HEADERS", [])
        with pytest.raises((AssertionError, KeyError)):
            test_a_page_needs_no_token_and_comes_with_its_policy(live)

    def joined(_: Library, path: str) -> Asset | None:
        place = ASSETS / path
        return Asset(place.read_bytes(), b"text/plain", b'"1"') if place.is_file() else None

    with monkeypatch.context() as broken:
        broken.setattr(Library, "find", joined)
        with pytest.raises(AssertionError):
            test_no_path_leads_out_of_the_list()
