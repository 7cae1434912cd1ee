"""Errors of the driver layer.

DriverError
├── SettingsError           a device's settings can't be used
├── TransportError          the byte port
│   ├── TransportAbsent     can't be opened: not there, or held by another program
│   ├── TransportLost       was open and is gone
│   └── TransportStalled    the device does not take our bytes
├── ProtocolError           a device sent what its protocol does not allow
├── RenderError             a slip can't be turned into this printer's bytes
├── StateError              a driver broke the table of states; our own defect
├── SpoolError              the print queue
│   ├── SpoolUnavailable    its file can't be written or read now
│   └── SpoolClosed         used before its start or after its stop
└── SimulatorError          a simulated device was told something it does not know
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


class TransportStalled(TransportError):
    """Raised when a device does not take bytes in time.

    `sent` is how many bytes may have gone, at most: 0 proves that none did.
    """

    def __init__(self, message: str, *, sent: int) -> None:
        super().__init__(message)
        self.sent = sent


class ProtocolError(DriverError):
    """Raised when bytes from a device make no sense in its protocol."""


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
