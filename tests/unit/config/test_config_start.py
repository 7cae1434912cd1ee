"""The first step of the command: whatever Ctrl-C finds half done, it ends with a status and no traceback."""

import pytest

from till_config.main import LazyGroup
from till_installer import start


def test_ctrl_c_between_the_loading_and_the_command_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is loaded and has not begun: nothing of it hears Ctrl-C yet."""

    def before_it_begins() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("till_config.main.main", before_it_begins)
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert ended.value.code == start.STATUS_INTERRUPTED


def test_ctrl_c_while_the_words_are_read_is_the_same_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """click would say `Aborted!` and end with 1."""

    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["tillside", "config", "check"])
    monkeypatch.setattr(LazyGroup, "parse_args", ctrl_c)
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert ended.value.code == start.STATUS_INTERRUPTED
    assert capsys.readouterr().err.split() == ["Stopped."]
