"""Cameras that Linux knows. A camera shows up several times; the first of its nodes gives pictures."""

from till_drivers.discovery.found import Fit, Found
from till_drivers.discovery.system import System, printable

NO_DECODER = "the driver `camera` needs the packages for pictures"
DECODER_FIX = "install them: `pip install 'tillside[camera]'`"


def cameras(system: System) -> list[Found]:
    """Every camera, with the name by which it is found again where it has one."""
    found: list[Found] = []
    by_id = system.links("/dev/v4l/by-id")
    for entry in system.entries("/sys/class/video4linux"):
        if not entry.name.startswith("video") or system.text(entry / "index") not in ("", "0"):
            continue
        node = system.at(f"/dev/{entry.name}")
        usb = system.usb_of(entry / "device")
        trouble, fix = system.unusable(node)
        if not trouble and not (system.has_module("cv2") and system.has_module("zxingcpp")):
            trouble, fix = NO_DECODER, DECODER_FIX
        steady = by_id.get(node.resolve(), "")
        fit = Fit(role="scanner", driver="camera", keys={"port": steady or f"/dev/{entry.name}"}, sure=True)
        found.append(
            Found(
                kind="camera",
                place=f"/dev/{entry.name}",
                by_id=steady,
                vid=usb.vid if usb else None,
                pid=usb.pid if usb else None,
                serial_number=printable(usb.serial_number) if usb else "",
                name=printable(system.text(entry / "name")) or (usb.name if usb else ""),
                fits=(fit,),
                trouble=trouble,
                fix=fix,
            )
        )
    return found
