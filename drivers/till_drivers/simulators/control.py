"""Steering simulated devices while they run: one JSON object a line over a loopback port, one answer a line.

A request has a `do` and what belongs to it. Answers are `{"ok": true, ...}` or `{"ok": false, "code": "refused" |
"late", "error": "..."}`.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from till_drivers.exceptions import SimulatorError, SimulatorLate

LINE_LIMIT = 65_536
"""Bytes of one request: a code of 4 KB in hexadecimal, with room."""
ANSWER_LIMIT = 4 << 20
"""Bytes of one answer: the text of the longest slip that a simulated printer keeps."""
CLIENT_TIMEOUT_SECONDS = 10.0
"""A picture takes a tenth of a second; a simulator that takes longer, on top of what it was told to wait, is gone."""
WAIT_LIMIT_SECONDS = 3_600.0
"""For how long a client may ask to wait."""

Answer = dict[str, Any]
Obey = Callable[[bytes], Awaitable[Answer]]


async def serve_lines(obey: Obey, port: int = 0) -> asyncio.Server:
    """Answer requests on 127.0.0.1 by `obey`, which raises SimulatorError to refuse; port 0 takes a free one."""

    async def answer(line: bytes) -> Answer:
        try:
            return {"ok": True, **await obey(line)}
        except SimulatorLate as exc:
            return {"ok": False, "code": "late", "error": str(exc)}
        except (SimulatorError, msgspec.DecodeError, OSError, ValueError) as exc:
            return {"ok": False, "code": "refused", "error": str(exc)}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await answer(line)) + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # ValueError: a line over the limit
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=LINE_LIMIT)


def ask(port: int, do: str, *, patience_seconds: float = 0, **fields: object) -> Answer:
    """Send one request and return the answer; for demos, tests and shells. Blocks.

    `patience_seconds`: what the request itself lets the simulator wait. Raises SimulatorError when it is refused,
    SimulatorLate when what was waited for did not come, OSError when nobody is there.
    """
    timeout = CLIENT_TIMEOUT_SECONDS + patience_seconds
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(msgspec.json.encode({"do": do, **fields}) + b"\n")
        with connection.makefile("rb") as answers:
            answer: Answer = msgspec.json.decode(answers.readline(ANSWER_LIMIT))
    if not answer.get("ok"):
        kind = SimulatorLate if answer.get("code") == "late" else SimulatorError
        raise kind(str(answer.get("error", "no answer")))
    return answer
