"""Bundles: what they hold, whose they are, and each way in which one is refused."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.bundles import KEY, PUBLIC, THIS_PYTHON, sign, small_bundle
from till_installer.bundle.archive import opened, pack, unpack
from till_installer.bundle.building import locked
from till_installer.bundle.exceptions import BundleError
from till_installer.bundle.fitting import must_fit
from till_installer.bundle.keys import make_key, private_key, public_keys
from till_installer.bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE, read_manifest, verify
from till_sync.keys import new_key, public_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that every test copies."""
    return small_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """One to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "b"))


def refused(action: Callable[[], object]) -> str:
    """The code of the refusal; its message names the one thing to do."""
    with pytest.raises(BundleError) as caught:
        action()
    assert ";" in str(caught.value) or ":" in str(caught.value)
    return caught.value.code


def test_a_whole_bundle_is_taken(bundle: Path) -> None:
    """By its key, also where a till knows several; and it is for this machine."""
    manifest = verify(bundle, [public_of(new_key()), PUBLIC])
    assert manifest.version == "0.1.0"
    must_fit(manifest)


def _altered(bundle: Path) -> None:
    path = bundle / "requirements.txt"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def _longer(bundle: Path) -> None:
    with (bundle / "install.py").open("ab") as file:
        file.write(b"\n")


def _linked(bundle: Path) -> None:
    (bundle / "requirements.txt").rename(bundle.parent / "elsewhere")
    (bundle / "requirements.txt").symlink_to(bundle.parent / "elsewhere")


def _linked_folder(bundle: Path) -> None:
    (bundle / "wheels").rename(bundle.parent / "wheels")
    (bundle / "wheels").symlink_to(bundle.parent / "wheels")


def _climbing(bundle: Path) -> None:
    sign(bundle)
    path = bundle / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(b'"path": "install"', b'"path": "../install"'))
    _sign_bytes(bundle)


def _sign_bytes(bundle: Path) -> None:
    from till_installer.bundle.manifest import sign_manifest

    (bundle / SIGNATURE_FILE).write_text(sign_manifest((bundle / MANIFEST_FILE).read_bytes(), KEY))


def _later_format(bundle: Path) -> None:
    path = bundle / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    _sign_bytes(bundle)


def _huge(bundle: Path) -> None:
    (bundle / MANIFEST_FILE).write_bytes(b" " * 1_100_000)


SPOILT = {
    "altered": (_altered, "bundle_altered"),
    "longer": (_longer, "bundle_altered"),
    "missing": (lambda bundle: (bundle / "install").unlink(), "bundle_missing"),
    "extra": (lambda bundle: (bundle / "wheels/more.whl").write_bytes(b""), "bundle_extra"),
    "extra hidden": (lambda bundle: (bundle / ".more").write_bytes(b""), "bundle_extra"),
    "link": (_linked, "bundle_link"),
    "linked folder": (_linked_folder, "bundle_link"),
    "no manifest": (lambda bundle: (bundle / MANIFEST_FILE).unlink(), "bundle_missing"),
    "huge manifest": (_huge, "bundle_too_large"),
    "unsigned": (lambda bundle: (bundle / SIGNATURE_FILE).unlink(), "bundle_unsigned"),
    "no signature in it": (lambda bundle: (bundle / SIGNATURE_FILE).write_text("yes"), "bundle_unsigned"),
    "another's": (lambda bundle: sign(bundle, key=new_key()), "bundle_foreign_key"),
    "relabelled": (lambda bundle: sign(bundle, "9.9.9", key=new_key()), "bundle_foreign_key"),
    "climbing path": (_climbing, "bundle_format"),
    "later format": (_later_format, "bundle_format"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_bundle_is_refused(name: str, bundle: Path) -> None:
    """Each with a code of its own, whoever signed it."""
    spoil, code = SPOILT[name]
    spoil(bundle)
    assert refused(lambda: verify(bundle, [PUBLIC])) == code


def test_without_a_key_nothing_is_taken(bundle: Path) -> None:
    """There is no default key."""
    assert refused(lambda: verify(bundle, [])) == "bundle_no_key"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"machine": "riscv128"}, "bundle_platform"),
        ({"platform": "windows"}, "bundle_platform"),
        ({"pythons": ("3.99",)}, "bundle_python"),
        ({"libc": "2.999"}, "bundle_libc"),
    ],
)
def test_a_bundle_for_another_machine_is_refused(more: dict[str, object], code: str, bundle: Path) -> None:
    """By the check of installing, and by the script in the bundle, which has nothing but Python."""
    from till_installer.setup import bootstrap

    manifest = sign(bundle, **more)
    assert refused(lambda: must_fit(manifest)) == code
    with pytest.raises(bootstrap.RefusedError) as caught:
        bootstrap.make_version(bundle, bundle.parent / "versions")
    assert (caught.value.code, caught.value.status) == (code, 3)
    assert not (bundle.parent / "versions").exists()


def test_the_same_files_are_packed_into_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    """Whatever the time, the name of the archive and the dates of the files; and come out as they went in."""
    pack(bundle, tmp_path / "one.tar.gz")
    copy = Path(shutil.copytree(bundle, tmp_path / "copy", copy_function=shutil.copyfile))
    pack(copy, tmp_path / "two-with-another-name.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two-with-another-name.tar.gz").read_bytes()
    with opened(tmp_path / "one.tar.gz") as folder:
        assert verify(folder, [PUBLIC]) == read_manifest(bundle)
        assert (folder / "install").stat().st_mode & 0o111
    assert not folder.exists()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, "/etc/passwd", size
    return entry


ARCHIVES: dict[str, tuple[list[tarfile.TarInfo], str]] = {
    "climbs": ([_entry("a/../../b")], "bundle_path"),
    "absolute": ([_entry("/a/b")], "bundle_path"),
    "backslash": ([_entry("a/..\\b")], "bundle_path"),
    "line end": ([_entry("a/b\nc")], "bundle_path"),
    "no folder": ([_entry("a")], "bundle_path"),
    "link": ([_entry("a/b", tarfile.SYMTYPE)], "bundle_link"),
    "hard link": ([_entry("a/b", tarfile.LNKTYPE)], "bundle_link"),
    "device": ([_entry("a/b", tarfile.CHRTYPE)], "bundle_link"),
    "pipe": ([_entry("a/b", tarfile.FIFOTYPE)], "bundle_link"),
    "twice": ([_entry("a/b"), _entry("a/b")], "bundle_path"),
    "two folders": ([_entry("a/b"), _entry("c/b")], "bundle_format"),
    "flood of files": ([_entry(f"a/{number}") for number in range(2_001)], "bundle_too_large"),
    "flood of bytes": ([_entry("a/b", size=2_000_000_000)], "bundle_too_large"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_not_plain_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing is written outside the folder that it is unpacked into."""
    entries, code = ARCHIVES[name]
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"") if entry.size == 0 else None)
    into = tmp_path / "into"
    into.mkdir()
    assert refused(lambda: unpack(archive, into)) == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "into"]


def test_an_archive_that_is_none_or_cut_is_refused(bundle: Path, tmp_path: Path) -> None:
    """In one line, not with a traceback."""
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    assert refused(lambda: unpack(tmp_path / "a.tar.gz", tmp_path / "x")) == "bundle_format"
    pack(bundle, tmp_path / "b.tar.gz")
    data = (tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(data[: len(data) // 2])
    assert refused(lambda: unpack(tmp_path / "b.tar.gz", tmp_path / "y")) == "bundle_format"


def test_a_release_key_is_its_owners_and_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And there is no default one."""
    file = tmp_path / "release"
    public = make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert public_of(private_key(file)) == public
    assert public_keys((str(tmp_path / "release.pub"), public)) == (public,)
    assert refused(lambda: make_key(file)) == "key_exists"
    file.chmod(0o644)
    assert refused(lambda: private_key(file)) == "key_rights"
    monkeypatch.delenv("TILLSIDE_RELEASE_KEY", raising=False)
    assert refused(lambda: private_key(None)) == "key_missing"
    monkeypatch.setenv("TILLSIDE_RELEASE_KEY", "sesame")
    with pytest.raises(BundleError) as caught:
        private_key(None)
    assert caught.value.code == "key_format"
    assert "sesame" not in str(caught.value)


def test_a_lock_file_is_read_whole() -> None:
    """Each package of a till with its hashes, pip among them, by which the rest is installed."""
    lock = ROOT / "requirements/till.lock"
    found = {name: hashes for name, _, _, hashes in locked(lock)}
    assert len(found) == len([line for line in lock.read_text().splitlines() if "==" in line.partition(" ")[0]])
    assert all(found.values())
    assert "pip" in found


def test_the_starter_of_a_bundle_names_its_pythons(bundle: Path) -> None:
    """It is a shell script with no mark left to fill."""
    text = (bundle / "install").read_text()
    assert "@" not in text.replace("$@", "")
    assert f"python{THIS_PYTHON}" in text
