"""Errors of the driver layer.

DriverError
├── SettingsError           a device's settings can't be used
├── TransportError          the byte port
│   ├── TransportAbsent     can't be opened: not there, or held by another program
│   ├── TransportLost       was open and is gone
│   ├── TransportRefused    is there and says itself that it takes nothing now
│   └── TransportStalled    the device does not take our bytes
├── ProtocolError           a device sent what its protocol does not allow
├── SlipTemplateError       a slip template is not usable
├── WordMissing             a slip's words lack a text, or the text asks for values that were not given
├── RenderError             a slip can't be turned into this printer's bytes
├── StateError              a driver broke the table of states; our own defect
├── SpoolError              the print queue
│   ├── SpoolUnavailable    its file can't be written or read now
│   └── SpoolClosed         used before its start or after its stop
└── SimulatorError          a simulated device was told something it does not know
    └── SimulatorLate       what was waited for did not come in time
"""


# ruff: noqa: N818  # names say what happened, as `till_drivers.ports` promises them; a suffix would add nothing


class DriverError(Exception):
    """Base of every error that `till_drivers` raises on purpose."""


class SettingsError(DriverError):
    """Raised when a driver is built from settings it can't work with; it names the key and what is expected."""


class TransportError(DriverError):
    """Raised when a byte port fails; trying again later may help."""


class TransportAbsent(TransportError):
    """Raised when a port can't be opened: nothing is there, it refuses, or another program holds it."""


class TransportLost(TransportError):
    """Raised when an open port is gone: unplugged, switched off, or its connection was cut."""


class TransportRefused(TransportError):
    """Raised when what is at the other end says, before the first byte, why it takes none: a queue that is stopped.

    It proves that not one byte went.
    """


class TransportStalled(TransportError):
    """Raised when a device does not take bytes in time.

    `sent` is how many bytes may have gone, at most: 0 proves that none did.
    """

    def __init__(self, message: str, *, sent: int) -> None:
        super().__init__(message)
        self.sent = sent


class ProtocolError(DriverError):
    """Raised when bytes from a device make no sense in its protocol."""


class SlipTemplateError(DriverError):
    """Raised when a slip template does not compile, fails, takes too much, or yields something that is no block."""


class WordMissing(DriverError):
    """Raised when a word of a slip is asked for that the catalogue lacks, or without the values that it needs."""


class RenderError(DriverError):
    """Raised when a block can't be printed by a printer of this profile; the template or its data is at fault."""


class StateError(DriverError):
    """Raised when a driver moves between states that the table in `states` does not join."""


class SpoolError(DriverError):
    """Raised when the print queue can't do what it was asked."""


class SpoolUnavailable(SpoolError):
    """Raised when the spool's file can't be written or read now: disk full, read-only, broken."""


class SpoolClosed(SpoolError):
    """Raised when the spool is used before its start or after its stop."""


class SimulatorError(DriverError):
    """Raised when a simulator gets an unknown behaviour or command."""


class SimulatorLate(SimulatorError):
    """Raised when what a client waited for, such as a slip, did not come in the time that it gave."""
