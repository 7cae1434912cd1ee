"""Every failure of a request becomes a problem, and a body is read within a size and a time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.sync.sync_http_kit import HEAD, LIMIT_BYTES, TIMEOUT_MS, _decoder, ask, post, problem_of, raw, serving
from kit.loops import run
from till_sync.http.problems import decode_problem
from till_sync.problems import ProblemError


def test_a_good_body_is_taken() -> None:
    """JSON in, typed, JSON out; unknown fields are ignored."""
    answer = post(b'{"lines":[{"number":1,"x":[[]]}],"y":null}', "application/json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {"lines": [{"number": 1, "name": ""}], "notes": {}})


def test_an_answer_has_no_server_header() -> None:
    """What we run is nobody's business."""
    assert "server" not in post(b'{"lines":[]}').headers


BAD_BODIES: list[tuple[bytes, int, str, str | None]] = [
    (b"", 400, "body_malformed", None),
    (b"{", 400, "body_malformed", None),
    (b'{"lines":[]} trailing', 400, "body_malformed", None),
    (b"\xef\xbb\xbf{}", 400, "body_malformed", None),
    (b'{"lines":[{"number":1,"name":"\xff"}]}', 400, "body_malformed", None),
    (b'{"lines":[{"number":1,"name":"\\ud800"}]}', 400, "body_malformed", None),
    (b'{"x":' + b"[" * 3_900, 400, "body_too_deep", None),
    (b"null", 422, "body_invalid", ""),
    (b"[]", 422, "body_invalid", ""),
    (b"{}", 422, "body_invalid", ""),
    (b'{"lines":"x"}', 422, "body_invalid", "/lines"),
    (b'{"lines":[{"number":1},{"number":"2"}]}', 422, "body_invalid", "/lines/1/number"),
    (b'{"lines":[{"number":1},{"number":null}]}', 422, "body_invalid", "/lines/1/number"),
    (b'{"lines":[{"number":true}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":-1}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":1.5}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":1e400}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":' + b"9" * 3_000 + b"}]}", 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{}]}', 422, "body_invalid", "/lines/0"),
    (b'{"lines":[],"notes":{"a/b":"x"}}', 422, "body_invalid", "/notes"),
    (b"[" * 3_999, 422, "body_invalid", ""),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_the_sender_s_fault_and_named(body: bytes, status: int, code: str, pointer: str | None) -> None:
    """Never a 500: 400 when it is no JSON, 422 with the JSON pointer when it does not fit."""
    members = problem_of(post(body))
    assert (members["status"], members["code"], members.get("pointer")) == (status, code, pointer)
    assert not members["retryable"]


def test_a_route_that_decodes_by_itself_answers_with_the_same_problem() -> None:
    """msgspec's own errors are turned too, wherever they are raised."""
    members = problem_of(post(b'{"lines":[{"number":"2"}]}', path="/raw"))
    assert (members["status"], members["code"], members["pointer"]) == (422, "body_invalid", "/lines/0/number")


def test_what_was_expected_is_said_in_our_words() -> None:
    """ "Expected X, not Y"."""
    assert problem_of(post(b'{"lines":"x"}'))["detail"] == "expected `array`, not `str`"
    assert problem_of(post(b'{"lines":[{"number":-1}]}'))["detail"] == "expected `int` >= 1"


def test_of_a_member_named_twice_the_last_counts() -> None:
    """RFC 8259 leaves it open; it is the same on every path of ours."""
    assert post(b'{"lines":[{"number":1}],"lines":[]}').json()["lines"] == []


@settings(max_examples=300, deadline=None)
@given(body=st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: text.encode())))
def test_no_body_breaks_the_decoder(body: bytes) -> None:
    """Any bytes are a Receipt or a problem below 500."""
    from till_sync.http.bodies import decode_body

    try:
        decode_body(body, _decoder)
    except ProblemError as error:
        refused = error.problem.status
    else:
        refused = 400
    assert refused in (400, 422)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("Expected `int`, got `str` - at `$.a[0].b`", "/a/0/b"),
        ("Expected `int`, got `str` - at `$[3]`", "/3"),
        ("Expected `int`, got `str` - at `$.a[...].b`", "/a"),
        ("Expected `int`, got `str` - at `key` in `$.k`", "/k"),
        ("Expected `int`, got `str`", ""),
        ("Expected `int`, got `str` - at `$.a/b~c`", "/a~1b~0c"),
    ],
)
def test_pointers_are_made_of_paths(text: str, pointer: str) -> None:
    """RFC 6901, with its escapes."""
    problem = decode_problem(msgspec.ValidationError(text)).problem
    assert problem.extras == {"pointer": pointer}
    assert problem.detail == "expected `int`, not `str`"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=cp1251"],
)
def test_what_is_not_json_is_415(content_type: str) -> None:
    """A form of a foreign page can't be posted as JSON."""
    members = problem_of(post(b'{"lines":[]}', content_type))
    assert (members["status"], members["code"]) == (415, "not_json")


def test_an_encoded_body_is_415() -> None:
    """No decompression, so no bomb."""
    answer = post(b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert problem_of(answer)["code"] == "encoding_unsupported"


def test_a_body_over_the_limit_is_413_and_the_answer_arrives() -> None:
    """Announced or chunked, also when the sender goes on sending: the answer is not lost to a reset."""
    announced = post(b" " * 3_000_000)
    assert (problem_of(announced)["code"], announced.headers["connection"]) == ("body_too_large", "close")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1_000

    chunked = ask("POST", "/take", content=chunks(), headers={"Content-Type": "application/json"})
    assert problem_of(chunked)["limit_bytes"] == LIMIT_BYTES


@pytest.mark.parametrize("announced", ["99999999999999999999999", "4001"])
def test_an_absurd_announcement_is_413_at_once(announced: str) -> None:
    """Before a byte of it is read."""

    async def case() -> bytes:
        async with serving() as server:
            return await raw(server.port, HEAD + announced.encode() + b"\r\n\r\n")

    answer = run(case())
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_a_body_that_dawdles_is_408() -> None:
    """The whole body has one time limit, so a byte now and then does not extend it."""

    async def case() -> bytes:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD + b"100\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(20):
                    writer.write(b" ")
                    await asyncio.sleep(TIMEOUT_MS / 5_000)
            answer = await reader.read()
            writer.close()
            return answer

    answer = run(case())
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_too_slow"' in answer
    assert b'"retryable":true' in answer


def test_a_body_that_is_cut_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    """The sender went away inside the body: nothing is logged as an error."""

    async def case() -> None:
        async with serving() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD + b"100\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.WARNING):
        run(case())
    assert caplog.records == []


def test_a_problem_error_becomes_its_problem() -> None:
    """Status, code, headers and extras arrive; letters of any language as UTF-8."""
    answer = ask("GET", "/refuse")
    members = problem_of(answer)
    assert (members["code"], members["pointer"], members["cashier"]) == ("uid_conflict", "/uid", "Ой")
    assert answer.headers["x-seen"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/take", 405, "method_not_allowed"),
        ("GET", "/teapot", 418, "http_418"),
    ],
)
def test_the_framework_s_own_errors_are_problems(method: str, path: str, status: int, code: str) -> None:
    """404, 405 and whatever else Starlette raises."""
    answer = ask(method, path)
    members = problem_of(answer)
    assert (members["status"], members["code"]) == (status, code)
    if status == 405:
        assert answer.headers["allow"] == "POST"


def test_a_defect_is_a_500_that_says_nothing_and_logs_no_data(caplog: pytest.LogCaptureFixture) -> None:
    """One log entry with the stack; neither it nor the answer quotes the request."""
    with caplog.at_level(logging.DEBUG, logger="till_sync"), caplog.at_level(logging.DEBUG, logger="uvicorn"):
        answer = ask("GET", "/defect?card=4276123412341234")
    members = problem_of(answer)
    assert (members["code"], members["retryable"]) == ("internal", True)
    assert "42761234" not in answer.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "Unexpected ValueError while answering GET" in caplog.text
    assert "in defect" in caplog.text
    assert "42761234" not in caplog.text  # ports have four digits and more


def test_a_defect_after_the_answer_has_begun_cuts_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Half an answer must not look like a whole one, and the log still quotes nothing."""

    async def case() -> None:
        async with serving() as server, httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"http://127.0.0.1:{server.port}/broken?card=4276123412341234")

    with caplog.at_level(logging.DEBUG, logger="till_sync"), caplog.at_level(logging.DEBUG, logger="uvicorn"):
        run(case())
    assert "while answering GET" in caplog.text
    assert "42761234" not in caplog.text  # ports have four digits and more
