"""Windows' print spooler by ctypes: seven functions of winspool.drv, which every Windows has."""

import ctypes
import sys
from typing import Any

from till_drivers.exceptions import SettingsError

STATUS_LEVEL = 6
"""PRINTER_INFO_6: the status alone."""


class DocumentInfo(ctypes.Structure):
    """DOC_INFO_1W."""

    _fields_ = (
        ("name", ctypes.c_wchar_p),
        ("output_file", ctypes.c_wchar_p),
        ("data_type", ctypes.c_wchar_p),
    )


class CtypesWinspool:
    """Implements `windows_queue.Winspool`. Raises SettingsError anywhere but on Windows.

    `library` stands for winspool.drv, `last_error` for what went wrong in its last call.
    """

    def __init__(self, library: Any = None, last_error: Any = None) -> None:
        if library is None:
            library, last_error = _load()
        self._library = library
        self._last_error = last_error
        handle, number, pointer = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p
        for name, types in {
            "OpenPrinterW": (ctypes.c_wchar_p, ctypes.POINTER(handle), pointer),
            "GetPrinterW": (handle, number, pointer, number, ctypes.POINTER(number)),
            "StartDocPrinterW": (handle, number, ctypes.POINTER(DocumentInfo)),
            "WritePrinter": (handle, ctypes.c_char_p, number, ctypes.POINTER(number)),
            "EndDocPrinter": (handle,),
            "AbortPrinter": (handle,),
            "ClosePrinter": (handle,),
        }.items():
            function = getattr(library, name)
            function.argtypes = types
            function.restype = ctypes.c_int

    def open(self, queue: str) -> int:
        handle = ctypes.c_void_p()
        self._check(self._library.OpenPrinterW(queue, ctypes.byref(handle), None))
        return handle.value or 0

    def status(self, handle: int) -> int:
        bits, needed = ctypes.c_uint32(), ctypes.c_uint32()
        size = ctypes.sizeof(bits)
        self._check(self._library.GetPrinterW(handle, STATUS_LEVEL, ctypes.byref(bits), size, ctypes.byref(needed)))
        return bits.value

    def start(self, handle: int, title: str) -> None:
        info = DocumentInfo(title, None, "RAW")
        self._check(self._library.StartDocPrinterW(handle, 1, ctypes.byref(info)))

    def write(self, handle: int, data: bytes) -> int:
        taken = ctypes.c_uint32()
        self._check(self._library.WritePrinter(handle, data, len(data), ctypes.byref(taken)))
        return taken.value

    def end(self, handle: int) -> None:
        self._check(self._library.EndDocPrinter(handle))

    def abort(self, handle: int) -> None:
        self._check(self._library.AbortPrinter(handle))

    def close(self, handle: int) -> None:
        self._library.ClosePrinter(handle)

    def _check(self, result: int) -> None:
        if not result:
            number = self._last_error()
            raise SpoolerError(number)


class SpoolerError(OSError):
    """What the spooler said, by Windows' own number."""

    def __init__(self, number: int) -> None:
        super().__init__(number, f"Windows error {number}")
        self.winerror = number


if sys.platform == "win32":

    def _load() -> tuple[Any, Any]:
        return ctypes.WinDLL("winspool.drv", use_last_error=True), ctypes.get_last_error

else:

    def _load() -> tuple[Any, Any]:
        raise SettingsError("expected Windows for a printer of the driver `windows`; elsewhere it's `cups` or `file`")
