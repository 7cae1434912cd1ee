"""Hostile requests, each with the refusal that it gets; `docs/reference/bridge-safety.md` is made of this table.

`python -m integration.bridge_safety.hostile_page docs/reference/bridge-safety.md` (PYTHONPATH=tests) writes it.
"""

from typing import NamedTuple

from integration.bridge.bridge_kit import ORIGIN


class Row(NamedTuple):
    """`request` is raw. Filled in before it goes out: HOST (with the port), PORT, tokens (TOKEN, KIOSK, REVOKED),
    USEDCODE of a page, SIGNED (FrontolAuth of a recorded body), MANY and DEEP chunks, BASIC(...), LENGTH of what
    follows the head.

    `status` 0: cut without an answer. `code` "replayed": the first answer again; "": in Frontol's own form.
    """

    name: str
    request: str
    status: int
    code: str


class Group(NamedTuple):
    """Rows of one kind. `hasty`: sent to an agent that waits for tenths of a second."""

    title: str
    why: str
    rows: list[Row]
    hasty: bool = False


END = "\r\n\r\n"
JSON = "Content-Type: application/json"
BODY = '{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}'


def head(first: str, *lines: str, host: str | None = "HOST") -> str:
    named = [f"Host: {host}"] if host is not None else []
    return "\r\n".join([first, *named, *lines]) + END


def sell(*more: str, host: str | None = "HOST", kind: str = JSON, auth: str = "Authorization: Bearer TOKEN",
         size: str = "Content-Length: LENGTH", client: str = "X-Tillside-Client: test", body: str = BODY,
         first: str = "PUT /v1/sales/u1 HTTP/1.1") -> str:  # fmt: skip
    """A sale that passes as it is, with one thing changed."""
    return head(first, *(line for line in (auth, client, kind, size, *more) if line), host=host) + body


def read(path: str, *more: str, auth: str = "Authorization: Bearer TOKEN", host: str | None = "HOST") -> str:
    return head(f"GET {path} HTTP/1.1", *(line for line in (auth, *more) if line), host=host)


def pair(*more: str, code: str = "00000000") -> str:
    first = ("POST /v1/pairing HTTP/1.1", "X-Tillside-Client: page", JSON, "Content-Length: LENGTH", *more)
    return head(*first) + f'{{"code":"{code}"}}'


def frontol(*more: str, auth: str = "Authorization: SIGNED", body: str = '{"client":{}}') -> str:
    size = f"Content-Length: {len(body)}"
    return head("POST /frontol/client HTTP/1.1", *(line for line in (auth, JSON, size, *more) if line)) + body


def chunked(body: str, *more: str, coding: str = "Transfer-Encoding: chunked") -> str:
    return sell(*more, size=coding, body=body)


FOREIGN = "https://evil.example"
OWN = "Origin: http://HOST"

HOSTS = Group(
    "Names that are not the bridge's",
    "A page whose own name was made to point at this machine sends its own name.",
    [
        Row("rebound name", sell(host="evil.example"), 403, "host_foreign"),
        Row("rebound name with our port", sell(host="evil.example:PORT"), 403, "host_foreign"),
        Row("name of a rebinding service", sell(host="7f000001.c0a80001.rbndr.us:PORT"), 403, "host_foreign"),
        Row("name that says an address", sell(host="127.0.0.1.nip.io:PORT"), 403, "host_foreign"),
        Row("name that begins like ours", sell(host="localhost.evil.example:PORT"), 403, "host_foreign"),
        Row("name that ends like ours", sell(host="evil-localhost:PORT"), 403, "host_foreign"),
        Row("name below localhost", sell(host="evil.localhost:PORT"), 403, "host_foreign"),
        Row("name of the machine in its network", sell(host="till.local:PORT"), 403, "host_foreign"),
        Row("localhost without a port", sell(host="localhost"), 403, "host_foreign"),
        Row("localhost with another port", sell(host="localhost:1"), 403, "host_foreign"),
        Row("127.0.0.1 without a port", sell(host="127.0.0.1"), 403, "host_foreign"),
        Row("port with a zero before it", sell(host="127.0.0.1:0PORT"), 403, "host_foreign"),
        Row("port with a sign", sell(host="127.0.0.1:+PORT"), 403, "host_foreign"),
        Row("two ports", sell(host="127.0.0.1:PORT:PORT"), 403, "host_foreign"),
        Row("port followed by more", sell(host="127.0.0.1:PORT.evil.example"), 403, "host_foreign"),
        Row("user before the host", sell(host="evil@127.0.0.1:PORT"), 403, "host_foreign"),
        Row("two hosts in one line", sell(host="127.0.0.1:PORT, evil.example"), 403, "host_foreign"),
        Row("host with a trailing dot", sell(host="localhost.:PORT"), 403, "host_foreign"),
        Row("address with a trailing dot", sell(host="127.0.0.1.:PORT"), 403, "host_foreign"),
        Row("IPv4 as one number", sell(host="2130706433:PORT"), 403, "host_foreign"),
        Row("IPv4 in hexadecimal", sell(host="0x7f.1:PORT"), 403, "host_foreign"),
        Row("IPv4 in octal", sell(host="0177.0.0.1:PORT"), 403, "host_foreign"),
        Row("IPv4 cut short", sell(host="127.1:PORT"), 403, "host_foreign"),
        Row("another loopback address", sell(host="127.0.0.2:PORT"), 403, "host_foreign"),
        Row("any address", sell(host="0.0.0.0:PORT"), 403, "host_foreign"),
        Row("IPv6 without brackets", sell(host="::1:PORT"), 403, "host_foreign"),
        Row("IPv6 without a port", sell(host="[::1]"), 403, "host_foreign"),
        Row("IPv6 written long", sell(host="[0:0:0:0:0:0:0:1]:PORT"), 403, "host_foreign"),
        Row("IPv6 with IPv4 in it", sell(host="[::ffff:127.0.0.1]:PORT"), 403, "host_foreign"),
        Row("IPv6 with a zone", sell(host="[::1%25lo]:PORT"), 403, "host_foreign"),
        Row("IPv6, any address", sell(host="[::]:PORT"), 403, "host_foreign"),
        Row("empty host", sell(host=""), 403, "host_foreign"),
        Row("no host", sell(host=None), 403, "host_foreign"),
        Row("no host, HTTP/1.0", sell(host=None, first="PUT /v1/sales/u1 HTTP/1.0"), 403, "host_foreign"),
        Row("two hosts", sell("Host: evil.example"), 400, "header_repeated"),
        Row("the same host twice", sell("Host: HOST"), 400, "header_repeated"),
        Row("rebound name that opens a page", read("/panel/", auth="", host="evil.example:PORT"), 403, "host_foreign"),
        Row("rebound name with its own origin",
            sell("Origin: http://evil.example:PORT", "Sec-Fetch-Site: same-origin", host="evil.example:PORT"),
            403, "host_foreign"),
    ],
)  # fmt: skip

PAGES = Group(
    "Pages of other sites",
    "What a browser says of the page that calls. Only listed origins and the bridge's own pages may.",
    [
        Row("foreign origin", sell(f"Origin: {FOREIGN}"), 403, "origin_foreign"),
        Row("null origin: sandbox, file, redirect", sell("Origin: null"), 403, "origin_foreign"),
        Row("empty origin", sell("Origin:"), 403, "origin_foreign"),
        Row("file", sell("Origin: file://"), 403, "origin_foreign"),
        Row("browser extension", sell("Origin: chrome-extension://abcdefghijklmnopabcdefghijklmnop"), 403,
            "origin_foreign"),
        Row("app with its own scheme", sell("Origin: app://localhost"), 403, "origin_foreign"),
        Row("listed origin in capitals", sell(f"Origin: {ORIGIN.upper()}"), 403, "origin_foreign"),
        Row("listed origin, http", sell("Origin: http://pos.example"), 403, "origin_foreign"),
        Row("listed origin, port", sell("Origin: https://pos.example:8443"), 403, "origin_foreign"),
        Row("listed origin, usual port named", sell("Origin: https://pos.example:443"), 403, "origin_foreign"),
        Row("listed origin, longer", sell("Origin: https://pos.example.evil"), 403, "origin_foreign"),
        Row("listed origin, name before it", sell("Origin: https://evil-pos.example"), 403, "origin_foreign"),
        Row("listed origin, below it", sell("Origin: https://evil.pos.example"), 403, "origin_foreign"),
        Row("listed origin, slash", sell("Origin: https://pos.example/"), 403, "origin_foreign"),
        Row("listed origin, trailing dot", sell("Origin: https://pos.example."), 403, "origin_foreign"),
        Row("two origins in one", sell(f"Origin: {ORIGIN} {FOREIGN}"), 403, "origin_foreign"),
        Row("two origins in a list", sell(f"Origin: {ORIGIN}, {FOREIGN}"), 403, "origin_foreign"),
        Row("two origins", sell(f"Origin: {ORIGIN}", "Origin: null"), 400, "header_repeated"),
        Row("this machine, another port", sell("Origin: http://127.0.0.1:1"), 403, "origin_foreign"),
        Row("this machine, no port", sell("Origin: http://127.0.0.1"), 403, "origin_foreign"),
        Row("this machine, https", sell("Origin: https://HOST"), 403, "origin_foreign"),
        Row("the bridge by its other name", sell("Origin: http://localhost:PORT"), 403, "origin_foreign"),
        Row("the bridge's origin from another site", sell(OWN, "Sec-Fetch-Site: cross-site"), 403, "origin_foreign"),
        Row("the bridge's origin from a sister site", sell(OWN, "Sec-Fetch-Site: same-site"), 403, "origin_foreign"),
        Row("foreign origin that reads", read("/v1/status", f"Origin: {FOREIGN}"), 403, "origin_foreign"),
        Row("foreign origin on health", read("/livez", "Origin: null", auth=""), 403, "origin_foreign"),
        Row("foreign origin that takes a page's file", read("/panel/", f"Origin: {FOREIGN}", auth=""), 403,
            "origin_foreign"),
        Row("image of another site", read("/v1/status", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"), 403,
            "site_foreign"),
        Row("script of a sister site", read("/v1/status", "Sec-Fetch-Site: same-site", "Sec-Fetch-Dest: script"), 403,
            "site_foreign"),
        Row("unknown kind of site", read("/v1/status", "Sec-Fetch-Site: whatever"), 403, "site_foreign"),
        Row("two kinds of site", read("/v1/status", "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), 400,
            "header_repeated"),
        Row("link of another site to a page", read("/panel/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document", auth=""), 403, "site_foreign"),
        Row("page in a frame of another site", read("/panel/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: iframe", auth=""), 403, "site_foreign"),
        Row("program of another port that loads a script", read("/client/tillside.js", "Sec-Fetch-Site: same-site",
            auth=""), 403, "site_foreign"),
        Row("preflight of a foreign page", head("OPTIONS /v1/quotes HTTP/1.1", f"Origin: {FOREIGN}",
            "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"), 403,
            "origin_foreign"),
        Row("preflight for a private network", head("OPTIONS /v1/quotes HTTP/1.1", f"Origin: {FOREIGN}",
            "Access-Control-Request-Method: POST", "Access-Control-Request-Private-Network: true"), 403,
            "origin_foreign"),
        Row("preflight of nobody", head("OPTIONS /v1/quotes HTTP/1.1", "Access-Control-Request-Method: POST"), 405,
            "method_not_allowed"),
        Row("events for a foreign page", read("/v1/events", f"Origin: {FOREIGN}", "Accept: text/event-stream"), 403,
            "origin_foreign"),
        Row("events for a page of another site", read("/v1/events", "Sec-Fetch-Site: cross-site"), 403,
            "site_foreign"),
        Row("WebSocket of a foreign page", read("/v1/events", "Connection: Upgrade", "Upgrade: websocket",
            f"Origin: {FOREIGN}"), 403, "origin_foreign"),
        Row("code tried by a listed page", pair(f"Origin: {ORIGIN}"), 403, "origin_foreign"),
        Row("code tried by a foreign page", pair(f"Origin: {FOREIGN}"), 403, "origin_foreign"),
        Row("code tried by nobody", pair(), 403, "origin_foreign"),
        Row("code tried by the bridge's other name", pair("Origin: http://localhost:PORT"), 403, "origin_foreign"),
    ],
)  # fmt: skip

UNASKED = Group(
    "What a page may send without asking",
    "Forms, plain text and beacons go to any server; JSON and a header of its own do not.",
    [
        Row("text/plain", sell(kind="Content-Type: text/plain"), 415, "not_json"),
        Row("form", sell(kind="Content-Type: application/x-www-form-urlencoded"), 415, "not_json"),
        Row("form with files", sell(kind="Content-Type: multipart/form-data; boundary=x"), 415, "not_json"),
        Row("no content type", sell(kind=""), 415, "not_json"),
        Row("empty content type", sell(kind="Content-Type:"), 415, "not_json"),
        Row("JSON in name only", sell(kind="Content-Type: text/plain; application/json"), 415, "not_json"),
        Row("JSON after something else", sell(kind="Content-Type: text/plain, application/json"), 415, "not_json"),
        Row("JSON and something else", sell(kind="Content-Type: application/json, text/plain"), 415, "not_json"),
        Row("almost JSON", sell(kind="Content-Type: application/jsonx"), 415, "not_json"),
        Row("JSON of another kind", sell(kind="Content-Type: application/problem+json"), 415, "not_json"),
        Row("report of a browser", sell(kind="Content-Type: application/csp-report"), 415, "not_json"),
        Row("JSON in UTF-16", sell(kind="Content-Type: application/json; charset=utf-16"), 415, "not_json"),
        Row("JSON in UTF-7", sell(kind="Content-Type: application/json; charset=utf-7"), 415, "not_json"),
        Row("two content types", sell("Content-Type: text/plain"), 400, "header_repeated"),
        Row("compressed", sell("Content-Encoding: gzip"), 415, "encoding_unsupported"),
        Row("no client header", sell(client=""), 403, "client_header_missing"),
        Row("empty client header", sell(client="X-Tillside-Client:"), 403, "client_header_missing"),
        Row("client header of spaces", sell(client="X-Tillside-Client: a b"), 403, "client_header_missing"),
        Row("client header too long", sell(client=f"X-Tillside-Client: {'a' * 65}"), 403, "client_header_missing"),
        Row("form of the bridge's own page", sell(OWN, "Sec-Fetch-Site: same-origin", client="",
            kind="Content-Type: application/x-www-form-urlencoded"), 403, "client_header_missing"),
        Row("deletion without the client header", head("DELETE /v1/holds/h-1 HTTP/1.1", "Authorization: Bearer TOKEN"),
            403, "client_header_missing"),
        Row("body on a read", read("/v1/status", JSON, "Content-Length: 2") + "{}", 400, "body_not_expected"),
    ],
)  # fmt: skip
