"""What the Debian package's script does before anything is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

import till_installer

POSTINST = Path(till_installer.__file__).parent / "data/deb/postinst"


@pytest.mark.skipif(shutil.which("sh") is None, reason="a script of the shell")
def test_a_package_without_settings_says_where_they_go_and_makes_the_place(tmp_path: Path) -> None:
    """On a machine that has never had Tillside, whatever umask its root has."""
    words = ["sh", "-c", f'umask 077; exec sh "{POSTINST}" configure']
    done = subprocess.run(
        words, env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    etc = tmp_path / "etc/tillside"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"put this till's settings into {etc}/till.toml" in done.stdout
    assert etc.stat().st_mode & 0o777 == 0o755
