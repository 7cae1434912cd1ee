"""Who may read and write what on Windows, and what browsers may do: by `icacls` and the registry."""

import subprocess
import sys
from typing import Protocol

from till_installer.layout import Layout
from till_installer.services.windows import SYSTEM_ACCOUNT
from till_installer.setup.exceptions import SetupError

SYSTEM, ADMINISTRATORS = "*S-1-5-18", "*S-1-5-32-544"
"""By number: their names are in Windows' own language."""
BROWSERS = (r"SOFTWARE\Policies\Google\Chrome", r"SOFTWARE\Policies\Microsoft\Edge", r"SOFTWARE\Policies\Chromium")
POLICIES = ("LocalNetworkAccessAllowedForUrls", "LoopbackNetworkAllowedForUrls")
CALL_TIMEOUT_S = 60.0
LIST_LIMIT = 1_000
"""Names of a policy's list are numbers from 1; no browser reads as many."""


def protect(layout: Layout, account: str, icacls: tuple[str, ...] = ("icacls.exe",)) -> None:
    """Data for the service and administrators alone; updates for administrators alone; settings only read. SetupError.

    Nothing is inherited from ProgramData, where every user may read.
    """
    is_own = account != SYSTEM_ACCOUNT
    inherited = "(OI)(CI)"
    wanted = (
        (layout.state_dir, f"{inherited}F", f"{inherited}M"),
        (layout.updates_dir, f"{inherited}F", ""),
        (layout.config, "F", "RX"),
    )
    for path, full, own in wanted:
        grants = [f"{SYSTEM}:{full}", f"{ADMINISTRATORS}:{full}"]
        if is_own and own:
            grants.append(f"{account}:{own}")
        words = [*icacls, str(path), "/inheritance:r", "/grant:r", *grants, "/Q"]
        try:
            done = subprocess.run(  # noqa: S603 - a program of Windows, with words of our own
                words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=CALL_TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise SetupError(f"expected icacls to protect {path}: {exc}", code="rights") from exc
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
            raise SetupError(f"`icacls {path}` failed: {said}; run the set-up as an administrator", code="rights")


class Registry(Protocol):
    """`HKEY_LOCAL_MACHINE`, as programs of 64 bits see it. OSError."""

    def values(self, key: str) -> dict[str, object]:
        """By name; none of a key that is not there."""
        ...

    def put(self, key: str, name: str, text: str) -> None:
        """Write one, and make its key if need be."""
        ...


def allow_origins(origins: tuple[str, ...], registry: Registry | None = None) -> list[str]:
    """Let pages of these origins call the bridge in Chrome, Edge and Chromium; gives the keys written. SetupError.

    What others have put into these lists stays. Firefox takes its policies from a file: the how-to says which.
    """
    written: list[str] = []
    for key in (rf"{browser}\{policy}" for browser in BROWSERS for policy in POLICIES) if origins else ():
        try:
            if _allow(registry or this_registry(), key, origins):
                written.append(key)
        except OSError as exc:
            raise SetupError(
                f"expected to write the policy HKLM\\{key}: {exc}; run the set-up as an administrator", code="policy"
            ) from exc
    return written


def _allow(registry: Registry, key: str, origins: tuple[str, ...]) -> bool:
    """Add those that the list of a policy has not; whether there were any. OSError."""
    there = registry.values(key)
    missing = [origin for origin in dict.fromkeys(origins) if origin not in there.values()]
    free = (str(number) for number in range(1, LIST_LIMIT) if str(number) not in there)
    for name, origin in zip(free, missing, strict=False):
        registry.put(key, name, origin)
    return bool(missing)


if sys.platform == "win32":
    import contextlib
    import winreg

    class _Machine:
        """The registry of this machine."""

        def values(self, key: str) -> dict[str, object]:
            """As `Registry` has it."""
            rights = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
            with (
                contextlib.suppress(FileNotFoundError),
                winreg.OpenKeyEx(winreg.HKEY_LOCAL_MACHINE, key, 0, rights) as opened,
            ):
                count = winreg.QueryInfoKey(opened)[1]
                return {name: value for name, value, _ in (winreg.EnumValue(opened, each) for each in range(count))}
            return {}

        def put(self, key: str, name: str, text: str) -> None:
            """As `Registry` has it."""
            rights = winreg.KEY_WRITE | winreg.KEY_WOW64_64KEY
            with winreg.CreateKeyEx(winreg.HKEY_LOCAL_MACHINE, key, 0, rights) as opened:
                winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, text)

    def this_registry() -> Registry:
        """Of this machine."""
        return _Machine()

else:

    def this_registry() -> Registry:
        """There is none here. OSError."""
        raise OSError("expected Windows, which has a registry")
