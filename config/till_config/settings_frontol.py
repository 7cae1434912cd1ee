"""The settings of what speaks Frontol, and of the bridge's own pages (see `till_config.settings`)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class ReportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sales report that Frontol writes, in which sales are looked for that the bridge never heard of."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            description="Absolute path of the report file; `*` in its last part for reports with a new name each time.",
        ),
    ]
    policy: Annotated[
        Literal["list", "accrue"],
        Meta(
            description="What becomes of a sale that the bridge never heard of: `list` it for store IT, or `accrue` "
            "its points to the card that stands in the report."
        ),
    ] = "list"
    encoding: Annotated[
        Literal["cp1251", "cp866", "utf-8"],
        Meta(description="Encoding of a report that has no byte order mark."),
    ] = "cp1251"
    mark_read: Annotated[
        bool,
        Meta(
            description="Turn the `#` of the first line into `@` once the report is read, which tells Frontol to go "
            "on; turn it off where another program reads the same file."
        ),
    ] = True
    workplaces: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=999_999)], ...],
        Meta(
            max_length=16,
            description="Codes of the workplaces in the report that are this till; none takes the first that the "
            "report names.",
        ),
    ] = ()
    since: Annotated[
        str,
        Meta(
            pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            description="First day from which sales are looked for, like `2026-03-01`; empty begins with the day of "
            "this till's first sale.",
            extra={"expected": "a day like `2026-03-01`, or an empty text"},
        ),
    ] = ""


class LoadSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file by which Frontol takes in clients and cards, for chains that want them inside Frontol."""

    path: Annotated[str, Meta(description="Absolute path of the load file; empty writes none.")] = ""
    flag: Annotated[
        str, Meta(description="Absolute path of the flag file that starts the load; empty writes none.")
    ] = ""
    card_type: Annotated[
        int, Meta(ge=1, le=999_999, description="Code of the card type that members' cards get in Frontol.")
    ] = 1
    counter_type: Annotated[
        int, Meta(ge=0, le=999_999, description="Code of the counter that holds a member's balance; 0 = none.")
    ] = 0


class FrontolSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frontol: its Priority API at `/frontol/`, its sales reports, its load file."""

    access_client: Annotated[
        str,
        Meta(
            pattern="^([a-z0-9][a-z0-9-]{0,31})?$",
            description="The client of `bridge.clients` whose token is the access key in Frontol's settings; empty "
            "turns the Priority API off.",
            extra={"expected": "the name of a client in `bridge.clients`, or an empty text"},
        ),
    ] = ""
    receipt_life_s: Annotated[
        int,
        Meta(
            ge=60,
            le=86_400,
            description="How long a receipt that Frontol has calculated and not confirmed is kept in mind.",
        ),
    ] = 7_200
    reports: Annotated[
        tuple[ReportSettings, ...],
        Meta(max_length=16, description="Sales reports to reconcile, a `[[frontol.reports]]` section for each."),
    ] = ()
    load: LoadSettings = LoadSettings()


class PageSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pages that the agent serves to a browser on this machine: `/panel/` for cashiers, `/status/` for store IT."""

    panel: Annotated[bool, Meta(description="Serve the cashier's panel.")] = True
    status: Annotated[bool, Meta(description="Serve the page for store IT.")] = True
    sell: Annotated[
        bool,
        Meta(
            description="Let the panel sell by a receipt's total, for cash software that does not call the bridge "
            "itself; turn it off where it does, or sales count twice."
        ),
    ] = False
