"""Byte ports to devices. Each implements `till_drivers.ports.Transport`."""

from till_drivers.transports.cups import CupsTransport
from till_drivers.transports.device_file import FileTransport
from till_drivers.transports.device_thread import DeviceThread
from till_drivers.transports.serial import SerialTransport
from till_drivers.transports.serial_ports import SerialPort, list_serial_ports, locate_serial_port
from till_drivers.transports.tcp import TcpTransport
from till_drivers.transports.usb import UsbTransport
from till_drivers.transports.windows_queue import WindowsQueueTransport

__all__ = [
    "CupsTransport",
    "DeviceThread",
    "FileTransport",
    "SerialPort",
    "SerialTransport",
    "TcpTransport",
    "UsbTransport",
    "WindowsQueueTransport",
    "list_serial_ports",
    "locate_serial_port",
]
