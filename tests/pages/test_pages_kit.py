"""The kit that looks at pages sees what is wrong with one, and lets a good one pass."""

import contextlib
import gc
import socket
import sys

import pytest
from playwright.sync_api import Browser, Route

from kit.chromium import Visit, low_contrast, overflowing, small_targets, until, visit
from kit.proxy import Line
from till_agent.pages.serving import CONTENT_SECURITY_POLICY

PORT = 9
"""Nobody is asked: each answer is made up here."""


def served(visited: Visit, body: str, script: str = "") -> None:
    """Open a page of `body`, with a script of the same origin that has run when this returns."""
    files = {"": ("text/html", f"<!doctype html><meta charset=utf-8><body>{body}<script src=own.js></script>")}
    files["own.js"] = ("text/javascript", script)

    def answer(route: Route) -> None:
        kind, text = files.get(route.request.url.rpartition("/")[2], ("text/plain", ""))
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Type": kind}
        route.fulfill(status=404 if kind == "text/plain" else 200, body=text, headers=headers)

    visited.context.unroute_all()
    visited.context.route("**/*", answer)
    visited.go("/status/")


def test_a_good_page_passes(browser: Browser) -> None:
    """Nothing is found where nothing is wrong, and scripts of the origin run."""
    with visit(browser, PORT) as visited:
        served(visited, "<p>Good</p>", "document.title = 'ran'")
        assert visited.page.title() == "ran"
        assert not low_contrast(visited.page)
        assert not overflowing(visited.page)
        assert not small_targets(visited.page)


BAD = (
    ("<script>window.x = 1</script>", "", "breach of script-src-elem by inline"),
    ("<p style='color:red'>x</p>", "", "breach of style-src-attr"),
    ("", "document.body.innerHTML = '<p>x</p>'", "TrustedHTML"),
    ("", "eval('1')", "eval"),
    ("", "fetch('http://tillside.invalid/x').catch(() => {})", "breach of connect-src"),
    ("", "console.error('oh')", "console: oh"),
    ("", "null.x", "exception"),
    ("<script src=missing.js></script>", "", "404 for /status/missing.js"),
)


def test_what_a_page_does_wrong_fails_its_visit(browser: Browser) -> None:
    """Breaches of the policy, errors, exceptions, missing files: each is told when the visit ends."""
    with pytest.raises(AssertionError, match=BAD[-1][2]), visit(browser, PORT) as visited:  # noqa: PT012 - leaving it is what fails
        for body, script, word in BAD:
            visited.faults.clear()
            served(visited, body, script)
            until(visited.page, lambda word=word: word in " ".join(visited.faults), word)


def test_what_can_t_be_read_or_hit_is_found(browser: Browser) -> None:
    """Low contrast on a wash over a ground, text that is cut, a page too wide, buttons without size or name."""
    style = """
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(`
        .ground { background: #555 } .wash { background: rgb(255 255 255 / 40%) }
        .pale { color: #aaa } .cut { width: 3em; overflow: hidden; white-space: nowrap }
        .wide { width: 3000px }`);
      document.adoptedStyleSheets = [sheet];
    """
    body = """<div class=ground><div class=wash><p class=pale>pale</p></div></div><p class=cut>much too long</p>
      <p class=wide>wide</p><button>small</button><button></button>"""
    with visit(browser, PORT) as visited:
        served(visited, body, style)
        assert [each.partition(" ")[2] for each in low_contrast(visited.page)] == ["p.pale: pale"]
        found = " ".join(overflowing(visited.page))
        assert "the page: 3" in found
        assert "p.cut" in found
        wrong = " ".join(small_targets(visited.page))
        assert "px: button.: small" in wrong
        assert "without a name" in wrong


def test_a_line_that_ends_leaves_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that was made a moment before: it would fail the test that runs when it is swept up."""
    left: list[object] = []
    with monkeypatch.context() as swept, contextlib.ExitStack() as stack:
        swept.setattr(sys, "unraisablehook", lambda found: left.append(found.exc_value))
        for _ in range(10):
            line = Line()
            for _ in range(5):
                stack.enter_context(socket.create_connection(("127.0.0.1", line.port)))
            line.stop()
            del line
        gc.collect()
    assert left == []
