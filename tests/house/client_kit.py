"""Writes the parts of the client kit that follow from docs/reference/openapi.json: calls and types.

`make reference` calls it; a test holds the files to the description.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # as pytest does it

from house.client_kit_calls import Description  # noqa: E402 - after the path
from house.client_kit_javascript import javascript  # noqa: E402 - the same
from house.client_kit_python import python_calls, python_slip_calls, python_table  # noqa: E402 - the same

OPENAPI = ROOT / "docs/reference/openapi.json"
JAVASCRIPT = ROOT / "agent/till_agent/pages/assets/client/tillside.js"
PYTHON = ROOT / "agent/till_agent/client"


def _formatted(text: str) -> str:
    """As the rest of the code is."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "format", "--stdin-filename", "made.py", "-"],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    )
    return done.stdout


def made() -> dict[Path, str]:
    """The files as they should be."""
    description = Description(OPENAPI.read_text(encoding="utf-8"))
    return {
        JAVASCRIPT: javascript(JAVASCRIPT.read_text(encoding="utf-8"), description),
        PYTHON / "table.py": _formatted(python_table(description)),
        PYTHON / "calls.py": _formatted(python_calls(description, waits=False)),
        PYTHON / "async_calls.py": _formatted(python_calls(description, waits=True)),
        PYTHON / "slip_calls.py": _formatted(python_slip_calls(description, waits=False)),
        PYTHON / "async_slip_calls.py": _formatted(python_slip_calls(description, waits=True)),
    }


def main() -> None:
    """Write them."""
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
