"""An installation for Windows in a folder: versions as the set-up unpacks them, and who runs a service, by fakes."""

import json
from pathlib import Path

from till_installer.bundle.manifest import BundleFile, Manifest, Schemas, encode_manifest
from till_installer.exceptions import ServiceError
from till_installer.layout import Layout, windows_layout
from till_installer.services.ports import ServiceState, ServiceStatus
from till_installer.windows.installing import STARTER

JOURNAL = 3
"""Schema of the journal that the versions here read."""


def layout_in(folder: Path) -> Layout:
    """Where Windows has it, below a folder."""
    return windows_layout(folder / "Program Files/Tillside", folder / "ProgramData/Tillside")


def unpack(layout: Layout, version: str = "0.1.0", *, text: str = "") -> Path:
    """A version's folder as the set-up leaves it before it calls Python; `text` makes its starter another."""
    folder = layout.version_dir(version)
    for name in (*STARTER, "tools/nssm.exe", "tools/start.py", "Lib/site-packages/tillside_note.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name} {text}\n")
    manifest = Manifest(
        format=1,
        version=version,
        platform="windows",
        machine="x86_64",
        pythons=("3.11",),
        schemas=Schemas(journal=JOURNAL, cache=1),
        made_s=0,
        files=(BundleFile(path="python.exe", sha256="0" * 64, size=1),),
    )
    (folder / "bundle").mkdir(exist_ok=True)
    (folder / "bundle/bundle.json").write_bytes(encode_manifest(manifest))
    (folder / "complete.json").write_text(json.dumps({"bundle": version, "python": "3.11", "files": {}}))
    return folder


class Manager:
    """Notes what it is asked; nothing runs. What is in `refuses` it has no right to."""

    kind = "stub"

    def __init__(self, state: ServiceState = "absent") -> None:
        self.state: ServiceState = state
        self.calls: list[str] = []
        self.refuses: set[str] = set()

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Known from now on, even where its account can't be set."""
        if self.state == "absent":
            self.state = "stopped"
        self._note("install")

    def remove(self) -> None:
        """Forgotten."""
        self._note("remove")
        self.state = "absent"

    def start(self) -> None:
        """Runs."""
        self._note("start")
        self.state = "running"

    def stop(self, timeout_s: float = 10.0) -> None:
        """Rests."""
        self._note("stop")
        self.state = "stopped" if self.state == "running" else self.state

    def status(self) -> ServiceStatus:
        """As it was told."""
        return ServiceStatus(state=self.state)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.refuses:
            raise ServiceError(f"`nssm {call}` failed: Access is denied")


class FakeRegistry:
    """Keys in a dict; `is_closed` to those who are no administrators."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, object]] = {}
        self.is_closed = False

    def values(self, key: str) -> dict[str, object]:
        """What is there."""
        return dict(self.keys.get(key, {}))

    def put(self, key: str, name: str, text: str) -> None:
        """Written."""
        if self.is_closed:
            raise PermissionError(5, "Access is denied")
        self.keys.setdefault(key, {})[name] = text
