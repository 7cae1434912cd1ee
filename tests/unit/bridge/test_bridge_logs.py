"""The log: one line a record whatever is in it, and nothing that names a member."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_agent.logs import JsonLines, redact, set_up


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The root logger with our handler, put back afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    out = io.StringIO()
    set_up("debug", out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)


def entry(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_record_is_one_json_object(stream: io.StringIO) -> None:
    logging.getLogger("till_agent.x").info("ready on %s", "127.0.0.1", extra={"port": 17532, "state": "ready"})
    found = entry(stream)
    assert (found["level"], found["logger"], found["message"]) == ("info", "till_agent.x", "ready on 127.0.0.1")
    assert (found["port"], found["state"]) == (17532, "ready")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(found["at"]))


@pytest.mark.parametrize(
    "text", ["+79161234567", "8 (916) 123-45-67", "4111 1111 1111 1111", "2900000000018", "phone=79161234567;"]
)
def test_phones_and_cards_are_struck_out(stream: io.StringIO, text: str) -> None:
    logging.getLogger().warning("got %s", text, extra={"detail": text})
    assert not re.search(r"\d{3}", str(entry(stream)["message"]) + str(entry(stream)["detail"]))


@pytest.mark.parametrize("text", ["Bearer abcDEF123_-abcDEF123_-xyz", "token=abcDEF123_-abcDEF123_-xyz"])
def test_tokens_are_struck_out(text: str) -> None:
    assert "abcDEF" not in redact(f"Authorization: {text}")


def test_short_numbers_dates_and_addresses_stay() -> None:
    text = "op 12:34, 2026-11-22, 127.0.0.1:17532, 100000 ms"
    assert redact(text) == text


def test_number_that_could_be_a_phone_is_struck_out_unless_its_name_says_what_it_is(stream: io.StringIO) -> None:
    logging.getLogger().info("x", extra={"who": 79161234567, "at_wall_ms": 1763700000000, "ok": True})
    found = entry(stream)
    assert (found["who"], found["at_wall_ms"], found["ok"]) == ("[digits]", 1763700000000, True)


def test_exception_is_told_with_its_place_and_without_its_data(stream: io.StringIO) -> None:
    try:
        int("phone +79161234567")
    except ValueError:
        logging.getLogger().exception("failed")
    found = entry(stream)
    assert found["error"] == "ValueError"
    assert "test_bridge_logs" in str(found["where"])
    assert "9161234567" not in json.dumps(found)


def test_arguments_that_do_not_fit_are_no_crash() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%d of %d", ("x", 1), None)
    assert "did not fit" in json.loads(JsonLines().format(record))["message"]


@given(st.text())
def test_any_text_stays_on_one_line_without_control_characters(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, text.replace("%", "%%"), (), None)
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", line)
    json.loads(line)
