"""The servers that a benchmark starts are the ones that it asks."""

import json
from pathlib import Path

from journal_floor import COMMIT_BYTES
from tillbench import people, wire
from tillbench.world import echo_server


def test_what_an_earlier_echo_server_left_is_not_taken_for_this_one(tmp_path: Path) -> None:
    """Two parts of one run share a folder; the port in the file of the first is nobody's when the second begins."""
    (tmp_path / "echo.ready").write_text(json.dumps({"port": 1}), encoding="ascii")
    body = people.quote_body(1, 1)
    with echo_server(tmp_path) as port:
        connection = wire.Connection(port)
        assert connection.call(wire.request("POST", "/echo", port, body, close=False)) == body
        connection.close()


def test_the_floor_of_a_sale_makes_a_commits_bytes_durable_before_it_answers(tmp_path: Path) -> None:
    """Its file is there while it serves, each call writes on in it, and it goes with the server."""
    body = people.quote_body(1, 1)
    with echo_server(tmp_path, durable=True) as port:
        connection = wire.Connection(port)
        for calls in (1, 2):
            assert connection.call(wire.request("PUT", "/echo", port, body, close=False)) == body
            assert (tmp_path / "floor.bin").read_bytes().strip(b"\0") == b"\xab" * calls * COMMIT_BYTES
        connection.close()
    assert not (tmp_path / "floor.bin").exists()
