"""Load files: what stands in them, and that Frontol's last one is never touched before it was taken in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_agent.frontol_files import loading
from till_agent.frontol_files.client_table import Known, clients_with_balances, read_clients
from till_agent.frontol_files.exceptions import LoadRefused
from till_agent.frontol_files.loading import Client, Layout, encoded, escaped, is_pending, load_text, write_load
from till_agent.frontol_files.store import Store

LAYOUT = Layout(card_type=7, counter_type=3)
ANNA = Client(code="11", name="Анна; К.", card="2900000000018", phone="+79161231234", balance="500")


def blocks(text: str) -> dict[str, list[list[str]]]:
    """Rows of each command, read as Frontol does: by another hand than the writer's."""
    first, second, *rest = text.split("\r\n")
    assert (first, second, rest[-1]) == ("##@@&&", "#", "")
    found: dict[str, list[list[str]]] = {}
    command = ""
    for row in rest[:-1]:
        if row.startswith("$$$"):
            command = row[3:]
            found[command] = []
        else:
            found[command].append([cell.replace("\u00a4", ";") for cell in row.split(";")])
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "frontol.db")


def test_a_client_a_card_and_their_bond_are_loaded() -> None:
    """By Frontol's numbers: 1 code, 3 name, 5 kind, 16 phone, 24/25 counter; a card has 1 code, 2 type, 3 number."""
    found = blocks(load_text([ANNA], LAYOUT))
    assert list(found) == ["ADDCLIENTDISCS", "ADDCCARDDISCS", "ADDCLIENTCCARDS"]
    (client,), (card,) = found["ADDCLIENTDISCS"], found["ADDCCARDDISCS"]
    assert [client[place - 1] for place in (1, 3, 5, 16, 24, 25)] == ["11", "Анна; К.", "0", "+79161231234", "3", "500"]
    assert [card[place - 1] for place in (1, 2, 3, 6)] == ["11", "7", "2900000000018", "1"]
    assert found["ADDCLIENTCCARDS"] == [["11", "7", "2900000000018"]]


def test_who_is_removed_is_taken_out_and_a_blocked_card_is_passive() -> None:
    gone = Client(code="12", card="2900000000025", removed=True)
    blocked = Client(code="13", card="2900000000032", active=False)
    found = blocks(load_text([gone, blocked], Layout(card_type=7, card_type_name="Бонус")))
    assert found["DELETECLIENTCCARDS"] == [["12", "7", "2900000000025"]]
    assert found["DELETECCARDDISCSBYVALUE"] == [["2900000000025"]]
    assert found["DELETECLIENTDISCSBYCODE"] == [["12"]]
    assert [row[0] for row in found["ADDCLIENTDISCS"]] == ["13"]
    assert found["ADDCCARDDISCS"][0][5] == "0"
    assert found["ADDCCARDTYPES"][0][:2] == ["7", "Бонус"]


def test_letters_that_the_tills_encoding_lacks_become_the_nearest() -> None:
    assert encoded("Қаңтар Өмүр №1 \u00a4").decode("cp1251") == "Кантар Омур №1 \u00a4"
    assert encoded("Анна 名").decode("cp1251") == "Анна ?"


@given(st.text(max_size=60))
def test_no_value_ends_its_field_or_row(value: str) -> None:
    written = escaped(value)
    assert not {";", "\n", "\r"} & {*written}
    assert encoded(written).decode("cp1251").count(";") == 0


@pytest.mark.parametrize(
    "client", [Client(code=""), Client(code="a1"), Client(code="1" * 16), Client(code="1", card="1" * 41)]
)
def test_what_frontol_would_not_take_is_refused(client: Client) -> None:
    with pytest.raises(LoadRefused):
        load_text([client], LAYOUT)


def test_the_file_is_written_whole_then_the_flag(tmp_path: Path, store: Store) -> None:
    load, flag = tmp_path / "load.txt", tmp_path / "load.flg"
    assert write_load(store, load, flag, b"##@@&&\r\n#\r\n", 1)
    assert load.read_bytes() == b"##@@&&\r\n#\r\n"
    assert flag.read_bytes() == b""
    assert sorted(each.name for each in tmp_path.iterdir() if "frontol.db" not in each.name) == ["load.flg", "load.txt"]


def test_nothing_is_written_while_frontol_has_one_to_take_in(tmp_path: Path, store: Store) -> None:
    """By the flag file, and by the second line; once Frontol has marked it, the next one may come."""
    load, flag = tmp_path / "load.txt", tmp_path / "load.flg"
    write_load(store, load, flag, b"##@@&&\r\n#\r\nfirst", 1)
    with pytest.raises(LoadRefused, match=r"load\.flg"):
        write_load(store, load, flag, b"##@@&&\r\n#\r\nsecond", 2)
    flag.unlink()  # Frontol has begun
    with pytest.raises(LoadRefused, match=r"load\.txt"):
        write_load(store, load, flag, b"##@@&&\r\n#\r\nsecond", 2)
    load.write_bytes(b"##@@&&\r\n@\r\nfirst")  # and is through
    assert is_pending(load, flag) == ""
    assert write_load(store, load, flag, b"##@@&&\r\n#\r\nsecond", 3)


def test_another_file_is_never_overwritten(tmp_path: Path, store: Store) -> None:
    load = tmp_path / "load.txt"
    load.write_bytes(b"accounts of the year")
    with pytest.raises(LoadRefused, match="another file"):
        write_load(store, load, None, b"##@@&&\r\n#\r\n", 1)
    assert load.read_bytes() == b"accounts of the year"


class Killed(Exception):  # noqa: N818 - it stands for the power
    """The end of the process."""


def prove_cut_off(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Ended at each step of writing, the next call finishes or begins anew, and the old file is never torn."""
    steps: list[tuple[object, str]] = [
        (loading.os, "fsync"),
        (Path, "replace"),
        (loading, "_flag"),
        (loading, "sync_folder"),
        (loading.os, "close"),
    ]
    for number, (owner, name) in enumerate(steps):
        home = folder / str(number)
        home.mkdir()
        store = Store(home / "frontol.db")
        load, flag = home / "load.txt", home / "load.flg"
        load.write_bytes(b"##@@&&\r\n@\r\nold")
        with patch.context() as broken:
            broken.setattr(owner, name, _kill)
            with pytest.raises(Killed):
                write_load(store, load, flag, b"##@@&&\r\n#\r\nnew", 1)
        assert load.read_bytes() in (b"##@@&&\r\n@\r\nold", b"##@@&&\r\n#\r\nnew"), name
        assert not flag.exists() or load.read_bytes().endswith(b"new"), name
        if not flag.exists():
            write_load(store, load, flag, b"##@@&&\r\n#\r\nnew", 2)
        assert (load.read_bytes(), flag.exists()) == (b"##@@&&\r\n#\r\nnew", True), name
        store.close()


def _kill(*_: object, **__: object) -> None:
    raise Killed


def test_a_writer_that_is_cut_off_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove_cut_off(tmp_path, monkeypatch)


def _flag_first(patch: pytest.MonkeyPatch) -> None:
    write = loading.write_load

    def eager(store: Store, path: Path, flag: Path | None, content: bytes, now_ms: int) -> bool:
        if flag is not None:
            flag.touch()
        return write(store, path, None, content, now_ms)

    patch.setitem(globals(), "write_load", eager)


def _in_place(patch: pytest.MonkeyPatch) -> None:
    def torn(_: Store, path: Path, __: Path | None, content: bytes, ___: int) -> bool:
        with path.open("wb") as file:
            file.write(content[:8])
            file.flush()
            loading.os.fsync(file.fileno())
            file.write(content[8:])
        return True

    patch.setitem(globals(), "write_load", torn)


@pytest.mark.parametrize("mutant", [_flag_first, _in_place])
def test_the_proof_sees_a_writer_that_is_careless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        prove_cut_off(tmp_path, monkeypatch)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_table_of_clients_is_read(tmp_path: Path, delimiter: str) -> None:
    table = tmp_path / "clients.csv"
    rows = [["Code", "name", "card", "state"], ["11", "Анна", "2900 0000 00018", ""], ["12", "", "", "removed"], []]
    table.write_text("\n".join(delimiter.join(row) for row in rows), "utf-8-sig")
    assert list(read_clients(table, "utf-8-sig")) == [
        Client(code="11", name="Анна", card="2900000000018"),
        Client(code="12", removed=True),
    ]


def test_balances_are_the_tills_and_unknown_members_keep_frontols(tmp_path: Path) -> None:
    table = tmp_path / "clients.csv"
    table.write_text("code;card\n11;A\n12;B\n13;C\n", "utf-8")
    known = {"A": Known(balance="500", blocked=False), "C": Known(balance="0", blocked=True)}
    clients, unknown = clients_with_balances(table, "utf-8", lambda client: known.get(client.card))
    assert unknown == 1
    assert [(each.balance, each.active) for each in clients] == [("500", True), ("", True), ("0", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nAnna\n", "code"),
        ("code;colour\n1;red\n", "colour"),
        ("code;state\n1;gone\n", "line 2"),
        ("code\n1\n1\n", "each code once"),
    ],
)
def test_a_table_that_can_not_be_read_says_where(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "clients.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(LoadRefused, match=said):
        list(read_clients(table, "utf-8"))
