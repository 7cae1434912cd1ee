"""`tillside frontol script`: the file is put in place with port and token, and says what is wrong with it."""

import json
from pathlib import Path

import pytest

from integration.frontol_script.frontol_script_kit import SCRIPT, Host, checks, edit, install
from integration.frontol_script.test_frontol_script_es3 import syntax_error
from kit.commands import tillside
from till_installer.frontol.exceptions import SettingsBlockError
from till_installer.frontol.settings_block import faults, filled, read_settings

TOKEN = "t" * 43


def offline_till(folder: Path) -> Path:
    """A till that has run once: its configuration and the tokens of its clients."""
    tokens = folder / "state" / "tokens"
    tokens.mkdir(parents=True)
    (tokens / "pos.token").write_text(f"{TOKEN}\n", encoding="ascii")
    config = folder / "till.toml"
    config.write_text(
        f'[agent]\nstate_dir = "{folder / "state"}"\n[bridge]\nport = 17599\n'
        '[[bridge.clients]]\nname = "pos"\nscopes = ["sale"]\n'
        '[[bridge.clients]]\nname = "admin"\nscopes = ["sale", "admin"]\n'
        '[[bridge.clients]]\nname = "desk"\nscopes = ["register"]\n'
        '[[bridge.clients]]\nname = "second"\nscopes = ["sale"]\n',
        encoding="utf-8",
    )
    return config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return offline_till(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "frontol"
    made.mkdir()
    return made


def test_the_scenario_is_put_in_place_with_port_and_token(folder: Path, config: Path) -> None:
    """For the owner alone, in ASCII with Windows' ends of lines, and still a program; nothing else is left behind."""
    done = install(folder, config)
    file = folder / "tillside.js"
    assert (done["state"], done["port"], done["client"], done["backup"]) == ("installed", 17599, "pos", "")
    assert [path.name for path in folder.iterdir()] == ["tillside.js"]
    assert file.stat().st_mode & 0o077 == 0
    raw = file.read_bytes()
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    settings = read_settings(raw.decode().replace("\r\n", "\n"))
    assert (settings["port"], settings["token"]) == (17599, TOKEN)
    assert faults(settings) == []
    assert syntax_error(file) == ""


def test_the_same_again_changes_nothing(folder: Path, config: Path) -> None:
    """Not even the file's time."""
    install(folder, config)
    before = (folder / "tillside.js").stat().st_mtime_ns
    assert install(folder, config)["state"] == "unchanged"
    assert (folder / "tillside.js").stat().st_mtime_ns == before


def test_own_settings_stay_when_a_newer_one_comes(folder: Path, config: Path) -> None:
    """A setting that there is no more is told; a new token is filled in."""
    install(folder, config)
    file = folder / "tillside.js"
    edit(file, "paymentCode: 0,", 'paymentCode: 12,\r\n    shopColour: "red",')
    edit(file, 'language: "ru",', 'language: "kk",')
    (config.parent / "state/tokens/pos.token").write_text("u" * 43, encoding="ascii")
    done = install(folder, config)
    assert (done["state"], done["kept"], done["dropped"]) == ("updated", ["language", "paymentCode"], ["shopColour"])
    settings = read_settings(file.read_text(encoding="ascii"))
    assert (settings["paymentCode"], settings["language"], settings["token"]) == (12, "kk", "u" * 43)


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig"])
def test_letters_that_a_person_typed_become_escapes(folder: Path, config: Path, encoding: str) -> None:
    """The name of a marketing event, in whatever encoding the editor saved it: the file is ASCII again."""
    install(folder, config)
    file = folder / "tillside.js"
    text = file.read_text(encoding="ascii").replace('redeemEvent: "",', 'redeemEvent: "Оплата баллами",')
    file.write_text(text, encoding=encoding)
    assert install(folder, config)["kept"] == ["redeemEvent"]
    assert file.read_bytes().isascii()
    assert read_settings(file.read_text(encoding="ascii"))["redeemEvent"] == "Оплата баллами"


@pytest.mark.parametrize("theirs", [b"function init() { /* \xcc\xee\xe9 */ }\r\n", b"", b"x" * 2_000_000])
def test_a_file_that_is_not_ours_is_kept_beside(folder: Path, config: Path, theirs: bytes) -> None:
    """Under a name that is free, byte by byte."""
    (folder / "tillside.js").write_bytes(theirs)
    (folder / "tillside.before-1.js").write_bytes(b"older")
    done = install(folder, config)
    assert Path(done["backup"]).name == "tillside.before-2.js"
    assert (folder / "tillside.before-2.js").read_bytes() == theirs
    assert (folder / "tillside.before-1.js").read_bytes() == b"older"


def test_a_scenario_that_was_changed_by_hand_is_kept_beside_and_its_settings_stay(folder: Path, config: Path) -> None:
    """What was changed below them would be lost otherwise."""
    install(folder, config)
    edit(folder / "tillside.js", "var UNKNOWN_LIMIT = 20;", "var UNKNOWN_LIMIT = 5;")
    edit(folder / "tillside.js", "paymentCode: 0,", "paymentCode: 12,")
    done = install(folder, config)
    assert (Path(done["backup"]).name, done["kept"]) == ("tillside.before-1.js", ["paymentCode"])
    assert b"UNKNOWN_LIMIT = 5" in (folder / "tillside.before-1.js").read_bytes()
    assert b"UNKNOWN_LIMIT = 20" in (folder / "tillside.js").read_bytes()


def test_a_folder_that_takes_nothing_keeps_what_it_has(
    folder: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: one line and status 1, and the old file whole."""
    install(folder, config)
    before = (folder / "tillside.js").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("till_installer.frontol.script_file.os.fsync", full)
    (config.parent / "state/tokens/pos.token").write_text("u" * 43, encoding="ascii")
    done = tillside("frontol", "script", "install", "--into", folder, "--config", config, status=1)
    assert "No space left" in done.stderr
    assert (folder / "tillside.js").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["tillside.js"]


def test_without_init_is_for_those_who_have_one(folder: Path, config: Path) -> None:
    """It stays so when it is checked, and begins when theirs calls it."""
    install(folder, config, "--without-init")
    text = (folder / "tillside.js").read_text(encoding="ascii")
    assert "function init()" not in text
    assert "function tillsideInit()" in text
    assert checks(folder)["code"]["good"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--client", "nobody"], "expected one of bridge.clients (pos, admin, desk, second)"),
        (["--client", "desk"], "expected a client with the scope `sale`"),
        (["--client", "second"], "start the agent once"),
    ],
)
def test_a_client_that_can_not_sell_is_refused(folder: Path, config: Path, words: list[str], said: str) -> None:
    """Before anything is written."""
    done = tillside("frontol", "script", "install", "--into", folder, "--config", config, *words, status=1)
    assert said in done.stderr
    assert list(folder.iterdir()) == []


def test_a_check_says_what_to_do_about_each_fault(folder: Path, config: Path) -> None:
    """No file, another's, an older one, other letters, a broken block, wrong values, no agent."""
    file = folder / "tillside.js"
    assert "install" in checks(folder)["file"]["fix"]
    file.write_bytes(b"function init() {}")
    assert "not Tillside's" in checks(folder)["file"]["found"]
    install(folder, config)
    found = checks(folder)
    assert [name for name, each in found.items() if not each["good"]] == ["agent"]
    assert "17599" in found["agent"]["found"]
    whole = file.read_bytes()
    for old, new, name, said in (
        ('language: "ru",', 'language: "de",', "settings", "language"),
        ("holdMinutes: 30,", "holdMinutes: 300,", "settings", "holdMinutes"),
        ('redemption: "payment",', 'redemption: "discount",', "settings", "redeemEvent is empty"),
        ("holdMinutes: 30,", "holdMinutes: 30", "settings", "comma"),
        ("holdMinutes: 30,", "holdMinutes = 30;", "settings", "expected `name: value,`"),
        ("holdMinutes: 30,", "holdMinutes: thirty,", "settings", "expected a value"),
        ("    holdMinutes: 30,\r\n", "", "settings", "holdMinutes is missing"),
        ("paymentCode: 0,", "paymentCode: 4,", "settings", "payments names 4"),
        ("var UNKNOWN_LIMIT = 20;", "var UNKNOWN_LIMIT = 5;", "code", "changed below"),
        ('redeemEvent: "",', 'redeemEvent: "Баллы",', "encoding", "not ASCII"),
    ):
        file.write_bytes(whole)
        edit(file, old, new)
        fault = next(each for each in checks(folder).values() if not each["good"] and each["name"] == name)
        assert said in fault["found"], (old, fault)
        assert TOKEN not in str(fault)


def test_an_older_version_is_told_and_replaced(folder: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is whole, so nothing is kept of it but its settings."""
    from till_installer.frontol import script_file

    now = script_file.packaged
    with monkeypatch.context() as patch:
        patch.setattr(
            script_file, "packaged", lambda **more: now(**more).replace("UNKNOWN_LIMIT = 20", "UNKNOWN_LIMIT = 2")
        )
        install(folder, config)
    assert "another version" in checks(folder)["code"]["found"]
    done = install(folder, config)
    assert (done["state"], done["backup"]) == ("updated", "")
    assert checks(folder)["code"]["good"]


def test_what_is_installed_is_shown_without_its_token(folder: Path, config: Path) -> None:
    """And the scenario, and the functions for the template, as they are shipped."""
    install(folder, config)
    said = tillside("frontol", "script", "show", "--into", folder).stdout
    assert "17599" in said
    assert "(set)" in said
    assert TOKEN not in said
    found = json.loads(tillside("frontol", "script", "show", "--into", folder, "--json").stdout)
    assert (found["state"], found["settings"]["token"]) == ("current", "(set)")
    assert tillside("frontol", "script", "show").stdout == SCRIPT.read_text(encoding="ascii")
    template = tillside("frontol", "script", "show", "--template").stdout
    assert "function tillsidePrintSlip(print)" in template
    assert "tillsideSettings" not in template
    assert (
        "expected Tillside's scenario"
        in tillside("frontol", "script", "show", "--into", config.parent, status=1).stderr
    )
    tillside("frontol", "script", "show", "--into", folder, "--template", status=2)


def test_the_templates_functions_need_nothing_else(host: Host, tmp_path: Path) -> None:
    """Templates are programs of their own in Frontol."""
    template = tmp_path / "template.js"
    text = tillside("frontol", "script", "show", "--template").stdout
    template.write_text(
        f"var tillsideSettings = {{}};\nfunction init() {{\n}}\n{text}\nfunction fill() {{\n"
        "    frontol.currentDocument.userValues.set('tillsideSlipLines', '2');\n"
        "    frontol.currentDocument.userValues.set('tillsideSlip1', 'one');\n"
        "    frontol.currentDocument.userValues.set('tillsideSlip2', 'two');\n}\n",
        encoding="ascii",
    )
    host.new(script=template)
    host.open({"price": 1})
    host.tell("key", name="fill")
    assert host.close(print=True)["printed"] == ["one", "two"]


def test_the_group_lists_what_is_there_and_nothing_else() -> None:
    """Reports and load files are commands of the agent's package."""
    said = tillside("frontol", "--help").stdout
    assert "script" in said
    assert tillside("frontol", "nothing", status=2).stderr


def test_values_are_filled_in_without_touching_another_line() -> None:
    """Whatever they are; a name that there is not is left out."""
    text = SCRIPT.read_text(encoding="ascii")
    assert filled(text, read_settings(text)) == text
    changed = filled(text, {"port": 1, "redeemEvent": 'Баллы "\\', "nothing": 3})
    assert read_settings(changed)["redeemEvent"] == 'Баллы "\\'
    differ = [one for one, other in zip(text.split("\n"), changed.split("\n"), strict=True) if one != other]
    assert [line.strip() for line in differ] == ["port: 17532,", 'redeemEvent: "",']
    assert changed.isascii()
    with pytest.raises(SettingsBlockError):
        read_settings("var tillsideSettings = {};")
