"""A barcode scanner on a serial port, USB serial port or pseudo-terminal."""

from till_drivers.ports import Clock, Transport
from till_drivers.scanners.framing import FrameReader
from till_drivers.scanners.reading_loop import ReadingLoop, ScannerConfig, check_settings
from till_drivers.transports.serial import SerialTransport

REST_MS = 500
"""At 300 baud a byte takes 33 ms; what has not come by then is no rest of a code that was under way."""


class SerialScanner(ReadingLoop):
    """`gap_ms` ends the codes of a scanner that ends them with nothing."""

    def __init__(
        self,
        settings: ScannerConfig,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
    ) -> None:
        prefix, suffix = check_settings(settings)
        device = settings.port or f"usb:{settings.match}"
        super().__init__(
            settings,
            transport or SerialTransport(device, baud_rate=settings.baud_rate),
            FrameReader(prefix=prefix, suffix=suffix, ends_in_silence=bool(settings.gap_ms)),
            clock=clock,
            silence_ms=settings.gap_ms or REST_MS,
        )
