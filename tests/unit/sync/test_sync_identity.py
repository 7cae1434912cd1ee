"""The identity file: whole or not at all, for the agent's eyes only; and enrolment, which makes it."""

import json
import logging
import os
import sys
from pathlib import Path

import msgspec
import pytest

from kit.loops import run
from till_sync.enrol import enrol
from till_sync.exceptions import CloudRefused, CloudUnreachable, IdentityError, IdentityMissing
from till_sync.identity import Identity, load_identity, save_identity
from till_sync.phone_tags import NO_SLOW_TAGS, PhoneTags
from till_sync.wire import EnrolmentAnswer, EnrolmentRequest
from unit.sync.sync_fakes import FakeClock, FakeCloud, json_reply, problem_reply

ANSWER = EnrolmentAnswer(
    till="t1",
    store="s1",
    store_name="Аптека № 7",
    time_zone="Asia/Almaty",
    token="tok-secret",
    identifier_key="0badc0de" * 8,
    incarnation="inc-1",
    server_time_ms=1,
)
IDENTITY = Identity.of(ANSWER)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Every field comes back; the key reads as bytes."""
    path = tmp_path / "identity.json"
    save_identity(path, IDENTITY.with_epoch(3))
    loaded = load_identity(path)
    assert loaded == IDENTITY.with_epoch(3)
    assert loaded.key == bytes.fromhex("0badc0de" * 8)


def test_an_enrolment_tells_which_tags_of_phones_the_chain_has(tmp_path: Path) -> None:
    """A cloud from before them tells nothing; what was told is there at the first start, with no line too."""
    assert IDENTITY.phone_tags == NO_SLOW_TAGS
    told = Identity.of(msgspec.structs.replace(ANSWER, phone_cost=8192, phone_slow_only=True))
    save_identity(tmp_path / "identity.json", told)
    assert load_identity(tmp_path / "identity.json").phone_tags == PhoneTags(cost=8192, only=True)


@pytest.mark.parametrize(("here", "at_the_cloud", "begins_after"), [(0, 0, 0), (0, 4, 4), (3, 1, 3), (1, 2, 2)])
def test_an_epoch_that_anyone_used_is_not_used_again(here: int, at_the_cloud: int, begins_after: int) -> None:
    """Neither by this machine, nor by the one that was this till before."""
    answer = msgspec.structs.replace(ANSWER, last_epoch=at_the_cloud)
    assert Identity.of(answer, last_epoch=here).last_epoch == begins_after


@posix_only
def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600 from the first moment, whatever the umask."""
    path = tmp_path / "identity.json"
    old = os.umask(0)
    try:
        save_identity(path, IDENTITY)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600


@posix_only
def test_a_file_that_others_can_read_is_put_right_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The till goes on selling; the log names the file and not what is in it."""
    path = tmp_path / "identity.json"
    save_identity(path, IDENTITY)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert load_identity(path) == IDENTITY
    assert path.stat().st_mode & 0o777 == 0o600
    assert "identity.json" in caplog.text
    assert "tok-secret" not in caplog.text


def test_a_failed_save_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk refuses in the middle: the identity before is still whole."""
    path = tmp_path / "identity.json"
    save_identity(path, IDENTITY)

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(IdentityError, match="No space left"):
        save_identity(path, IDENTITY.with_epoch(9))
    monkeypatch.undo()
    assert load_identity(path) == IDENTITY
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.json"]


def test_the_file_is_synced_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power loss the name never stands for an empty file: contents, then name, then folder."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(handle: int) -> None:
        steps.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "contents")
        fsync(handle)

    def watch_replace(self: Path, target: Path) -> Path:
        steps.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    save_identity(tmp_path / "identity.json", IDENTITY)
    assert steps == ["contents", "name", "folder"] if sys.platform == "linux" else steps[:2] == ["contents", "name"]


def test_no_file_means_not_enrolled(tmp_path: Path) -> None:
    """A missing file is its own error."""
    with pytest.raises(IdentityMissing, match="not enrolled"):
        load_identity(tmp_path / "identity.json")


GOOD = json.loads(msgspec.json.encode(IDENTITY))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps({**GOOD, "till": ""}).encode(),
        json.dumps({**GOOD, "till": "../t1"}).encode(),
        json.dumps({**GOOD, "token": ""}).encode(),
        json.dumps({**GOOD, "token": "a\r\nX-Evil: 1"}).encode(),
        json.dumps({**GOOD, "token": "жетон"}).encode(),
        json.dumps({**GOOD, "identifier_key": ""}).encode(),
        json.dumps({**GOOD, "identifier_key": "xyz"}).encode(),
        json.dumps({**GOOD, "identifier_key": "abc"}).encode(),
        json.dumps({**GOOD, "last_epoch": -1}).encode(),
        json.dumps({**GOOD, "last_epoch": "1"}).encode(),
    ],
    ids=range(17),
)
def test_what_is_no_identity_is_refused(tmp_path: Path, raw: bytes) -> None:
    """Garbage, wrong types, a till or token that would break a path or a header."""
    path = tmp_path / "identity.json"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(IdentityError):
        load_identity(path)


def test_an_unreadable_file_is_an_identity_error(tmp_path: Path) -> None:
    """A folder in its place, or a refusing disk, is said in our words."""
    with pytest.raises(IdentityError):
        load_identity(tmp_path)


def test_an_epoch_never_goes_back() -> None:
    """A journal can't begin with an epoch that was used before."""
    with pytest.raises(IdentityError, match="at least 5"):
        IDENTITY.with_epoch(5).with_epoch(4)


def test_secrets_are_not_in_the_repr() -> None:
    """An identity in a traceback or a log shows neither token nor key."""
    assert "tok-secret" not in repr(IDENTITY)
    assert "0badc0de" not in repr(IDENTITY)
    assert "tok-secret" not in str(IDENTITY)


def test_enrolment_trades_a_code_for_an_identity() -> None:
    """The code and the journal's salt go out without any token; the answer is checked before it is kept."""
    clock = FakeClock()
    cloud = FakeCloud(clock)
    cloud.script["enrolments"] = [json_reply(ANSWER)]
    answer = run(enrol("https://cloud.example", "T1.ABCD", "salt", clock=clock, transport=cloud))
    assert Identity.of(answer) == IDENTITY
    request = cloud.requests[0]
    assert msgspec.json.decode(request.body, type=EnrolmentRequest) == EnrolmentRequest(code="T1.ABCD", salt="salt")
    assert "Authorization" not in request.headers
    assert cloud.closed


@pytest.mark.parametrize(("status", "code"), [(403, "code_wrong"), (403, "code_locked"), (409, "code_used")])
def test_a_refused_code_says_why_and_is_not_tried_again(status: int, code: str) -> None:
    """A code counts its tries, so the client makes one."""
    clock = FakeClock()
    cloud = FakeCloud(clock)
    cloud.script["enrolments"] = [problem_reply(status, code)] * 3
    with pytest.raises(CloudRefused) as caught:
        run(enrol("https://cloud.example", "T1.ABCD", "salt", clock=clock, transport=cloud))
    assert caught.value.code == code
    assert len(cloud.requests) == 1


def test_an_enrolment_without_a_line_says_so() -> None:
    """Nothing is made up when there is no answer."""
    clock = FakeClock()
    cloud = FakeCloud(clock)
    cloud.down = True
    with pytest.raises(CloudUnreachable):
        run(enrol("https://cloud.example", "x", "salt", clock=clock, transport=cloud))


@pytest.mark.parametrize("field", ["till", "token", "identifier_key"])
def test_an_enrolment_answer_that_can_t_be_an_identity_is_refused(field: str) -> None:
    """A cloud that hands out a till name with a slash does not get it into our file."""
    with pytest.raises(IdentityError):
        Identity.of(msgspec.structs.replace(ANSWER, **{field: "../ж"}))
