"""Pages of others in a real browser try everything that a page can: the agent does nothing and tells them nothing."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from integration.bridge_safety.hostile_world import World, world_at
from kit.chromium import launched

EVIL = "evil.example"
PATIENCE_MS = 15_000
ATTACK = """
async ([base, token]) => {
  const told = {};
  const body = '{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}';
  const known = {"Authorization": "Bearer " + token, "X-Tillside-Client": "evil", "Content-Type": "application/json"};
  const ask = async (name, path, options) => {
    try {
      const answer = await fetch(base + path, options);
      told[name] = answer.type === "opaque" ? "opaque" : String(answer.status);
    } catch (error) { told[name] = "blocked"; }
  };
  const wait = (name, start) => new Promise((done) => {
    const end = (what) => { told[name] ??= what; done(); };
    setTimeout(() => end("nothing"), 15_000);
    start(end);
  });
  const add = (name, tag, fields) => wait(name, (end) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.onload = () => end("loaded");
    element.onerror = () => end("blocked");
    document.body.append(element);
  });
  await Promise.all([
    ask("sale with a stolen token", "/v1/sales/evil-1", {method: "PUT", headers: known, body}),
    ask("reading with a stolen token", "/v1/status", {headers: {"Authorization": "Bearer " + token}}),
    ask("health", "/livez", {}),
    ask("health unread", "/livez", {mode: "no-cors"}),
    ask("void in plain text", "/v1/sales/recorded/void", {method: "POST", mode: "no-cors", body: "{}"}),
    ask("pairing", "/v1/pairing", {method: "POST", headers: {"Content-Type": "application/json",
      "X-Tillside-Client": "evil"}, body: '{"code":"00000000"}'}),
    ask("Frontol in plain text", "/frontol/client", {method: "POST", mode: "no-cors", body: '{"client":{}}'}),
    ask("page of the bridge", "/panel/", {}),
    ask("with cookies", "/v1/queue", {credentials: "include"}),
    add("image", "img", {src: base + "/v1/status"}),
    add("script", "script", {src: base + "/client/tillside.js"}),
    add("style", "link", {rel: "stylesheet", href: base + "/common/base.css"}),
    wait("events", (end) => {
      const source = new EventSource(base + "/v1/events");
      source.onopen = () => end("loaded");
      source.onerror = () => { source.close(); end("blocked"); };
    }),
    wait("WebSocket", (end) => {
      const socket = new WebSocket(base.replace("http", "ws") + "/v1/events");
      socket.onopen = () => end("loaded");
      socket.onerror = () => end("blocked");
    }),
    wait("form", (end) => {
      const frame = Object.assign(document.createElement("iframe"), {name: "hidden"});
      const form = Object.assign(document.createElement("form"), {method: "POST", target: "hidden",
        action: base + "/v1/sales/recorded/void", enctype: "text/plain"});
      form.append(Object.assign(document.createElement("input"), {name: '{"a":"', value: '"}'}));
      document.body.append(frame, form);
      frame.onload = () => { if (form.sent) end("sent"); };
      form.sent = true;
      form.submit();
    }),
  ]);
  told.beacon = String(navigator.sendBeacon(base + "/v1/sales/recorded/void", new Blob(["{}"], {type: "text/plain"})));
  await ask("after all", "/v1/sales/recorded/void", {method: "POST", mode: "no-cors", keepalive: true});
  return told;
}
"""

SALE = """
async (token) => (await fetch("/v1/sales/own-1", {
  method: "PUT",
  headers: {"Authorization": "Bearer " + token, "X-Tillside-Client": "page", "Content-Type": "application/json"},
  body: '{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}',
})).status
"""


class Blank(http.server.BaseHTTPRequestHandler):
    """A page of somebody else: empty, whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "30")
        self.end_headers()
        self.wfile.write(b"<!doctype html><body>evil</bod")

    def log_request(self, *_: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_at(tmp_path_factory.mktemp("browsed")) as made:
        yield made


@pytest.fixture(scope="module")
def browser(world: World) -> Iterator[Browser]:
    # The second: as browsers were before they asked people about calls to this machine.
    with launched(
        f"--host-resolver-rules=MAP {EVIL} 127.0.0.1", "--disable-features=LocalNetworkAccessChecks"
    ) as found:
        yield found


def attacked(page: Page, world: World, base: str) -> dict[str, str]:
    """What the page got, of everything that it tried; nothing has happened meanwhile."""
    before = world.effects()
    told = page.evaluate(ATTACK, [base, world.filled("TOKEN").decode()])
    assert world.effects() == before
    return dict(told)


@pytest.mark.parametrize("name", ["127.0.0.1", EVIL])
def test_page_of_another_origin_gets_nothing(world: World, browser: Browser, other_port: int, name: str) -> None:
    """On this machine by another port, which is the same site to a browser; and of another site."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"http://{name}:{other_port}/")
    refused = world.live.running.agent.figures._refused
    seen = refused["origin_foreign"] + refused["site_foreign"]
    told = attacked(page, world, f"http://127.0.0.1:{world.live.port}")
    page.close()
    assert refused["origin_foreign"] + refused["site_foreign"] > seen + 10, "the tries have come as far as the guard"
    rest = {name: what for name, what in told.items() if name not in {"beacon", "form"}}
    assert rest == dict.fromkeys(rest, "blocked")


def test_page_whose_name_was_made_to_point_here_gets_nothing(world: World, browser: Browser) -> None:
    """Its requests are of its own origin to its own browser, and come to the agent: Host tells them apart."""
    base = f"http://{EVIL}:{world.live.port}"
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.route(f"{base}/", lambda route: route.fulfill(body="<!doctype html><body>evil", content_type="text/html"))
    page.goto(f"{base}/")
    refused = world.live.running.agent.figures._refused
    seen = refused["host_foreign"]
    told = attacked(page, world, base)
    page.close()
    assert refused["host_foreign"] > seen + 10, "the tries have come as far as the guard"
    rest = {name: what for name, what in told.items() if name not in {"beacon", "form"}}
    assert set(rest.values()) <= {"403", "blocked"}


def test_browser_and_agent_of_the_test_can_do_what_is_refused(world: World, browser: Browser) -> None:
    """The control: the first of these calls, from the bridge's own page, passes."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"http://127.0.0.1:{world.live.port}/client/tillside.js")
    before = world.effects()
    told = page.evaluate(SALE, world.filled("TOKEN").decode())
    page.close()
    assert told == 200
    assert world.effects() != before
