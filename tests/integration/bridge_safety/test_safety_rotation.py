"""A client's token is changed without a gap, over restarts, and what was replaced ends when it should."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration.bridge.agent_kit import LiveAgent, live_agent, settings_for, written_config
from integration.bridge.bridge_kit import SteppedClock, basic
from integration.bridge_safety.safety_kit import call_as, enrolled
from till_agent.bridge.exceptions import TokenError
from till_agent.bridge.token_files import EARLIER_LIMIT, earlier_of, revoke, rotate
from till_agent.bridge.tokens import Client, Tokens, load_tokens, read_token, token_path
from till_config.main import main

HOUR_MS = 3_600_000
POS = Client("pos", frozenset({"sale"}))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return enrolled(tmp_path)


@pytest.fixture
def config(tmp_path: Path, state_dir: Path) -> Path:
    return written_config(tmp_path, state_dir)


@pytest.fixture
def live(state_dir: Path) -> Iterator[LiveAgent]:
    with live_agent(settings_for(state_dir)) as running:
        yield running


def token_command(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["agent", "token", *words, "--config", str(config)], catch_exceptions=False)


def present(state_dir: Path, client: str = "pos") -> str:
    found = read_token(state_dir, client)
    assert found is not None
    return found


def status_by(live: LiveAgent, token: str) -> int:
    return call_as(live, token, "GET", "/v1/status").status


@pytest.mark.parametrize("client", ["pos", "admin"])
def test_running_agent_takes_the_new_token_at_once_and_the_old_one_on(
    config: Path, state_dir: Path, live: LiveAgent, client: str
) -> None:
    """The client that the command itself asks by, too; and no command ever prints a token."""
    before = present(state_dir, client)
    done = token_command(config, client, "--rotate")
    assert done.exit_code == 0, done.output
    after = present(state_dir, client)
    assert after != before
    assert before not in done.output
    assert after not in done.output
    assert [status_by(live, token) for token in (before, after)] == [200, 200]
    assert live.call("GET", "/v1/status", client=client).status == 200
    ended = token_command(config, client, "--revoke")
    assert ended.exit_code == 0, ended.output
    assert [status_by(live, token) for token in (before, after)] == [401, 200]


def test_token_that_somebody_has_read_ends_at_once(config: Path, state_dir: Path, live: LiveAgent) -> None:
    before = present(state_dir)
    assert token_command(config, "pos", "--rotate", "--revoke").exit_code == 0
    assert [status_by(live, token) for token in (before, present(state_dir))] == [401, 200]


def test_replaced_token_goes_on_over_a_restart_and_not_beyond_a_revocation(config: Path, state_dir: Path) -> None:
    settings = settings_for(state_dir)
    with live_agent(settings):
        before = present(state_dir)
    assert "takes this in at its start" in token_command(config, "pos", "--rotate").stderr
    after = present(state_dir)
    with live_agent(settings) as live:
        assert [status_by(live, token) for token in (before, after)] == [200, 200]
    assert token_command(config, "pos", "--revoke").exit_code == 0
    with live_agent(settings) as live:
        assert [status_by(live, token) for token in (before, after)] == [401, 200]


def test_change_that_the_agent_is_not_told_of_is_said(
    config: Path, state_dir: Path, live: LiveAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state_dir / "running.json").unlink()
    done = token_command(config, "pos", "--rotate")
    assert done.exit_code == 1
    assert "could not be told" in done.stderr


@pytest.mark.parametrize("overlap", ["", "1", "24", "32d", "-1h", "1w", "h", "1.5h", "99999d"])
def test_overlap_that_is_no_time_is_refused_and_nothing_changed(config: Path, state_dir: Path, overlap: str) -> None:
    load_tokens(state_dir, (POS,))
    before = present(state_dir)
    done = token_command(config, "pos", "--rotate", f"--overlap={overlap}")
    assert done.exit_code == 2
    assert "expected a time such as 90m" in done.stderr
    assert present(state_dir) == before


class Machine:
    """Tokens by themselves on a machine whose clock is told; `start` is an agent's start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SteppedClock()
        self.clock.now_ms = 1_800_000_000_000
        self.tokens = self.start()
        self.made = [self._present()]

    def start(self) -> Tokens:
        self.tokens = load_tokens(self.folder, (POS,), frontol="pos", clock=self.clock)
        return self.tokens

    def rotate(self, overlap_ms: int) -> None:
        rotate(self.folder, "pos", overlap_ms=overlap_ms, now_wall_ms=self.clock.now_ms)
        assert self.tokens.folder is not None
        self.tokens.put(self.tokens.folder.read())
        self.made.append(self._present())

    def taken(self) -> list[bool]:
        """Of the tokens in the order of their making: is it taken, in each of the three ways?"""
        return [all(self._ways(token)) if any(self._ways(token)) else False for token in self.made]

    def _ways(self, token: str) -> list[bool]:
        digest = hashlib.md5(token.encode() + b"{}").hexdigest()
        return [
            self.tokens.find(f"Bearer {token}".encode()) == POS,
            self.tokens.find(basic("pos", token).encode()) == POS,
            self.tokens.find_frontol(f"FrontolAuth {digest}".encode(), b"{}") == POS,
        ]

    def _present(self) -> str:
        return present(self.folder)


def test_each_replaced_token_ends_by_itself_when_its_overlap_does(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.rotate(HOUR_MS)
    machine.clock.now_ms += HOUR_MS // 2
    machine.rotate(HOUR_MS)
    assert machine.taken() == [True, True, True]
    machine.clock.now_ms += HOUR_MS // 2
    assert machine.taken() == [False, True, True]
    machine.start()
    assert machine.taken() == [False, True, True]
    machine.clock.now_ms += HOUR_MS // 2
    assert machine.taken() == [False, False, True]
    machine.start()
    assert machine.taken() == [False, False, True]


def test_clock_that_is_put_back_lengthens_no_overlap_beyond_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.rotate(HOUR_MS)
    machine.clock.now_ms -= 1_000 * HOUR_MS
    machine.start()
    assert machine.taken() == [True, True]
    machine.clock.now_ms += HOUR_MS
    assert machine.taken() == [False, True]


def test_power_that_fails_within_a_change_leaves_every_program_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of those that go on is written before the token is replaced."""
    from till_agent.bridge import token_files

    machine = Machine(tmp_path)
    write = token_files.write_private

    def fail_at_the_token(path: Path, content: bytes) -> None:
        if path.suffix == ".token":
            raise OSError(5, "Input/output error")
        write(path, content)

    monkeypatch.setattr(token_files, "write_private", fail_at_the_token)
    with pytest.raises(TokenError):
        machine.rotate(HOUR_MS)
    machine.start()
    assert machine.taken() == [True]
    machine.clock.now_ms += 2 * HOUR_MS
    assert machine.taken() == [True], "the present token has no end, though it stands in the list too"


def test_more_changes_than_can_go_on_are_refused_before_anything_is_changed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for _ in range(EARLIER_LIMIT):
        machine.rotate(HOUR_MS)
    with pytest.raises(TokenError, match="--revoke"):
        machine.rotate(HOUR_MS)
    assert machine.taken() == [True] * (EARLIER_LIMIT + 1)
    revoke(tmp_path, "pos")
    assert earlier_of(tmp_path, "pos", machine.clock.now_ms) == ()


def test_list_that_is_unusable_ends_what_is_on_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.rotate(HOUR_MS)
    token_path(tmp_path, "pos").with_suffix(".earlier").write_bytes(b"{")
    machine.start()
    assert machine.taken() == [False, True]


@pytest.mark.skipif(os.name != "posix", reason="rights are access lists on Windows")
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.rotate(HOUR_MS)
    for path in (tmp_path / "tokens").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.suffix for path in (tmp_path / "tokens").iterdir()} == {".token", ".earlier"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "FrontolAuth",
        "FrontolAuth " + "0" * 32,
        "FrontolAuth " + "x" * 32,
        "Bearer " + "{digest}",
        "FrontolAuth {digest}0",
        "FrontolAuth {digest} {digest}",
        "FrontolAuth {token}",
    ],
)
def test_frontols_header_is_the_digest_of_key_and_body_and_nothing_else(tmp_path: Path, header: str) -> None:
    machine = Machine(tmp_path)
    token = machine.made[0]
    right = hashlib.md5(token.encode() + b"body").hexdigest()
    said = header.replace("{digest}", right).replace("{token}", token).encode()
    assert machine.tokens.find_frontol(said, b"body") is None
    assert machine.tokens.find_frontol(f"frontolauth  {right.upper()}".encode(), b"body") == POS
    assert machine.tokens.find_frontol(f"FrontolAuth {right}".encode(), b"body ") is None
    assert Tokens({POS: token}).has_frontol is False
    assert Tokens({POS: token}).find_frontol(f"FrontolAuth {right}".encode(), b"body") is None
