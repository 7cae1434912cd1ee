"""pyserial's port, with a line that reads only bytes that were sent as such."""

import sys
from typing import Any

import serial

if sys.platform == "win32":
    SerialLine = serial.Serial
else:
    import termios

    class SerialLine(serial.Serial):
        """Breaks and bytes with broken frames are dropped: a device that loses its power sends both."""

        def _reconfigure_port(self, *args: Any, **options: Any) -> None:
            super()._reconfigure_port(*args, **options)  # type: ignore[misc]  # Reason: pyserial's stubs leave it out.
            if self.fd is not None:  # `fileno` is not to be had yet while the port is being opened
                state = termios.tcgetattr(self.fd)
                state[0] |= termios.IGNBRK | termios.IGNPAR
                termios.tcsetattr(self.fd, termios.TCSANOW, state)
