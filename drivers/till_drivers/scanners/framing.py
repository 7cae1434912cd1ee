"""Where one code ends and the next begins in a scanner's bytes. No I/O: bytes in, frames out.

CR, LF, TAB or ETX ends a code; STX drops what came before it; GS (0x1D) is part of GS1 codes and never an end. Frames
with nothing in them are dropped, so CR LF ends one code, not two.
"""

from till_drivers.scanners.codes import Code

CODE_LIMIT_BYTES = 4096
"""The largest 2-D symbols hold about 3,000 bytes; a longer run without an end is noise or a wrong baud rate."""

_STX = 0x02
_ENDS = frozenset(b"\r\n\t\x03")


class Framer:
    """Collects bytes in whatever pieces they come and hands out whole codes."""

    def __init__(self, *, prefix: bytes = b"", suffix: bytes = b"") -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._partial = bytearray()
        self._skipping = False
        self.overlong = 0
        """Codes thrown away because no end came within CODE_LIMIT_BYTES."""

    @property
    def pending(self) -> int:
        """Bytes of a code that has not ended."""
        return len(self._partial)

    @property
    def is_skipping(self) -> bool:
        """Whether what comes is thrown away up to the next end."""
        return self._skipping

    def feed(self, data: bytes) -> list[bytes]:
        """Codes that `data` completes, in order, without the configured prefix and suffix."""
        frames = []
        for byte in data:
            if byte in _ENDS:
                if frame := self._finish():
                    frames.append(frame)
            elif byte == _STX:
                self.reset()
            elif not self._skipping:
                self._partial.append(byte)
                if len(self._partial) > CODE_LIMIT_BYTES:
                    self.overlong += 1
                    self.skip()
        return frames

    def flush(self) -> bytes:
        """What has come so far as a code of its own, for scanners that end codes by silence; b"" if nothing."""
        return self._finish()

    def skip(self) -> None:
        """Throw away the code that is under way, up to its end: a part of it is lost or is noise."""
        self._partial.clear()
        self._skipping = True

    def reset(self) -> None:
        """Forget an unfinished code: the device is gone or has started anew."""
        self._partial.clear()
        self._skipping = False

    def _finish(self) -> bytes:
        frame = bytes(self._partial)
        self.reset()
        frame = frame.removeprefix(self._prefix)
        return frame.removesuffix(self._suffix) if self._suffix else frame


class FrameReader:
    """Implements `till_drivers.scanners.reading_loop.Reader` for scanners that send codes as they are.

    `ends_in_silence`: the scanner sends nothing behind a code.
    """

    def __init__(self, *, prefix: bytes = b"", suffix: bytes = b"", ends_in_silence: bool = False) -> None:
        self._framer = Framer(prefix=prefix, suffix=suffix)
        self._ends_in_silence = ends_in_silence
        self._is_rest = False

    @property
    def pending(self) -> bool:
        """See `Reader`."""
        return self._framer.pending > 0 or self._is_rest

    def feed(self, data: bytes) -> list[Code]:
        """See `Reader`."""
        frames = self._framer.feed(data)
        self._is_rest = self._is_rest and self._framer.is_skipping
        return [Code(raw=frame) for frame in frames]

    def discard(self, data: bytes) -> None:
        """See `Reader`."""
        self._framer.feed(data)
        if self._framer.pending:
            self._framer.skip()
            self._is_rest = True

    def silence(self) -> list[Code]:
        """See `Reader`. A rest of which nothing came had been all; noise goes on until an end."""
        if self._is_rest:
            self.reset()
        frame = self._framer.flush() if self._ends_in_silence else b""
        return [Code(raw=frame)] if frame else []

    def reset(self) -> None:
        """See `Reader`."""
        self._framer.reset()
        self._is_rest = False
