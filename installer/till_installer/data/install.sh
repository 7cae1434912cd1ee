#!/bin/sh
# Installs Tillside from this folder: sudo ./install --config till.toml --enroll-file code.txt --release-key release.pub
# It finds a Python of this machine that fits, and leaves the rest to install.py.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
# Root's own Python (pyenv, conda) is no use to the agent's user, who has to run it; below --root nobody runs it yet.
others=0
case " $* " in *" --root"*) ;; *) [ "$(id -u)" != 0 ] || others=1 ;; esac
for name in ${TILLSIDE_PYTHON:-} @PYTHONS@ python3 $(printf '/usr/bin/%s ' @PYTHONS@ python3); do
    python=$(command -v "$name" 2>/dev/null) || continue
    "$python" -I -c 'import sys; sys.exit("{}.{}".format(*sys.version_info) not in "@PYTHONS@".replace("python", "").split())' \
        2>/dev/null || continue
    if [ "$others" = 1 ] && ! "$python" -I -c '
import os, pathlib, sys
path = pathlib.Path(os.path.realpath(sys.executable))
sys.exit(not all(each.stat().st_mode & 1 for each in (path, *path.parents)))' 2>/dev/null; then
        private=$python
        continue
    fi
    if ! "$python" -I -c 'import venv, ssl, sqlite3' 2>/dev/null; then
        without_venv=$python
        continue
    fi
    exec "$python" -I "$here/install.py" "$@"
done
if [ -n "${without_venv:-}" ]; then
    echo "Error: no_venv: expected the modules venv, ssl and sqlite3 of $without_venv; on Debian: apt-get install --reinstall libpython3-stdlib" >&2
elif [ -n "${private:-}" ]; then
    echo "Error: python_private: expected a Python that every user may run, not $private; on Debian: apt-get install python3" >&2
else
    echo "Error: no_python: expected one of @PYTHONS@; on Debian: apt-get install python3" >&2
fi
exit 1
