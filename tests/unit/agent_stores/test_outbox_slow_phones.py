"""Ops that name somebody by the slow tag of a phone wait for a cloud that knows such tags."""

from typing import Any

from till_agent.journal import outbox
from till_sync.ops import PROTOCOL, SEALED_PROTOCOL, SLOW_PHONE_PROTOCOL
from unit.agent_stores.stores_kit import draft


class _Checked:
    """What of a checked row is looked at."""

    def __init__(self, row: Any) -> None:
        self.row = row


def protocol(kind: str, body: bytes) -> int:
    return outbox._protocol(_Checked(draft("u", kind=kind, body=body)))  # type: ignore[arg-type]  # only its row is read


def test_an_op_that_names_a_slow_tag_is_of_protocol_5() -> None:
    slow = b'{"kind":"%s","subject":{"tag":"phone2:00ff"},"sealed":"x"}'
    assert protocol("sale", slow % b"sale") == SLOW_PHONE_PROTOCOL
    assert protocol("register", slow % b"register") == SLOW_PHONE_PROTOCOL
    assert protocol("sale", b'{"kind":"sale","subject":{"tag":"phone:00ff"}}') == PROTOCOL
    assert protocol("register", b'{"kind":"register","subject":{"tag":"phone:00ff"},"sealed":"x"}') == SEALED_PROTOCOL
