"""Sealed registrations at the cloud: opened where a key fits, never lost where none does."""

from pathlib import Path

import msgspec

from till_agent.desk.registering import sealed
from till_cloud.sealing import rotate
from till_cloud.store import meta
from till_sync.ops import RegisterBody
from till_sync.sealing import public_key_of
from unit.cloud.cloud_kit import Chain, Till, chain
from unit.cloud.test_registration_cloud import RULES, check, flags, member, register

PERSON = {"name": "Фарида Фоминична", "birth_date": "1990-04-17", "sex": "female"}


def send(made: Chain, till: Till, key: str, **changes: object) -> str:
    """A sealed registration, pushed; the member's id."""
    body = register(made, till, **PERSON)  # type: ignore[arg-type]  # strings of a body's fields
    till.ops.pop()
    till.heads.pop()
    box: RegisterBody = msgspec.structs.replace(sealed(body, key), **changes)
    till.add(box)
    result = till.push_last()
    assert result.status == "applied"
    return result.member_id


def facts(made: Chain, member_id: str) -> tuple[object, ...]:
    return tuple(member(made, each, member_id) for each in ("name", "name_masked", "birth_date", "sex"))


def test_the_cloud_reads_what_the_till_has_sealed(tmp_path: Path) -> None:
    """And keeps the op as it came: what is stored of it stays sealed."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        found = send(made, till, made.centre.read(meta.seal_key))
        assert facts(made, found) == ("Фарида Фоминична", "Фарида Ф.", "1990-04-17", "female")
        assert flags(made) == []
        (stored,) = made.rows("SELECT body FROM ops WHERE kind = 'register'")
        assert "Фоминична".encode() not in stored[0]
        check(made)


def test_what_was_sealed_before_a_rotation_is_read_after_it(tmp_path: Path) -> None:
    """A till that was offline over it has sealed to the former key."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        former = made.centre.read(meta.seal_key)
        assert made.centre.write(rotate).result() == 2
        assert made.centre.read(meta.seal_key) != former
        assert facts(made, send(made, till, former))[0] == "Фарида Фоминична"


def test_a_box_that_no_key_opens_costs_the_name_and_no_member(tmp_path: Path) -> None:
    """Of a cloud restored from before a rotation: staff are told, the member earns, the line moves on."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        found = send(made, made.till(), public_key_of("42" * 32))
        assert facts(made, found) == ("", "Фарида Ф.", "", "")
        assert flags(made) == ["seal_unknown_key"]
        check(made)


def test_a_box_of_another_registration_is_not_taken(tmp_path: Path) -> None:
    """Whoever writes ops can't put the sealed name of one person to another's phone."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        found = send(made, made.till(), made.centre.read(meta.seal_key), uid="r-other")
        assert facts(made, found)[0] == ""
        assert flags(made) == ["seal_broken"]
