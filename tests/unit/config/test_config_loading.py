"""Reading a configuration file: what is taken, what is refused, and that only the file has a say."""

import os
from pathlib import Path

import msgspec
import pytest

from till_config import ConfigError, ScannerSettings, Settings, load
from till_config.loading import MAX_FILE_BYTES
from till_config.rendering import to_toml

GOOD = """
[agent]
state_dir = '/srv/till'
language = "kk"

[bridge]
port = 0
allowed_origins = ["https://pos.example", "http://127.0.0.1:8080", "http://[::1]:8080"]

[[bridge.clients]]
name = "admin"
scopes = ["admin", "sale"]

[cloud]
url = "http://127.0.0.1:8088/base"
spread_ms = 0

[[scanners]]
name = "front"
match = "0c2e:0b61:S/N 5"

[[printers]]
name = "receipt"
driver = "com.example.fancy"

[slips]
printer = "receipt"
"""


def write(folder: Path, text: str | bytes) -> Path:
    """A configuration file with that text."""
    file = folder / "till.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problem_of(file: Path) -> str:
    """The only problem of a file, without its name."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    (problem,) = caught.value.problems
    return str(problem).removeprefix(str(file))


def test_a_good_file_gives_its_values_and_defaults_for_the_rest(tmp_path: Path) -> None:
    """What the file says holds; what it doesn't say is the default."""
    settings = load(write(tmp_path, GOOD))
    assert settings.agent.state_dir == "/srv/till"
    assert settings.bridge.allowed_origins[2] == "http://[::1]:8080"
    assert [client.name for client in settings.bridge.clients] == ["admin"]
    assert settings.scanners == (ScannerSettings(name="front", match="0c2e:0b61:S/N 5"),)
    assert settings.cloud.request_timeout_ms == 10_000
    assert settings.slips.print is True


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """A till needs no setting to sell."""
    assert load(write(tmp_path, "")) == Settings()


def test_settings_can_be_written_and_read_again(tmp_path: Path) -> None:
    """`config show` prints a file that means the same."""
    settings = load(write(tmp_path, GOOD))
    assert load(write(tmp_path, to_toml(settings))) == settings
    assert load(write(tmp_path, to_toml(Settings()))) == Settings()


def test_texts_with_quotes_and_control_characters_survive_writing(tmp_path: Path) -> None:
    """Escapes of TOML are those of JSON, and DEL."""
    scanner = ScannerSettings(name="front", port="/dev/tty", prefix='"\\\x7f\x1d\t\n', suffix="қ€\U0001f600")
    settings = Settings(scanners=(scanner,))
    assert load(write(tmp_path, to_toml(settings))) == settings


def test_the_byte_order_mark_of_notepad_is_no_problem(tmp_path: Path) -> None:
    """TOML doesn't know it, and every second till is set up with Notepad."""
    assert load(write(tmp_path, b"\xef\xbb\xbf[agent]\r\nlanguage = 'kk'\r\n")).agent.language == "kk"


def test_no_environment_variable_changes_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the file has a say, so that what `explain` tells is all there is."""
    file = write(tmp_path, GOOD)
    before = load(file)
    for section in msgspec.structs.fields(Settings):
        for prefix in ("TILLSIDE", "TILL", "TILL_CONFIG"):
            for field in ("STATE_DIR", "PORT", "URL", "LANGUAGE"):
                monkeypatch.setenv(f"{prefix}_{section.name.upper()}_{field}", "/elsewhere")
                monkeypatch.setenv(f"{prefix}_{section.name.upper()}__{field}", "1")
    assert load(file) == before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """There is no silent start with defaults instead of the file that was meant."""
    assert problem_of(tmp_path / "none.toml") == ": expected a configuration file, but there is none of this name"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """It says what was expected."""
    assert problem_of(tmp_path) == ": expected a file, not a directory"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """Opening it would hang the agent's start."""
    os.mkfifo(tmp_path / "pipe")
    assert problem_of(tmp_path / "pipe") == ": expected a regular file, not a pipe or a device"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    file = write(tmp_path, GOOD)
    file.chmod(0)
    assert "expected a file that can be read: Permission denied" in problem_of(file)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    """A null byte in the name is a ConfigError like the rest."""
    with pytest.raises(ConfigError):
        load("till\0.toml")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """A database given by mistake isn't parsed for minutes."""
    text = "#" * MAX_FILE_BYTES
    assert load(write(tmp_path, text)) == Settings()
    assert "expected at most 262144 bytes" in problem_of(write(tmp_path, text + "#"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[agent]\nlanguage = '\xf0\xf3'", ":2:13: expected UTF-8, not the byte 0xf0; save the file as UTF-8"),
        ("# касса\nlanguage = 'ру".encode() + b"\xff", ":2:15: expected UTF-8, not the byte 0xff"),
        ("[agent]".encode("utf-16"), ":1:1: expected UTF-8, not the byte 0xff; save the file as UTF-8"),
        (b"\r\n\r\n  \x80", ":3:3: expected UTF-8, not the byte 0x80"),
        (b"\xef\xbb\xbf# \xff", ":1:3: expected UTF-8, not the byte 0xff"),
    ],
)
def test_other_encodings_are_refused_with_the_place_of_the_first_bad_byte(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    """A file in cp1251 is the usual mistake of a Russian Windows."""
    assert problem_of(write(tmp_path, data)).startswith(problem)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """The parser's recursion error never reaches the caller."""
    assert "expected" in problem_of(write(tmp_path, "a = " + "[" * 20_000))


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    """The interpreter's limit on such numbers never reaches the caller as its own error."""
    assert "sensible size" in problem_of(write(tmp_path, "[bridge]\nport = " + "9" * 5_000))


def test_suggestions_stop_after_many_unknown_keys(tmp_path: Path) -> None:
    """All are listed, but a file that isn't ours doesn't cost minutes of comparing."""
    text = "[agent]\n" + "".join(f"languag{number} = 1\n" for number in range(500))
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert len(caught.value.problems) == 500
    assert sum("did you mean" in problem.message for problem in caught.value.problems) == 100


def test_too_many_sections_are_one_problem(tmp_path: Path) -> None:
    """The limit is said once, not once for each of them."""
    text = "".join(f'[[scanners]]\nname = "s{number}"\nport = "{number}"\n' for number in range(17))
    assert problem_of(write(tmp_path, text)) == ":1:1: scanners: expected at most 16 of [[scanners]], not 17"
