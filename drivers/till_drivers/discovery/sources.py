"""Reads every source at once, each in a thread of its own: one that hangs is left behind at the deadline."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from till_drivers.discovery.cameras import cameras
from till_drivers.discovery.found import Discovery, Found, SourceFault
from till_drivers.discovery.hid import hid_scanners, keyboards
from till_drivers.discovery.ports import serial_ports
from till_drivers.discovery.queues import print_queues
from till_drivers.discovery.system import System
from till_drivers.discovery.usb_printers import usb_printers

DEADLINE_S = 5.0
"""All sources together; the slowest, a printer that is asked over the network, has 3 s of its own."""
ADDRESS_LIMIT = 16
"""As many as there can be printers in the settings; this is no scan of a network."""

Source = Callable[[], Iterable[Found]]


def discover(
    system: System | None = None, *, addresses: Sequence[tuple[str, int]] = (), deadline_s: float = DEADLINE_S
) -> Discovery:
    """All that is plugged in, and the printers at `addresses`. Blocks for `deadline_s` at most; raises nothing."""
    where = system or System()
    sources: dict[str, Source] = {
        "serial ports": partial(serial_ports, where),
        "HID scanners": partial(hid_scanners, where),
        "keyboards": partial(keyboards, where),
        "cameras": partial(cameras, where),
        "USB printers": partial(usb_printers, where),
        "print queues": partial(print_queues, where),
    }
    for host, port in list(dict.fromkeys(addresses))[:ADDRESS_LIMIT]:
        sources[f"printer at {host}:{port}"] = partial(_asked, (host, port))
    return read_all(sources, deadline_s)


def read_all(sources: dict[str, Source], deadline_s: float) -> Discovery:
    """What the sources give, in their order; one that fails or is late is named instead."""
    results: dict[str, list[Found] | SourceFault] = {}
    threads = [
        threading.Thread(target=_read, args=(name, source, results), name=f"find {name}", daemon=True)
        for name, source in sources.items()
    ]
    give_up = time.monotonic() + deadline_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    late = f"no answer within {deadline_s:g} s"
    told = dict(results)  # a thread that is late may still write while this is read
    outcomes = [told.get(name, SourceFault(source=name, message=late)) for name in sources]
    return Discovery(
        found=tuple(each for outcome in outcomes if isinstance(outcome, list) for each in outcome),
        faults=tuple(outcome for outcome in outcomes if isinstance(outcome, SourceFault)),
    )


def _read(name: str, source: Source, results: dict[str, list[Found] | SourceFault]) -> None:
    try:
        results[name] = list(source())
    except Exception as exc:  # noqa: BLE001 - whatever one source stumbles over, the others are to be shown
        results[name] = SourceFault(source=name, message=f"{exc}" or type(exc).__name__)


def _asked(address: tuple[str, int]) -> list[Found]:
    from till_drivers.discovery.network import ask_address

    return [ask_address(address)]
