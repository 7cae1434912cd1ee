"""Network printers at addresses that somebody named: asked how they are, once, within a time limit."""

import asyncio

from till_drivers.clock import MonotonicClock
from till_drivers.discovery.found import Fit, Found
from till_drivers.exceptions import DriverError
from till_drivers.printers.conversation import Conversation
from till_drivers.transports.tcp import TcpTransport

OPEN_TIMEOUT_MS = 1_200
CLOSE_TIMEOUT_MS = 300
ASK_TIMEOUT_S = 1.5
"""A printer answers a status request within milliseconds."""
SILENT = "takes connections but answers no status request: not a receipt printer, or a one-way print server"

Address = tuple[str, int]


def ask_address(address: Address) -> Found:
    """A printer at `address` as it says it is, or why it says nothing. Blocks within the limits above."""
    return asyncio.run(_ask(address))


async def _ask(address: Address) -> Found:
    host, port = address
    transport = TcpTransport(host, port)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    keys: dict[str, str | int | bool] = {"host": host} if port == 9_100 else {"host": host, "port": port}
    fit = Fit(role="printer", driver="tcp", keys=keys, sure=True)
    try:
        await transport.open(OPEN_TIMEOUT_MS)
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                report = await Conversation(transport, MonotonicClock()).report()
        except TimeoutError:
            return Found(kind="network", place=place, fits=(fit,), trouble=SILENT)
    except DriverError as exc:
        return Found(kind="network", place=place, fits=(fit,), trouble=str(exc), is_present=False)
    finally:
        await transport.close(CLOSE_TIMEOUT_MS)
    if report.silent:
        one_way = Fit(role="printer", driver="tcp", keys={**keys, "status": False})
        return Found(kind="network", place=place, fits=(one_way,), trouble=SILENT)
    words = report.fault or ("paper near its end" if report.near_end else "")
    return Found(kind="network", place=place, name="answers as an ESC/POS printer", fits=(fit,), trouble=words)
