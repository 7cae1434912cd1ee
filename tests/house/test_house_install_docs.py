"""Installing on Linux as its page says: as root, on a copy-on-write view of `/`, and the agent as its user."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from house.shell import Shell, carry_out
from house.test_house_docs_commands import environment
from house.tree import report, texts
from kit.bundles import small_bundle
from till_installer.bundle.archive import pack

PAGE = "docs/how-to/install-on-linux.md"

# SIOCSIFFLAGS, for where there is no `ip`.
LOOPBACK = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x41))"
VIEW = """
mkdir -p {scratch}; mount -t tmpfs tmpfs {scratch}; mkdir {scratch}/up {scratch}/work {scratch}/view
mount -t overlay overlay -o lowerdir=/,upperdir={scratch}/up,workdir={scratch}/work {scratch}/view
mount -t proc proc {scratch}/view/proc; mount --rbind /dev {scratch}/view/dev
{python} -c "{loopback}"
exec chroot {scratch}/view bash --norc --noprofile
"""

# No process 1 of systemd runs here: what the page asks of it does nothing, but the key has to come out of the file.
WITHOUT_SYSTEMD = """systemctl() { :; }; systemd-creds() { grep -E '^[0-9a-f]{64}$' > "$4"; }"""


def _permitted() -> bool:
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    view = "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c"
    words = [
        "unshare",
        "-mnp",
        "--fork",
        "sh",
        "-c",
        f"mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && {view}",
    ]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_till_is_installed_as_its_page_says(tmp_path: Path) -> None:
    """Every command of the page, with a cloud that enrols the till, no network but the loopback, and real processes."""
    if not _permitted():
        pytest.skip("only root may make a view of / to install into, and some sandboxes don't let root either")
    os.environ.pop("TILLSIDE_CONFIG", None)
    (tmp_path / "dist").mkdir()
    bundle = small_bundle(tmp_path / "bundle")
    view = tmp_path / "view.sh"
    view.write_text(VIEW.format(scratch=tmp_path / "view", python=sys.executable, loopback=LOOPBACK))
    page = texts()[PAGE]
    with Shell(tmp_path, environment(tmp_path)) as shell:
        shell.run(f"exec unshare -mnp --fork --propagation private sh {view}")
        shell.run(f'set -e -o pipefail; cd {tmp_path}; sudo() {{ "$@"; }}')
        shell.run(WITHOUT_SYSTEMD)
        # The agent's user reaches this interpreter and this tree, wherever they are; only in this view.
        for path in {Path(sys.executable).resolve(), *(Path(each) for each in sys.path if each)}:
            shell.run("; ".join(f"chmod o+rx {parent} || true" for parent in path.parents))
        shell.run("tillside cloud init --db chain.db > /dev/null")
        shell.run("tillside cloud run --db chain.db --port 17580 2> cloud.log &")
        shell.run("until curl -sf http://127.0.0.1:17580/readyz > /dev/null; do sleep 0.2; done")
        shell.run("tillside cloud store add almaty-1 --name Shop --time-zone Asia/Almaty --db chain.db")
        code = shell.run("tillside cloud till add till-1 --store almaty-1 --db chain.db").split()[-1]
        shell.run(f"CODE={code}")
        first, rest = page.split("```sh\ntillside bundle verify", 1)
        report(carry_out(first, shell))
        _sign(shell, tmp_path, bundle)
        report(carry_out("```sh\ntillside bundle verify" + rest, shell))
        shell.run("test ! -e /opt/tillside && test -e /var/lib/tillside/identity.json")


def _sign(shell: Shell, folder: Path, bundle: Path) -> None:
    """What `make bundles` builds, but small, signed by the key that the page has made."""
    pack(bundle, folder / "bundle.tar.gz")
    shell.run(f"cp {folder}/bundle.tar.gz dist/tillside-0.1.0-linux-x86_64.tar.gz")
    shell.run("tillside bundle sign --key release.key dist/tillside-0.1.0-linux-x86_64.tar.gz")
