"""A /sys and a /dev as Linux shows them, made of folders, small files and links below a test's own folder."""

from pathlib import Path

from till_drivers.discovery import System

KEYS_OF_A_KEYBOARD = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
HID_POS_DESCRIPTOR = bytes.fromhex(
    "058c 0902 a101 0912 a102 8502 1500 26ff00 7508 9501 05ff 0975 8103 c0 c0".replace(" ", "")
)
KEYBOARD_DESCRIPTOR = bytes.fromhex("0501 0906 a101 0507 19e0 29e7 c0".replace(" ", ""))


class Tree:
    """The machine that a test plugs things into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.system = System(root, platform="linux")
        for folder in ("sys/class/tty", "sys/bus/usb/devices", "dev"):
            (root / folder).mkdir(parents=True)

    def file(self, path: str, content: str | bytes = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
        return file

    def link(self, path: str, target: str) -> None:
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(self.root / target)

    def usb(self, port: str, ids: str, *, maker: str = "", product: str = "", serial: str = "") -> str:
        """A USB device at `port` (1-2); its folder."""
        vid, pid = ids.split(":")
        folder = f"sys/devices/pci0000:00/usb1/{port}"
        said = {"idVendor": vid, "idProduct": pid, "manufacturer": maker, "product": product, "serial": serial}
        for name, text in said.items():
            if text:
                self.file(f"{folder}/{name}", text)
        self.link(f"sys/bus/usb/devices/{port}", folder)
        return folder

    def interface(self, device: str, usb_class: str) -> str:
        """Its first interface; the folder."""
        port = device.rpartition("/")[2]
        folder = f"{device}/{port}:1.0"
        self.file(f"{folder}/bInterfaceClass", usb_class)
        self.link(f"sys/bus/usb/devices/{port}:1.0", folder)
        return folder

    def tty(self, name: str, interface: str = "", *, uart: str = "", by_id: str = "", by_path: str = "") -> None:
        """A serial port, on a USB interface or on the board."""
        folder = f"{interface or 'sys/devices/platform/serial8250'}/tty/{name}"
        self.file(f"{folder}/dev", "166:0")
        if uart:
            self.file(f"{folder}/type", uart)
        self.link(f"{folder}/device", interface or "sys/devices/platform/serial8250")
        self.link(f"sys/class/tty/{name}", folder)
        self.file(f"dev/{name}")
        for kind, link in (("by-id", by_id), ("by-path", by_path)):
            if link:
                self.link(f"dev/serial/{kind}/{link}", f"dev/{name}")

    def keyboard(self, number: int, ids: str, name: str, *, bus: str = "0003", keys: str = KEYS_OF_A_KEYBOARD) -> None:
        vid, pid = ids.split(":")
        folder = f"sys/class/input/event{number}/device"
        said = {
            "name": name,
            "id/bustype": bus,
            "id/vendor": vid,
            "id/product": pid,
            "uniq": "",
            "capabilities/key": keys,
        }
        for each, text in said.items():
            self.file(f"{folder}/{each}", text)
        self.file(f"dev/input/event{number}")

    def hid(self, number: int, ids: str, name: str, descriptor: bytes, *, serial: str = "") -> None:
        vid, pid = ids.split(":")
        folder = f"sys/class/hidraw/hidraw{number}/device"
        told = f"DRIVER=hid-generic\nHID_ID=0003:0000{vid}:0000{pid}\nHID_NAME={name}\nHID_UNIQ={serial}"
        self.file(f"{folder}/uevent", told)
        self.file(f"{folder}/report_descriptor", descriptor)
        self.file(f"dev/hidraw{number}")

    def camera(self, number: int, name: str, *, index: int = 0, by_id: str = "") -> None:
        self.file(f"sys/class/video4linux/video{number}/name", name)
        self.file(f"sys/class/video4linux/video{number}/index", str(index))
        self.file(f"dev/video{number}")
        if by_id:
            self.link(f"dev/v4l/by-id/{by_id}", f"dev/video{number}")

    def printer(self, port: str, ids: str, *, lp: str = "", **said: str) -> None:
        """A USB printer; with `lp` the kernel's own driver has it."""
        interface = self.interface(self.usb(port, ids, **said), "07")
        if lp:
            self.file(f"{interface}/usbmisc/{lp}/dev", "180:0")
            self.file(f"dev/usb/{lp}")
