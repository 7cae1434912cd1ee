"""Sealed registrations at the cloud: opened where a key fits, never lost where none does."""

from pathlib import Path

import msgspec
from click.testing import CliRunner

from till_agent.desk.registering import sealed
from till_cloud.sealing import rotate
from till_cloud.store import meta
from till_config.main import main
from till_sync.ops import RegisterBody
from till_sync.sealing import public_key_of
from unit.cloud.cloud_kit import Chain, Till, chain, programme
from unit.cloud.test_registration_cloud import RULES, WELCOME, check, flags, member, register

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


def test_a_backup_from_before_a_rotation_opens_what_came_after_with_the_key_file(tmp_path: Path) -> None:
    """The file lies beside the backups: with it the restored cloud reads who registered since, and tills go on sealing
    to the newest key; without it the name is lost."""
    keys, backup = tmp_path / "people.keys", tmp_path / "old.db"
    with chain(tmp_path / "c.db", rules=RULES) as made:
        assert cloud("backup", str(backup), db=tmp_path / "c.db") == 0
        assert cloud("privacy", "new-key", db=tmp_path / "c.db") == 0
        assert cloud("privacy", "keys", str(keys), db=tmp_path / "c.db") == 0
        newest = made.centre.read(meta.seal_key)
    assert keys.stat().st_mode & 0o777 == 0o600
    assert cloud("privacy", "add-keys", str(keys), db=backup) == 0
    assert cloud("privacy", "add-keys", str(keys), db=backup) == 0, "a second time changes nothing"
    with chain(backup, rules=programme(events=(WELCOME,), version=2)) as restored:
        assert restored.centre.read(meta.seal_key) == newest
        assert len(restored.centre.read(meta.seal_keys)) == 2
        assert facts(restored, send(restored, restored.till(), newest))[0] == "Фарида Фоминична"
        assert flags(restored) == []


def test_keys_of_an_older_file_never_come_first(tmp_path: Path) -> None:
    """Nor is a file taken that is none; of a file no key shows in a message."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        assert cloud("privacy", "keys", str(tmp_path / "old.keys"), db=tmp_path / "c.db") == 0
        made.centre.write(rotate).result()
        newest = made.centre.read(meta.seal_key)
        assert cloud("privacy", "add-keys", str(tmp_path / "old.keys"), db=tmp_path / "c.db") == 0
        assert made.centre.read(meta.seal_key) == newest
        (tmp_path / "other").write_text("42" * 32)
        assert cloud("privacy", "add-keys", str(tmp_path / "other"), db=tmp_path / "c.db") == 1


def cloud(*words: str, db: Path) -> int:
    done = CliRunner().invoke(main, ["cloud", *words, "--db", str(db)])
    assert "42424242" not in done.output
    return done.exit_code
