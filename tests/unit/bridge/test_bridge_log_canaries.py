"""Phones, cards and tokens in the shapes in which they come into a log by mistake: none is left to be read."""

import base64
import io
import logging

import pytest

from till_agent.logs import JsonLines, redact

PHONE = "77011234567"
CARD = "2900000000018"
SHAPES = [
    "+7 701 123-45-67",
    "8(701)123-45-67",
    "+7.701.123.45.67",
    "701.123.45.67.89",
    "+7/701/123/45/67",
    "+7_701_123_45_67",
    "+7%20701%20123%2045%2067",
    "%2B7+701+123+45+67",
    "+7\u202f701\u202f123\u202f45\u202f67",
    "+7\u2009701\u2009123\u200945\u200967",
    "+7 701 123\u201145\u201167",
    "+7 701 123\u201345\u201367",
    "+7 701 123\u221245\u221267",
    "+7\t701\t123\t45\t67",
    "+7\u200b701\u200b123\u200b45\u200b67",
    "\uff0b\uff17\uff17\uff10\uff11\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    "2900 0000 0001 8",
    "2900-0000-0001-8",
    "29 00 00 00 00 01 8",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_number_is_struck_out_however_it_is_written(shape: str) -> None:
    """Of its digits fewer are left than name anybody."""
    left = redact(f"asked for {shape} and got none")
    assert sum(each.isdigit() for each in left) < 4
    assert left.startswith("asked for ")
    assert left.endswith("and got none")


@pytest.mark.parametrize(
    "text",
    [
        "printer at 192.168.100.200:9100 answers",
        "from 10.120.130.140 and 172.16.254.100, both",
        "version 3.11.2 of 2026-11-2",
        "batch 17 of 5000, seq 120045 to 120145",
        "took 12.345678 s",
    ],
)
def test_what_store_it_needs_stays(text: str) -> None:
    """Addresses of printers, versions, counts and times."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic " + base64.b64encode(b"pos:" + b"q7Xk" * 10).decode(),
        "Bearer\u00a0" + "q7Xk" * 10,
        '{"token": "' + "q7Xk" * 10 + '"}',
        "token%3D" + "q7Xk" * 10,
        "{'token': '" + "q7Xk" * 10 + "'}",
        "FrontolAuth " + "0a1b" * 8,
    ],
)
def test_a_secret_is_struck_out_however_it_is_quoted(text: str) -> None:
    """Headers, JSON, Python's own writing, an address."""
    left = redact(text)
    assert "q7Xkq7Xk" not in left
    assert "0a1b0a1b" not in left


def test_a_field_is_a_count_by_its_whole_name() -> None:
    """An account is none, and a passport is no port."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    record = logging.makeLogRecord(
        {"msg": "x", "account": int(PHONE), "passport": int(CARD), "amount": float(PHONE), "sent_count": 4, "at_ms": 17}
    )
    handler.emit(record)
    line = stream.getvalue()
    assert PHONE not in line
    assert CARD not in line
    assert '"sent_count": 4' in line
    assert '"at_ms": 17' in line
