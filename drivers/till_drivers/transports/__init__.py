"""Byte ports to devices. Each implements `till_drivers.ports.Transport`."""

from till_drivers.transports.device_thread import DeviceThread
from till_drivers.transports.serial import SerialTransport
from till_drivers.transports.serial_ports import SerialPort, list_serial_ports, locate_serial_port
from till_drivers.transports.tcp import TcpTransport

__all__ = ["DeviceThread", "SerialPort", "SerialTransport", "TcpTransport", "list_serial_ports", "locate_serial_port"]
