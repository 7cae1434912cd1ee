"""A till that moves from one machine to another: nothing is lost or doubled, and no two machines are the till."""

import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from integration.bridge.agent_kit import ANNA_CARD, enrol_by_hand, fill_cache, live_agent
from kit.bridge import receipt
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.bridge.tokens import read_token
from till_agent.cli import enrolling
from till_agent.cli.files import open_view
from till_agent.reloading.starting import settings_at_start
from till_agent.retiring import retired
from till_config import load
from till_config.settings import CloudSettings
from till_installer.clone import exporting, importing, sealed
from till_installer.clone.exceptions import CloneError
from till_installer.clone.exporting import export_till
from till_installer.clone.importing import import_till
from till_sync.wire import EnrolmentAnswer

WORDS = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strength of the key is libsodium's; here it may be weak."""
    monkeypatch.setattr(
        sealed,
        "new_head",
        lambda till, now_ms: sealed.Head(
            clone="00", till=till, made_ms=now_ms, salt=secrets.token_hex(16), operations=1, memory_bytes=8 << 20
        ),
    )
    monkeypatch.setattr(exporting, "new_head", sealed.new_head)


class Machine:
    """A folder of state and a configuration."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "till.toml"

    def set_up(self) -> "Machine":
        enrol_by_hand(self.state)
        fill_cache(self.state)
        template = self.folder / "slip.j2"
        template.write_text("x")
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state}"\nlanguage = "en"\n[bridge]\nport = 0\n'
            f'[slips]\ntemplate = "{template}"\n'
        )
        return self

    def sell(self, *uids: str) -> list[int]:
        """Statuses of sales to Anna."""
        start = settings_at_start(self.config)
        with live_agent(start.settings, start) as live:
            return [
                live.call("PUT", f"/v1/sales/{uid}", receipt(10_000, member={"card": ANNA_CARD})).status for uid in uids
            ]

    def queue(self) -> list[str]:
        """Uids that wait, oldest first, each row proven."""
        with open_view(self.state) as view:
            found = view.listed(waiting_only=True, limit=100)
            for each in found:
                assert view.one(int(each.op.rpartition(":")[2]), None) is not None
            return [each.uid for each in found]

    def why_not(self) -> tuple[str, str]:
        """Code of a refused sale, and what the cashier reads."""
        start = settings_at_start(self.config)
        with live_agent(start.settings, start) as live:
            refused = live.call("PUT", "/v1/sales/late", receipt(1_000))
            status = live.call("GET", "/v1/status", client="admin").json["problems"]
            assert "till_retired" in {each["code"] for each in status}
            return refused.json["code"], refused.json["cashier"]


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with two sales that wait, made once; as its agent was killed, with its log beside the journal."""
    machine = Machine(tmp_path_factory.mktemp("sold") / "old").set_up()
    assert machine.sell("s-1", "s-2") == [200, 200]
    return machine.folder


@pytest.fixture
def old(tmp_path: Path, sold: Path) -> Machine:
    shutil.copytree(sold, tmp_path / "old")
    machine = Machine(tmp_path / "old")
    machine.config.write_text(machine.config.read_text().replace(str(sold), str(machine.folder)))
    return machine


@pytest.fixture
def new(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "new")


def bring(file: Path, new: Machine, words: str = WORDS) -> importing.Imported:
    return import_till(file, new.config, words, offline=True, state_dir=new.state)


def code_of(doing: Callable[[], object]) -> str:
    with pytest.raises(CloneError) as caught:
        doing()
    return caught.value.code


def audited(state_dir: Path) -> list[str]:
    lines, bad = read(state_dir / AUDIT_FILE)
    assert bad is None
    return [line.what for line in lines]


def test_everything_comes_along_and_the_old_machine_sells_no_more(old: Machine, new: Machine, tmp_path: Path) -> None:
    """Queue, tokens of the cash software, settings with their files, members; said in one sentence on the old one."""
    file, token = tmp_path / "till.clone", read_token(old.state, "pos")
    done = export_till(old.config, file, WORDS)
    assert (done.waiting, done.last_seq) == (2, 2)
    assert old.why_not() == (
        "till_retired",
        "This till was moved to another machine. Sell there and tell your administrator.",
    )
    for secret in (b"till-secret-token", token.encode(), b'"s-1"', ANNA_CARD.encode()):  # s-1 is in random bytes
        assert secret not in file.read_bytes()
    told = bring(file, new)
    assert (told.till, told.waiting, told.file_spent) == ("t1", 2, True)
    assert new.queue() == ["s-1", "s-2"]
    assert read_token(new.state, "pos") == token
    assert new.sell("s-2", "s-3") == [200, 200], "the sale that came along is known, and not sold twice"
    assert new.queue() == ["s-1", "s-2", "s-3"]
    assert (new.state / "identity.json").stat().st_mode & 0o777 == 0o600
    assert "clone_exported" in audited(old.state)
    assert audited(new.state).index("clone_imported") > 0, "after what the old machine's log had"


def test_the_settings_of_the_new_machine_keep_their_rights(old: Machine, new: Machine, tmp_path: Path) -> None:
    """As it was installed: the agent reads them by its group, and `tillside setup status` has nothing to say."""
    file = tmp_path / "till.clone"
    export_till(old.config, file, WORDS)
    new.config.parent.mkdir(parents=True, exist_ok=True)
    new.config.write_text("# of the installation\n")
    new.config.chmod(0o640)
    root = os.geteuid() == 0
    if root:
        os.chown(new.config, 0, 12345)
    bring(file, new)
    about = new.config.stat()
    assert (about.st_mode & 0o777, about.st_gid) == (0o640, 12345 if root else about.st_gid)
    kept = new.config.with_name(f"{new.config.name}.before-import")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("# of the installation\n", 0o640)


def test_a_file_serves_once_and_only_on_a_machine_that_is_no_till(old: Machine, new: Machine, tmp_path: Path) -> None:
    """A till is never overwritten; a retired machine may be the till again."""
    file = tmp_path / "till.clone"
    export_till(old.config, file, WORDS)
    other = Machine(tmp_path / "other").set_up()
    assert (
        code_of(lambda: import_till(file, other.config, WORDS, offline=True, state_dir=other.state)) == "already_a_till"
    )
    bring(file, new)
    assert code_of(lambda: bring(file, Machine(tmp_path / "third"))) == "file_spent"
    assert code_of(lambda: export_till(old.config, tmp_path / "b", WORDS)) == "retired_already"
    back = tmp_path / "back.clone"
    export_till(new.config, back, WORDS)
    import_till(back, old.config, WORDS, offline=True, state_dir=old.state)
    assert old.queue() == ["s-1", "s-2"]
    assert retired(old.state) is None
    assert retired(new.state) is not None


def test_a_wrong_passphrase_and_an_altered_file_change_nothing(old: Machine, new: Machine, tmp_path: Path) -> None:
    """Every part of the file is held: head, first chunk, middle, end; the new machine is as it was."""
    file = tmp_path / "till.clone"
    export_till(old.config, file, WORDS)
    assert code_of(lambda: bring(file, new, "something else")) == "passphrase_wrong"
    whole = file.read_bytes()
    head_end = whole.index(b"\n", len(sealed.MAGIC)) + 1
    spots = (len(sealed.MAGIC) + 20, head_end + 3, head_end + 40, len(whole) // 2, len(whole) - 1)
    for spot in spots:
        file.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
        assert code_of(lambda: bring(file, new)) in {"passphrase_wrong", "file_altered", "not_a_clone_file"}
    for cut in (len(whole) - 1, len(whole) // 2, head_end + 10, 5):
        file.write_bytes(whole[:cut])
        assert code_of(lambda: bring(file, new)) in {"file_altered", "not_a_clone_file", "passphrase_wrong"}
    file.write_bytes(whole + b"x")
    assert code_of(lambda: bring(file, new)) == "file_altered"
    assert code_of(lambda: bring(tmp_path / "none.clone", new)) == "file_unreadable"
    assert code_of(lambda: bring(tmp_path, new)) == "file_unreadable"
    assert not (new.state / "identity.json").exists()
    assert not new.config.exists()
    file.write_bytes(whole)
    assert bring(file, new).waiting == 2


@pytest.mark.parametrize("step", [2, 3, *(pytest.param(step, marks=pytest.mark.soak) for step in (0, 1, 4))])
def test_killed_in_an_export_no_two_machines_are_the_till(
    old: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Before each step: either there is no file to be used, or this machine sells no more. Done again it ends well."""
    file = tmp_path / "till.clone"

    class Killed(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if step == 0:
            patch.setattr(exporting, "_pack", dies)
        elif step == 1:
            patch.setattr(exporting.SealedWriter, "close", dies)
        elif step == 2:
            patch.setattr(exporting, "retire", dies)
        elif step == 3:
            patch.setattr(Path, "replace", dies)
        else:
            patch.setattr(exporting, "sync_folder", dies)
        with pytest.raises(Killed):
            export_till(old.config, file, WORDS)
    assert not file.exists() or retired(old.state) is not None
    if not file.exists():
        assert export_till(old.config, file, WORDS).waiting == 2
    assert retired(old.state) is not None


@pytest.mark.parametrize("moves", [2, *(pytest.param(moves, marks=pytest.mark.soak) for moves in (0, 4))])
def test_killed_in_an_import_it_is_done_again(
    old: Machine, new: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Whatever was in place by then: this machine is no till yet, the file still serves, and the queue is whole."""
    file = tmp_path / "till.clone"
    export_till(old.config, file, WORDS)

    class Killed(BaseException):
        pass

    real, left = Path.replace, [moves]

    def dies_later(path: Path, target: Path) -> Path:
        if new.state in Path(target).parents and importing.STAGING not in str(target):
            if not left[0]:
                raise Killed
            left[0] -= 1
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies_later)
        with pytest.raises(Killed):
            bring(file, new)
    assert not (new.state / "identity.json").exists()
    assert bring(file, new).waiting == 2
    assert new.queue() == ["s-1", "s-2"]


def test_a_marker_that_cannot_be_read_retires_all_the_same(old: Machine) -> None:
    """Rather no sale than two tills."""
    (old.state / "retired.json").write_text("{")
    assert retired(old.state) is not None


def test_a_running_agent_keeps_its_till(old: Machine, tmp_path: Path) -> None:
    """What it sells meanwhile would not be in the file."""
    start = settings_at_start(old.config)
    with live_agent(start.settings, start):
        assert code_of(lambda: export_till(old.config, tmp_path / "f", WORDS)) == "agent_running"
    assert not (tmp_path / "f").exists()
    assert json.loads((old.state / "identity.json").read_text())["till"] == "t1"


def test_an_export_that_was_cut_short_is_finished_before_another_till_comes(
    old: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retired, and in no file: what waits is on this machine alone, and an import would remove it."""
    other = Machine(tmp_path / "other").set_up()
    theirs, file = tmp_path / "other.clone", tmp_path / "till.clone"
    export_till(other.config, theirs, WORDS)
    head = sealed.new_head("t1", 1)
    monkeypatch.setattr(exporting, "new_head", lambda *_: replace(head, clone="01"))
    real = Path.replace

    def pulled_out(path: Path, target: Path) -> Path:
        if target == file:
            raise OSError(5, "Input/output error")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", pulled_out)
        assert code_of(lambda: export_till(old.config, file, WORDS)) == "file_unwritable"
    assert retired(old.state) is not None
    assert code_of(lambda: bring(theirs, old)) == "export_unfinished"
    assert old.queue() == ["s-1", "s-2"]
    export_till(old.config, file, WORDS)
    assert bring(theirs, old).till == "t1"


def test_a_retired_machine_that_the_cloud_enrols_is_a_till_again(
    old: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a code of this till, which unseats the new machine, or of another till. Else it could never sell again."""
    export_till(old.config, tmp_path / "till.clone", WORDS)
    identity = json.loads((old.state / "identity.json").read_text())
    names = ("till", "store", "store_name", "time_zone", "identifier_key", "cloud_key")

    async def enrol(*_: object, **__: object) -> EnrolmentAnswer:
        told = {name: identity[name] for name in names if name in identity}
        return EnrolmentAnswer(**told, token="fresh-token", incarnation="i", server_time_ms=1)

    monkeypatch.setattr(enrolling, "enrol", enrol)
    settings = replace(load(old.config), cloud=CloudSettings(url="http://127.0.0.1:9"))
    with pytest.raises(enrolling.EnrolError, match="already"):
        enrolling.enrol_till(settings, "t1.CODE", again=False)
    assert retired(old.state) is not None
    enrolling.enrol_till(settings, "t1.CODE", again=True)
    assert retired(old.state) is None
    assert old.sell("s-9") == [200]
    assert old.queue() == ["s-1", "s-2", "s-9"]
