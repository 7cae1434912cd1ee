"""What an operation is made of: its shape, its parameters, and the answers that only the bridge knows."""

import re
from typing import Any, Final, Literal

from msgspec import Struct

from till_agent.api import UID_PATTERN, QueuedOp
from till_drivers.blocks import Block

OPEN: Final = "open"
ANY: Final = "any"
Scope = Literal["open", "any", "sale", "register", "admin"]
"""What a caller needs: nothing, any known client's token, or a token with that scope."""

ESCPOS = "application/vnd.tillside.escpos"
FRONTOL = "application/vnd.tillside.frontol+json"
SLIP_FORMATS = {
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "escpos": ESCPOS,
    "frontol": FRONTOL,
}
QUEUE_LIMIT = 1000
"""Ops in one answer of the queue's list; a month offline holds 100,000."""


class Ready(Struct, frozen=True, kw_only=True):
    """Whether the agent takes sales, and if not, the stable code of what is missing."""

    ready: bool
    reason: str = ""
    missing: tuple[str, ...] = ()
    """What sales go on without: cloud, cache (nothing newer than a day), programme, printer."""


class Live(Struct, frozen=True, kw_only=True):
    """The process answers."""

    live: bool = True


class Queue(Struct, frozen=True, kw_only=True):
    """How many ops wait for the cloud; then these, oldest first, or the newest of all, newest first."""

    waiting: int
    ops: tuple[QueuedOp, ...]


class QueuedOpBody(Struct, frozen=True, kw_only=True):
    """One op with its stored body: till_sync's op types, as the cloud gets them."""

    op: QueuedOp
    body: Any


class SlipBlocks(Struct, frozen=True, kw_only=True):
    """A slip before any printer is known."""

    blocks: tuple[Block, ...]


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of path or query, as text that must match `pattern`."""

    name: str
    pattern: re.Pattern[str]
    description: str
    choices: tuple[str, ...] = ()
    integer: bool = False
    minimum: int = 1
    maximum: int = 1
    required: bool = False
    """Of a query's parameter: without it the request is refused."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method on one path. `problems` are the codes that are peculiar to it, by status."""

    id: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    scope: Scope
    summary: str
    tag: str
    request: Any = None
    answer: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    status: int = 200
    also: dict[int, str] = {}
    replays: bool = False
    path_parameters: tuple[Parameter, ...] = ()
    query_parameters: tuple[Parameter, ...] = ()
    problems: dict[int, str] = {}


UID = Parameter(name="uid", pattern=re.compile(UID_PATTERN), description="The client's own id of the document.")
REFERENCE = Parameter(
    name="reference",
    pattern=re.compile(r"^(m-[A-Za-z0-9._-]{1,64}|(card|phone2?):[0-9a-f]{32})$"),
    description="`reference` of a member, as it was answered.",
)
HOLD = Parameter(
    name="hold", pattern=re.compile(r"^[A-Za-z0-9_-]{1,80}$"), description="Id of a hold, as it was answered."
)
CODE = Parameter(
    name="code", pattern=re.compile(r"^[^\x00-\x1f\x7f/]{1,100}$"), description="A coupon's code as it was scanned."
)
SEQ = Parameter(
    name="seq",
    pattern=re.compile(r"^[1-9][0-9]{0,14}$"),
    description="Place of the op in the queue.",
    integer=True,
    maximum=10**15 - 1,
)
FORMAT = Parameter(
    name="format",
    pattern=re.compile(f"^({'|'.join(SLIP_FORMATS)})$"),
    choices=tuple(SLIP_FORMATS),
    description="What to answer with; stronger than Accept.",
)
COLUMNS = Parameter(
    name="columns",
    pattern=re.compile(r"^(1[6-9]|[2-7][0-9]|80)$"),
    integer=True,
    minimum=16,
    maximum=80,
    description="Letters on a line, 16 to 80; the printer's own when left out.",
)
ALONE = Parameter(
    name="alone",
    pattern=re.compile(r"^(true|false)$"),
    choices=("true", "false"),
    description="`true`: as this till knows it by itself, for lists of many; the cloud is not asked about strangers.",
)
PRINT_SLIP = Parameter(
    name="print_slip",
    pattern=re.compile(r"^(true|false)$"),
    choices=("true", "false"),
    description="`false`: no slip of it is printed; the cash software does.",
)
LANGUAGE = Parameter(
    name="language",
    pattern=re.compile(r"^(ru|kk|ky|uk|en)$"),
    choices=("ru", "kk", "ky", "uk", "en"),
    description="Language of the slip; the till's own when left out.",
)
STORE_LANGUAGE = Parameter(
    name="language",
    pattern=re.compile(r"^(ru|kk|ky|uk|en)$"),
    choices=("ru", "kk", "ky", "uk", "en"),
    description="Language of what is said to store IT; English, as in the log, when left out.",
)
WHICH = Parameter(
    name="which",
    pattern=re.compile(r"^(waiting|newest|rejected|adjusted)$"),
    choices=("waiting", "newest", "rejected", "adjusted"),
    description="Ops that wait for the cloud (when left out), the newest whatever became of them, those that it "
    "refused, or those that it worked out otherwise.",
)
EPOCH = Parameter(
    name="epoch",
    pattern=re.compile(r"^[1-9][0-9]{0,6}$"),
    integer=True,
    maximum=9_999_999,
    description="Journal that the op is of; the present one when left out.",
)
LIMIT = Parameter(
    name="limit",
    pattern=re.compile(r"^[1-9][0-9]{0,2}$|^1000$"),
    integer=True,
    maximum=QUEUE_LIMIT,
    description=f"Ops to answer with, at most {QUEUE_LIMIT}; 100 when left out.",
)
