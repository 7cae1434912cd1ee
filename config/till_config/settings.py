"""The settings of a till: every key of the configuration file, its type, range, default and meaning.

These structs are the one source of truth: the checker, `data/defaults.toml`, `tillside config explain` and
docs/reference/config.md are all made from them. Units stand last in a name (`poll_interval_ms`).
No secret is ever a setting: tokens and keys come from enrolment and live in `agent.state_dir`.
"""

import os
from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_config.settings_frontol import FrontolSettings, PageSettings

Scope = Literal["sale", "register", "admin"]
Language = Literal["ru", "kk", "ky", "uk", "en"]
LogLevel = Literal["debug", "info", "warning", "error"]

DEFAULT_STATE_DIR = "C:/ProgramData/Tillside" if os.name == "nt" else "/var/lib/tillside"

_Name = Meta(
    pattern="^[a-z0-9][a-z0-9-]{0,31}$",
    description="Name by which commands, logs and states speak of it: small Latin letters, digits and `-`.",
    extra={"expected": "1 to 32 small Latin letters, digits and `-`, a letter or digit first"},
)
_BaudRate = Annotated[
    int, Meta(ge=300, le=3_000_000, description="Speed of a serial line in bits a second, as set on the device.")
]


class AgentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent itself."""

    state_dir: Annotated[
        str,
        Meta(description="Folder of the journal, cache, print queue, identity and tokens; an absolute path."),
    ] = DEFAULT_STATE_DIR
    language: Annotated[Language, Meta(description="Language of slips and of messages for the cashier.")] = "ru"
    log_level: Annotated[LogLevel, Meta(description="The least serious message that is logged.")] = "info"
    keep_days: Annotated[
        int,
        Meta(
            ge=30,
            le=3_650,
            description="Days for which sales that the cloud has are kept in the journal; older ones go, once a day.",
        ),
    ] = 90


class ClientSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that may call the bridge. Its token is made in `tokens/<name>.token` of `agent.state_dir`."""

    name: Annotated[str, _Name]
    scopes: Annotated[
        tuple[Scope, ...],
        Meta(
            min_length=1,
            description="What it may do: `sale` sells and looks up, `register` adds members, `admin` runs the agent.",
        ),
    ]


DEFAULT_CLIENTS = (
    ClientSettings(name="pos", scopes=("sale", "register")),
    ClientSettings(name="admin", scopes=("sale", "register", "admin")),
)


class BridgeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP server that cash software calls; it listens on 127.0.0.1 and ::1 only."""

    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="TCP port; never 16732, which ATOL's web server takes on most tills; 0 = the system chooses.",
        ),
    ] = 17532
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            max_length=32,
            description="Origins of web pages that may call the bridge, exactly as browsers send them: `https://pos.example`.",
        ),
    ] = ()
    body_limit_bytes: Annotated[
        int, Meta(ge=65_536, le=16_777_216, description="Largest request body; 10,000 lines need about 1.5 MB.")
    ] = 2_097_152
    read_timeout_ms: Annotated[
        int, Meta(ge=100, le=60_000, description="How long a request may take to arrive in full.")
    ] = 5_000
    cloud_budget_ms: Annotated[
        int,
        Meta(ge=0, le=10_000, description="How long a call may wait for the cloud before the offline answer is given."),
    ] = 800
    rate_limit_per_second: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests a second that one client may make; past it, 429.")
    ] = 200
    clients: Annotated[
        tuple[ClientSettings, ...],
        Meta(max_length=32, description="Programs that may call the bridge; naming one replaces the default list."),
    ] = DEFAULT_CLIENTS


class CloudSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The line to the chain's cloud."""

    url: Annotated[
        str,
        Meta(description="Address of the cloud: https, or http on this machine; empty means that there is none yet."),
    ] = ""
    poll_interval_ms: Annotated[
        int, Meta(ge=100, le=3_600_000, description="Pause between two looks at the cloud for changes.")
    ] = 2_000
    connect_timeout_ms: Annotated[int, Meta(ge=100, le=60_000, description="How long a connection may take.")] = 3_000
    request_timeout_ms: Annotated[
        int, Meta(ge=500, le=120_000, description="How long the cloud may take to answer a request.")
    ] = 10_000
    spread_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=600_000,
            description="Once the line is back, the first attempt comes at a random moment within this time, "
            "so that a chain's tills don't call all at once.",
        ),
    ] = 60_000


CameraFormat = Literal[
    "qr", "microqr", "pdf417", "aztec", "datamatrix", "code128", "code39", "itf", "codabar", "ean13", "ean8", "upca"
]
"""Symbologies that a camera may be told to look for."""


class ScannerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A barcode scanner, found by `port` or by `match`."""

    name: Annotated[str, _Name]
    driver: Annotated[
        str,
        Meta(
            min_length=1,
            description="`serial`, `keyboard` (types like one; Linux), `hidpos`, `camera`, or a driver of another "
            "package (`tillside.scanners`).",
        ),
    ] = "serial"
    port: Annotated[
        str,
        Meta(
            description="Device file or COM port; a name under /dev/serial/by-id stays the same after a replug. "
            "For `camera`: a device file, a video or picture file, a folder of pictures, or the address of an MJPEG "
            "stream."
        ),
    ] = ""
    match: Annotated[
        str,
        Meta(
            pattern="^([0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}(:.+)?)?$",
            description="USB identity instead of a port, `VID:PID` or `VID:PID:SERIAL` in hexadecimal: `0c2e:0b61`.",
            extra={"expected": "`VID:PID` or `VID:PID:SERIAL`, each of the first two four hexadecimal digits"},
        ),
    ] = ""
    baud_rate: _BaudRate = 9_600
    prefix: Annotated[
        str, Meta(max_length=16, description="Text that the scanner puts before each code; it is taken off.")
    ] = ""
    suffix: Annotated[
        str,
        Meta(max_length=16, description="Text that the scanner puts after each code, before CR LF; it is taken off."),
    ] = ""
    encoding: Annotated[str, Meta(description="Encoding of the codes' text.")] = "utf-8"
    gap_ms: Annotated[
        int,
        Meta(ge=0, le=2_000, description="For a scanner that ends codes with nothing: silence that ends one; 0 = off."),
    ] = 0
    gs1: Annotated[
        bool,
        Meta(
            description="Read codes as GS1 element strings even where the scanner sends no AIM identifier that says so."
        ),
    ] = False
    formats: Annotated[
        tuple[CameraFormat, ...],
        Meta(max_length=12, description="For `camera`: the symbologies to look for; empty means all that it can read."),
    ] = ()
    frames_per_second: Annotated[
        int, Meta(ge=1, le=10, description="For `camera`: pictures looked at in a second, at most.")
    ] = 10


class PrinterSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt printer that obeys ESC/POS. `tcp` needs `host`, `serial` and `file` need `device`, `usb` needs `match`,
    `cups` and `windows` need `queue`.
    """

    name: Annotated[str, _Name]
    driver: Annotated[
        str,
        Meta(
            min_length=1,
            description="`tcp`, `serial`, `usb`, `file` (a device file such as /dev/usb/lp0), `cups`, `windows` (a raw "
            "print queue), or a driver of another package (`tillside.printers`).",
        ),
    ]
    host: Annotated[str, Meta(description="Name or address of a printer on the network.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of a printer on the network.")] = 9_100
    device: Annotated[
        str, Meta(description="Device file or COM port of a printer on a serial line; device file for `file`.")
    ] = ""
    match: Annotated[
        str,
        Meta(
            pattern="^([0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}(:.+)?)?$",
            description="USB identity of a printer for `usb`, `VID:PID` or `VID:PID:SERIAL` in hexadecimal: "
            "`04b8:0202`.",
            extra={"expected": "`VID:PID` or `VID:PID:SERIAL`, each of the first two four hexadecimal digits"},
        ),
    ] = ""
    queue: Annotated[str, Meta(max_length=127, description="Name of the print queue for `cups` and `windows`.")] = ""
    baud_rate: _BaudRate = 115_200
    width_dots: Annotated[
        int,
        Meta(ge=192, le=1_024, multiple_of=8, description="Width of a line in dots: 576 on 80 mm paper, 384 on 58 mm."),
    ] = 576
    columns: Annotated[
        int, Meta(ge=16, le=80, description="Width of a line in letters: 48 on 80 mm paper, 32 on 58 mm.")
    ] = 48
    code_page: Annotated[
        str, Meta(description="Encoding of the printer's letters; lines with others are drawn as a picture.")
    ] = "cp866"
    code_page_number: Annotated[
        int, Meta(ge=0, le=255, description="Number that the printer knows `code_page` by (`ESC t n`).")
    ] = 17
    cut: Annotated[bool, Meta(description="Cut the paper after a slip.")] = True
    cut_mode: Annotated[
        Literal["partial", "full"], Meta(description="Whether a cut leaves a bridge that holds the slip.")
    ] = "partial"
    native_qr: Annotated[
        bool, Meta(description="Have the printer draw QR codes itself; false sends them as pictures.")
    ] = True
    density: Annotated[
        int,
        Meta(
            ge=-6,
            le=6,
            description="Darkness of the print against the printer's own, in Epson's steps of about 5 %; 0 leaves it.",
        ),
    ] = 0
    logo: Annotated[
        str,
        Meta(description='Absolute path of a PNG that slip templates print as `image("logo")`; empty prints nothing.'),
    ] = ""
    drawer: Annotated[bool, Meta(description="Open the cash drawer with a slip; not with copies and test slips.")] = (
        False
    )
    status: Annotated[
        bool, Meta(description="Ask for paper and cover before a slip; false for a printer that never answers.")
    ] = True


class SlipSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper that a member gets after a sale."""

    printer: Annotated[str, Meta(description="Name of the printer for slips; empty means the first in the list.")] = ""
    print: Annotated[bool, Meta(description="Print a slip after each sale; false prints on request only.")] = True
    template: Annotated[
        str, Meta(description="Absolute path of a slip template to use instead of the packaged one.")
    ] = ""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one till. `Settings()` is a till with no cloud, scanner or printer, which is enough to sell."""

    agent: AgentSettings = AgentSettings()
    bridge: BridgeSettings = BridgeSettings()
    cloud: CloudSettings = CloudSettings()
    scanners: Annotated[
        tuple[ScannerSettings, ...], Meta(max_length=16, description="Scanners, a `[[scanners]]` section for each.")
    ] = ()
    printers: Annotated[
        tuple[PrinterSettings, ...], Meta(max_length=16, description="Printers, a `[[printers]]` section for each.")
    ] = ()
    slips: SlipSettings = SlipSettings()
    frontol: FrontolSettings = FrontolSettings()
    pages: PageSettings = PageSettings()
