"""`tillside cloud` as people use it: the installed command, real files, beside a running cloud and without one."""

import contextlib
import itertools
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from till_cloud.phone_costs import USUAL_COST
from till_config.main import main
from till_loyalty.programme_document import example_text

TILLSIDE = str(Path(sys.executable).with_name("tillside"))
WAIT_S = 30


class Shop:
    """A folder with a database, and the command run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "c.db"

    def run(self, *words: str, status: int = 0) -> Result:
        """In this process, which is as the installed command but for half a second of start-up."""
        done = CliRunner().invoke(main, ["cloud", *words, "--db", str(self.db)])
        assert done.exit_code == status, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done

    def installed(self, *words: str, status: int = 0) -> str:
        """The installed command; what it says on standard error."""
        command = [TILLSIDE, "cloud", *words, "--db", str(self.db)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def out(self, *words: str, status: int = 0) -> str:
        return self.run(*words, status=status).stdout

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def set_up(self) -> None:
        self.run("init")
        self.run("programme", "upload", self.file("p.toml", example_text("russia")))
        self.run("store", "add", "s1", "--name", "Первый", "--time-zone", "Asia/Almaty")

    @contextlib.contextmanager
    def serving(self) -> Iterator[tuple[subprocess.Popen[str], int]]:
        ready = self.folder / "ready.json"
        words = [TILLSIDE, "cloud", "run", "--db", str(self.db), "--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process, ready_port(process, ready)
        finally:
            process.kill()
            process.communicate(timeout=WAIT_S)


def ready_port(process: subprocess.Popen[str], ready: Path) -> int:
    """Wait for the ready file, which appears whole."""
    for _ in range(WAIT_S * 50):
        if ready.exists():
            facts = json.loads(ready.read_text())
            assert facts["pid"] == process.pid
            return int(facts["port"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            break
    raise AssertionError(f"the cloud did not start: {process.communicate()[0]}")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_chain_is_set_up_served_and_stopped(shop: Shop) -> None:
    """From nothing to a till that says hello; SIGTERM ends it with status 0 and takes the ready file away."""
    shop.set_up()
    code = shop.out("till", "add", "K1", "--store", "s1").split()[-1]
    assert re.fullmatch(r"K1(\.[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4})", code)
    with shop.serving() as (process, port):
        url = f"http://127.0.0.1:{port}"
        answer = httpx.post(f"{url}/v1/enrolments", json={"code": code, "salt": "s"}, trust_env=False).json()
        assert (answer["store_name"], answer["time_zone"]) == ("Первый", "Asia/Almaty")
        headers = {"Authorization": f"Bearer {answer['token']}"}
        assert httpx.get(f"{url}/v1/tills/K1/hello", headers=headers, trust_env=False).json()["till"] == "K1"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, out
        assert answer["token"] not in out
    assert not (shop.folder / "ready.json").exists()
    assert json.loads(shop.out("till", "list", "--json"))[0]["till"] == "K1"


def test_commands_work_beside_a_running_cloud(shop: Shop) -> None:
    """What a command adds is served at once, and nothing waits for the server to stop."""
    with shop.serving() as (_, port):
        assert json.loads(shop.out("privacy", "slow-phones", "--json"))["cost"] == USUAL_COST  # begun by being served
        shop.set_up()
        shop.run("member", "import", shop.file("m.csv", "name,phone,balance\nИван Петров,89161234567,1500\n"))
        code = shop.out("till", "add", "K1", "--store", "s1").split()[-1]
        url = f"http://127.0.0.1:{port}"
        token = httpx.post(f"{url}/v1/enrolments", json={"code": code, "salt": "s"}, trust_env=False).json()["token"]
        page = httpx.get(
            f"{url}/v1/tills/K1/changes", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ).json()
        assert page["rows"][0]["row"] == "programme"
        assert [row["name_masked"] for row in page["rows"] if row["row"] == "member"] == ["Иван П."]
        assert json.loads(shop.out("verify"))["holds"]


def test_members_are_shown_by_id_card_and_phone(shop: Shop) -> None:
    shop.set_up()
    text = "member_id,name,phone,balance\nm-ivan,Иван Петров,89161234567,1500\n"
    shop.run("member", "import", shop.file("m.csv", text))
    by_phone = json.loads(shop.out("member", "show", "--phone", "8 916 123-45-67", "--json"))
    assert (by_phone["member_id"], by_phone["balance"], by_phone["phone"]) == ("m-ivan", 1500, "+7 *** ***-45-67")
    assert json.loads(shop.out("member", "show", "m-ivan", "--json")) == by_phone
    assert json.loads(shop.out("member", "show", by_phone["tags"][0], "--json")) == by_phone
    assert "Иван Петров" in shop.out("member", "show", "m-ivan")
    rows = json.loads(shop.out("ledger", "show", "m-ivan", "--json"))
    assert [(row["kind"], row["earned"], row["balance"]) for row in rows] == [("opening", 1500, 1500)]
    assert "opening" in shop.out("ledger", "show", "m-ivan")
    assert "nobody" in shop.run("member", "show", "--phone", "+79160000000", status=1).stderr
    assert "nobody" in shop.run("ledger", "show", "m-none", status=1).stderr
    shop.run("member", "show", "m-1", "--phone", "1", status=2)


def test_bad_lines_are_told_and_written_down(shop: Shop) -> None:
    """Good lines are taken; the status is 1; the errors file has every bad line."""
    shop.set_up()
    lines = ["phone,tier", "+79160000001,", *[f"{number},nosuch" for number in range(30)]]
    file = shop.file("m.csv", "\n".join(lines) + "\n")
    done = shop.run("member", "import", file, "--errors", str(shop.folder / "e.csv"), status=1)
    assert "31 lines: 1 members added, 0 updated, 0 unchanged, 30 lines not taken" in done.stdout
    assert "line 3, column phone: expected" in done.stderr
    assert "... and 40 more" in done.stderr
    assert len((shop.folder / "e.csv").read_text().splitlines()) == 61
    again = shop.run("member", "import", file, "--all-or-nothing", status=1)
    assert "31 lines not taken" in again.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"phone,nmae\n", "did you mean name"),
        (b"phone\n\xff\xfe\n", "line 2: expected UTF-8"),
        ("телефон\n".encode("cp1251"), "line 1: expected UTF-8"),
        (b"", "expected"),
        (b"name\tphone\nA B\t+79160000001\n", "commas or semicolons"),
    ],
)
def test_a_file_that_is_no_members_file_is_told(shop: Shop, content: bytes, words: str) -> None:
    shop.set_up()
    (shop.folder / "m.csv").write_bytes(content)
    assert words in shop.run("member", "import", str(shop.folder / "m.csv"), status=1).stderr


def test_what_was_taken_of_a_file_that_ends_badly_is_told(shop: Shop) -> None:
    """Blocks before the byte that can't be read are in the database; whoever mends the file must not wonder."""
    shop.set_up()
    good = "".join(f"+7916{number:07d}\n" for number in range(5_001))
    (shop.folder / "m.csv").write_bytes(b"phone\n" + good.encode() + b"\xc0\n")
    done = shop.run("member", "import", str(shop.folder / "m.csv"), status=1)
    assert "5000 lines: 5000 members added" in done.stdout
    assert "line 5003: expected UTF-8" in done.stderr
    (shop.folder / "m.csv").write_bytes(b"phone\n" + good.encode())
    assert "5001 lines: 1 members added, 0 updated, 5000 unchanged" in shop.out(
        "member", "import", str(shop.folder / "m.csv")
    )


def test_a_terminal_sees_a_bar_and_a_pipe_does_not(shop: Shop) -> None:
    shop.set_up()
    file = shop.file("m.csv", "phone\n" + "".join(f"+7916{number:07d}\n" for number in range(3000)))
    assert "Importing" not in shop.run("member", "import", file).stderr
    primary, secondary = pty.openpty()
    words = [TILLSIDE, "cloud", "member", "import", file, "--db", str(shop.db)]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=secondary, env=environment)
    os.close(secondary)
    seen = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal whose other side is gone with an error
        while chunk := os.read(primary, 4096):
            seen += chunk
    process.communicate(timeout=WAIT_S)
    os.close(primary)
    assert process.returncode == 0
    assert b"Importing" in seen


def test_a_programme_is_checked_and_its_version_must_rise(shop: Shop) -> None:
    shop.run("init")
    good = shop.file("p.toml", example_text("russia"))
    shop.run("programme", "upload", good)
    assert "above 1" in shop.run("programme", "upload", good, status=1).stderr
    bad = shop.file("bad.toml", example_text("russia").replace("version = 1", 'version = "x"'))
    assert "version: expected" in shop.run("programme", "upload", bad, status=1).stderr
    shop.run("programme", "upload", shop.file("p2.toml", example_text("russia").replace("version = 1", "version = 2")))
    rows = json.loads(shop.out("programme", "list", "--json"))
    assert [(row["version"], row["active"]) for row in rows] == [(1, False), (2, True)]


def test_what_cannot_be_is_told_in_one_line(shop: Shop) -> None:
    assert "tillside cloud init" in shop.run("till", "list", status=1).stderr
    assert "tillside cloud init" in shop.run("store", "add", "s", "--name", "n", "--time-zone", "UTC", status=1).stderr
    shop.run("init")
    assert "IANA" in shop.run("store", "add", "s", "--name", "n", "--time-zone", "Mars/Base", status=1).stderr
    assert "IANA" in shop.run("store", "add", "s", "--name", "n", "--time-zone", "../../etc/passwd", status=1).stderr
    assert "expected an id" in shop.run("store", "add", "a b", "--name", "n", "--time-zone", "UTC", status=1).stderr
    for name in ("", "  ", "a\nb"):
        nameless = shop.run("store", "add", "s", "--name", name, "--time-zone", "UTC", status=1).stderr
        assert f"headed by, not {name!r}" in nameless
    for name in ("ООО\u00a0«Ромашка»", "می\u200cخواهم"):
        assert name in shop.out("store", "add", "s", "--name", name, "--time-zone", "UTC")
    assert "expected a store" in shop.run("till", "add", "K1", "--store", "s9", status=1).stderr
    assert "expected a programme" in shop.run("member", "import", shop.file("m.csv", "phone\n1\n"), status=1).stderr
    shop.run("store", "add", "s", "--name", "n", "--time-zone", "UTC")
    shop.run("till", "add", "K1", "--store", "s")
    assert "expected a new till" in shop.run("till", "add", "K1", "--store", "s", status=1).stderr
    assert "expected a till" in shop.run("till", "code", "K9", status=1).stderr
    assert shop.run("flags").exception is None
    shop.db.write_bytes(b"no database at all" * 500)
    for words in (("till", "list"), ("init",), ("run", "--port", "0")):
        assert "expected a cloud database" in shop.installed(*words, status=1)


def test_a_taken_port_is_told_in_one_line(shop: Shop) -> None:
    with shop.serving() as (_, port):
        other = Shop(shop.folder)
        other.db = shop.folder / "other.db"
        assert "can't serve" in other.installed("run", "--port", str(port), status=1)


def test_a_broken_ledger_is_status_one(shop: Shop) -> None:
    shop.set_up()
    shop.run("member", "import", shop.file("m.csv", "phone,balance\n+79160000001,7\n"))
    assert json.loads(shop.out("verify"))["figures"]["points"] == 7
    with contextlib.closing(sqlite3.connect(shop.db)) as connection:
        connection.execute("UPDATE lots SET issued = issued + 1, left = left + 1")
        connection.commit()
    found = json.loads(shop.out("verify", status=1))
    assert (found["holds"], found["breaches"][0]["invariant"]) == (False, 5)


def test_a_damaged_file_is_told_and_what_to_do_about_it(shop: Shop) -> None:
    """A backup's disk lies now and then: `verify` says so in its own words, other commands in one line."""
    shop.set_up()
    shop.run("member", "import", shop.file("m.csv", "member_id,phone\nm-1,+79160000001\n"))
    content = bytearray(shop.db.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    content[page:] = bytes([255]) * (len(content) - page)
    shop.db.write_bytes(content)
    found = json.loads(shop.out("verify", status=1))
    assert (found["holds"], found["breach_count"], found["breaches"][0]["code"]) == (False, 1, "database_damaged")
    for words in (("member", "show", "m-1"), ("programme", "list"), ("store", "list")):
        said = shop.run(*words, status=1).stderr
        assert "the database is damaged" in said
        assert "put a backup back" in said


def test_a_chain_that_begins_by_being_served_is_told(tmp_path: Path) -> None:
    """A name typed wrong begins another chain, whose tills are none: the log has to say why they are refused."""
    said = []
    for _ in range(2):
        command = [TILLSIDE, "cloud", "run", "--db", str(tmp_path / "typed-wrong.db"), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            said.append("".join(itertools.takewhile(lambda line: "Serving on" not in line, lines)))
            process.send_signal(signal.SIGTERM)
    assert "A new chain begins" in said[0]
    assert "A new chain begins" not in said[1]


def test_a_restored_backup_gets_a_new_incarnation(shop: Shop) -> None:
    first = shop.out("init")
    assert shop.out("init") == first
    assert shop.out("init", "--restored") != first


def test_the_log_of_the_database_before_is_not_mixed_into_a_backup(shop: Shop) -> None:
    """A cloud that was killed leaves one, and SQLite would take it for the backup's own, without a word."""
    shop.set_up()
    shop.run("backup", str(shop.folder / "b.db"))
    with contextlib.closing(sqlite3.connect(shop.db)) as killed:
        killed.execute("PRAGMA wal_autocheckpoint=0")
        killed.execute("UPDATE stores SET name = 'after the backup'")
        killed.commit()
        left = shop.db.with_name("c.db-wal").read_bytes()
    shutil.copy(shop.folder / "b.db", shop.db)
    shop.db.with_name("c.db-wal").write_bytes(left)
    said = shop.run("init", "--restored", status=1).stderr
    assert "expected the backup alone" in said
    assert "c.db-wal and " in said
    link = shop.folder / "link.db"
    link.symlink_to(shop.db)
    behind = CliRunner().invoke(main, ["cloud", "init", "--restored", "--db", str(link)])
    assert (behind.exit_code, "c.db-wal and " in behind.stderr) == (1, True)
    shop.db.with_name("c.db-wal").unlink()
    shutil.copy(shop.folder / "b.db", shop.db)
    shop.run("init", "--restored")
    assert "after the backup" not in shop.out("store", "list")


def test_what_was_not_put_back_yet_is_no_new_chain(shop: Shop) -> None:
    assert "copy it there first" in shop.run("init", "--restored", status=1).stderr
    assert not shop.db.exists()


@pytest.mark.parametrize("words", [("cloud", "till", "list"), ("cloud", "init")])
def test_a_database_of_no_name_is_a_wrong_word(words: tuple[str, ...]) -> None:
    """As a variable of the shell that is not set makes it: no crash, and no trouble of the disk."""
    done = CliRunner().invoke(main, [*words, "--db", ""])
    assert done.exit_code == 2
    assert "expected the name of a file, not an empty one" in done.output
