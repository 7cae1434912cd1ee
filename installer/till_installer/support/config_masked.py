"""The configuration as it may go out: key by key, and of each only what its kind allows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from till_config.settings import Settings
from till_installer.support.cleaning import STRUCK, Cleaner

MASKED = "[set]"
OPEN = frozenset(
    (
        "agent.language",
        "agent.log_level",
        "bridge.port",
        "bridge.body_limit_bytes",
        "bridge.read_timeout_ms",
        "bridge.cloud_budget_ms",
        "bridge.rate_limit_per_second",
        "bridge.clients.name",
        "bridge.clients.scopes",
        "cloud.poll_interval_ms",
        "cloud.connect_timeout_ms",
        "cloud.request_timeout_ms",
        "cloud.spread_ms",
        "scanners.name",
        "scanners.driver",
        "scanners.match",
        "scanners.baud_rate",
        "scanners.encoding",
        "scanners.gap_ms",
        "scanners.gs1",
        "scanners.formats",
        "scanners.frames_per_second",
        "printers.name",
        "printers.driver",
        "printers.port",
        "printers.match",
        "printers.baud_rate",
        "printers.width_dots",
        "printers.columns",
        "printers.code_page",
        "printers.code_page_number",
        "printers.cut",
        "printers.cut_mode",
        "printers.native_qr",
        "printers.density",
        "printers.drawer",
        "printers.status",
        "slips.printer",
        "slips.print",
        "frontol.receipt_life_s",
        "frontol.reports.policy",
        "frontol.reports.encoding",
        "frontol.reports.mark_read",
        "frontol.reports.since",
        "frontol.load.card_type",
        "frontol.load.counter_type",
        "pages.panel",
        "pages.status",
        "pages.sell",
    )
)
"""Keys whose values are numbers, choices or names of devices. A new key is masked until somebody puts it here."""
PLACES = frozenset(("scanners.port", "printers.device"))
"""Device files are shown, addresses and other paths are not."""
URLS = frozenset(("cloud.url", "bridge.allowed_origins"))


def masked(settings: Settings, cleaner: Cleaner) -> dict[str, Any]:
    """All keys; of those that are not open only whether they are set."""
    found: dict[str, Any] = _masked(msgspec.to_builtins(settings), "", cleaner)
    return found


def _masked(value: Any, key: str, cleaner: Cleaner) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): _masked(each, f"{key}.{name}" if key else str(name), cleaner) for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(each, key, cleaner) for each in value]
    if isinstance(value, bool | int) and key in OPEN:
        return value
    text = str(value)
    if not text:
        return ""
    if key in OPEN:
        return cleaner.text(text)
    if key in PLACES and text.startswith("/dev/"):
        return cleaner.text(text)
    if key in URLS:
        return _host(text)
    return MASKED


def _host(url: str) -> str:
    """Scheme, host and port: neither who signs in, nor path, nor query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return STRUCK
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else MASKED
