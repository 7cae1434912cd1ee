"""Imports every module of the installed Tillside, to show that the wheel brings all it needs and names all it imports.

.ci/run calls it with an environment that holds the wheel and its own dependencies, no test tool and no source tree.
"""

import importlib
import pkgutil
import sys

PACKAGES = ("till_agent", "till_cloud", "till_config", "till_drivers", "till_installer", "till_loyalty", "till_sync")


def main() -> int:
    """Import them all; gives the exit status."""
    failed: list[str] = []
    count = 0

    def note(name: str) -> None:
        failed.append(f"{name}: {sys.exc_info()[1]!r}")

    for package in PACKAGES:
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}.", onerror=note):
            count += 1
            if found.name.rpartition(".")[2] == "__main__":
                continue
            try:
                importlib.import_module(found.name)
            except Exception:  # whatever a module raises, the list of the broken ones goes on
                note(found.name)
    for line in failed:
        sys.stderr.write(f"can't be imported: {line}\n")
    sys.stdout.write(f"{count - len(failed)} of {count} modules can be imported\n")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
