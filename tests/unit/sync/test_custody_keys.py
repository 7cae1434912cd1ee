"""Where a till's secrets lie: as they are, in a credential of systemd, or sealed to the machine."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from till_sync import custody
from till_sync.exceptions import IdentityError
from till_sync.identity import Identity, load_identity, read_identity, save_identity
from till_sync.keys import new_key

KEY = new_key()


def identity() -> Identity:
    return Identity(
        till="t1", store="s1", store_name="S", time_zone="UTC", token="word", identifier_key="ab" * 32, private_key=KEY
    )


class Turned:
    """A sealer that other machines can't open."""

    def seal(self, data: bytes) -> bytes:
        return b"!" + data[::-1]

    def unseal(self, data: bytes) -> bytes:
        if data[:1] != b"!":
            raise OSError("not ours")
        return data[:0:-1]


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An identity file with its key in clear, in a service that is given the same key by systemd."""
    path = tmp_path / "identity.json"
    save_identity(path, identity())
    assert KEY in path.read_text()
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / custody.CREDENTIAL).write_text(KEY + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    return path


def test_the_file_lets_a_key_go_that_systemd_keeps(credential: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the service starts; from then on the file names the credential, and without that nobody has the key."""
    assert load_identity(credential) == identity()
    assert KEY not in credential.read_text()
    assert load_identity(credential) == identity()
    save_identity(credential, load_identity(credential))
    assert KEY not in credential.read_text()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(IdentityError, match="LoadCredential"):
        load_identity(credential)


def test_who_only_looks_sees_the_till_without_its_key(credential: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up, upgrades and the doctor are no service: to them such a till was none, and no sale was rehearsed."""
    load_identity(credential)
    before = credential.read_bytes()
    assert read_identity(credential) == identity()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert read_identity(credential) == replace(identity(), private_key="")
    assert credential.read_bytes() == before


def test_windows_seals_every_secret_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them stands there in clear, and another machine can't open them."""
    monkeypatch.setattr(custody, "this_sealer", Turned)
    path = tmp_path / "identity.json"
    save_identity(path, identity())
    text = path.read_text()
    assert not any(secret in text for secret in (KEY, '"word"', "ab" * 32))
    assert load_identity(path) == identity()
    monkeypatch.setattr(custody, "this_sealer", lambda: None)
    with pytest.raises(IdentityError):
        load_identity(path)


def test_a_sealed_secret_that_was_altered_is_none() -> None:
    """Told as an identity that can't be used; nothing else is raised."""
    for kept in ("dpapi:AAAA", "dpapi:*"):
        with pytest.raises(IdentityError):
            custody.opened(kept, sealer=Turned())
    with pytest.raises(IdentityError):
        custody.opened("credential:../x", environment={"CREDENTIALS_DIRECTORY": "/"})
