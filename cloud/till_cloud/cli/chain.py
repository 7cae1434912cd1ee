"""`tillside cloud init`, `store`, `till` and `flags`."""

import re
from pathlib import Path

import click

from till_cloud.cli.common import (
    database_option,
    echo_json,
    echo_table,
    json_option,
    now_ms,
    reading,
    time_text,
    writing,
)
from till_cloud.phone_costs import COSTS, USUAL_COST

NO_SLOW_TAGS = "off"

TILL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
FLAGS_SHOWN = 1_000
NOT_IN_NAMES = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Unicode's controls, ends of lines and halves of letters. Not its other blanks and marks, which names do have."""


@click.command()
@database_option
@click.option("--restored", is_flag=True, help="The file is a restored backup: tills must pull everything again.")
@click.option(
    "--phone-cost",
    type=click.Choice([*(str(cost) for cost in COSTS), NO_SLOW_TAGS]),
    help="Of a new chain: scrypt's N of its phones' slow tags, chosen once; off: none, while tills of 0.1 are to find "
    f"members by phone. Default: {USUAL_COST}.",
)
def init(db: Path, phone_cost: str | None, *, restored: bool) -> None:
    """Make the database of a new chain, or bring an older one up to date.

    A new chain has slow tags of phones from its first day, so that a stolen till's can't be tried out in minutes (see
    docs/explanation/privacy.md). A chain that is there keeps what it has: `cloud privacy slow-phones` begins them.
    """
    import sqlite3

    from till_cloud.exceptions import AdminError
    from till_cloud.founding import found
    from till_cloud.store import meta, slow_tags

    if restored:
        _expect_backup_alone(db)
    wanted = USUAL_COST if phone_cost is None else 0 if phone_cost == NO_SLOW_TAGS else int(phone_cost)

    def begin(connection: sqlite3.Connection) -> bool:
        is_new = found(connection, phone_cost=wanted)
        had = slow_tags.phone_tags(connection).cost
        if phone_cost is not None and had != wanted:
            instead = f"of {had}, which it keeps" if had else "of none, which `cloud privacy slow-phones` can begin"
            raise AdminError(f"expected no --phone-cost for a chain that is there and has a cost {instead}")
        if restored:
            meta.set_incarnation(connection, meta.new_incarnation())
        return is_new

    with writing(db, create=True) as writer:
        is_new = writer.call(begin)
        incarnation = writer.call(meta.incarnation)
    click.echo(f"{db} is ready, incarnation {incarnation}")
    if is_new:
        told = f"slow ones, of cost {wanted}" if wanted else "fast ones only, which can be tried out in minutes"
        click.echo(f"Tags of phones: {told}.", err=True)


def _expect_backup_alone(db: Path) -> None:
    """SQLite takes the log beside a file for the file's own: one of the database before would be mixed into the backup,
    and a cloud that was killed leaves one."""
    file = db.resolve()  # SQLite follows a link, and has the log beside what it leads to
    log = file.with_name(f"{file.name}-wal")
    if not db.exists():
        raise click.ClickException(f"expected the backup at {db}, but nothing is there: copy it there first")
    if log.exists() and log.stat().st_size:
        raise click.ClickException(
            f"expected the backup alone, but {log} lies beside it, of the database before or of a cloud that runs: "
            f"stop the cloud, move {file}-wal and {file}-shm away, and copy the backup there anew"
        )


@click.group()
def store() -> None:
    """Stores of the chain."""


@store.command("add")
@click.argument("store_id", metavar="ID")
@database_option
@click.option("--name", required=True, help="As printed on slips.")
@click.option("--time-zone", required=True, help="IANA name such as Asia/Almaty.")
@click.option("--region", help="As rules name it. Left out: as it was.")
@click.option(
    "--group", "groups", multiple=True, help="A group that rules may name; may be repeated. Left out: as before."
)
def store_add(store_id: str, db: Path, name: str, time_zone: str, region: str | None, groups: tuple[str, ...]) -> None:
    """Add a store, or change it. An empty --region or --group takes it out of all."""
    import sqlite3
    import unicodedata
    import zoneinfo

    from till_cloud.store import tills

    _expect_id(store_id)
    if not name.strip() or any(unicodedata.category(letter) in NOT_IN_NAMES for letter in name):
        raise click.ClickException(f"expected a name that slips can be headed by, not {name!r}")
    try:
        zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise click.ClickException(f"expected an IANA time zone such as Asia/Almaty, not {time_zone!r}") from None

    def put(connection: sqlite3.Connection) -> tills.StoreRow:
        known = tills.store(connection, store_id) or tills.StoreRow(store_id, name, time_zone)
        wanted = known.groups if not groups else tuple(sorted({group for group in groups if group}))
        row = tills.StoreRow(store_id, name, time_zone, known.region if region is None else region, wanted)
        tills.put_store(connection, row, now_ms())
        return row

    with writing(db) as writer:
        row = writer.call(put)
    where = [*([f"region {row.region}"] if row.region else []), *[f"group {group}" for group in row.groups]]
    click.echo(", ".join([f"Store {store_id}: {name}", time_zone, *where]))


@store.command("list")
@database_option
@json_option
def store_list(db: Path, *, as_json: bool) -> None:
    """Every store."""
    from till_cloud.store import tills

    with reading(db) as connection:
        rows = tills.all_stores(connection)
    if as_json:
        echo_json(rows)
    else:
        echo_table(
            ("store", "name", "time zone", "region", "groups"),
            [(row.store, row.name, row.time_zone, row.region, ", ".join(row.groups)) for row in rows],
        )


@click.group()
def till() -> None:
    """Tills and their enrolment."""


@till.command("add")
@click.argument("till_id", metavar="ID")
@database_option
@click.option("--store", "store_id", required=True, help="The store that the till stands in.")
def till_add(till_id: str, db: Path, store_id: str) -> None:
    """Add a till and print its one-time enrolment code, which is never shown again."""
    import sqlite3

    from till_cloud.enrolment import issue_code
    from till_cloud.exceptions import AdminError
    from till_cloud.store import tills

    _expect_id(till_id)

    def add(connection: sqlite3.Connection) -> str:
        if tills.till(connection, till_id) is not None:
            raise AdminError(
                f"expected a new till, not {till_id!r}: `cloud till code {till_id}` makes a new code for it"
            )
        if tills.store(connection, store_id) is None:
            raise AdminError(f"expected a store that was added, not {store_id!r}: add it with `cloud store add`")
        now = now_ms()
        tills.add_till(connection, till_id, store_id, now)
        return issue_code(connection, till_id, now)

    with writing(db) as writer:
        code = writer.call(add)
    _echo_code(till_id, code)


@till.command("code")
@click.argument("till_id", metavar="ID")
@database_option
def till_code(till_id: str, db: Path) -> None:
    """Print a new one-time code for a till, for instance after its PC was replaced. The old code stops working."""
    from till_cloud.enrolment import issue_code

    with writing(db) as writer:
        code = writer.call(lambda connection: issue_code(connection, till_id, now_ms()))
    _echo_code(till_id, code)


@till.command("list")
@database_option
@json_option
def till_list(db: Path, *, as_json: bool) -> None:
    """Every till and how far its operations have come."""
    from msgspec import structs

    from till_cloud.store import tills

    with reading(db) as connection:
        rows = tills.all_tills(connection)
    if as_json:
        secret = ("token_sha256", "salt")
        echo_json([{name: value for name, value in structs.asdict(row).items() if name not in secret} for row in rows])
        return
    echo_table(
        ("till", "store", "enrolled", "epoch", "ops", "last seen (UTC)", "key", "quarantine"),
        [
            (
                row.till,
                row.store,
                time_text(row.enrolled_at_ms),
                row.epoch,
                row.acked_seq,
                time_text(row.seen_at_ms),
                row.public_key[:8],
                f"{row.quarantine_reason} {time_text(row.quarantined_at_ms)}" if row.quarantined_at_ms else "",
            )
            for row in rows
        ],
    )


@till.command("release")
@click.argument("till_id", metavar="ID")
@database_option
@click.option(
    "--forget-key", is_flag=True, help="Ask it for no signatures until it hands in a key: before it goes back to 0.1."
)
def till_release(till_id: str, db: Path, *, forget_key: bool) -> None:
    """End a till's quarantine. First enrol the wrong one of the two machines as another till, or switch it off."""
    import sqlite3

    from till_cloud.exceptions import AdminError
    from till_cloud.store import tills

    def free(connection: sqlite3.Connection) -> tills.TillRow:
        row = tills.till(connection, till_id)
        if row is None:
            raise AdminError(f"expected a till that was added, not {till_id!r}: `cloud till list` names them")
        tills.release(connection, till_id)
        if forget_key:
            tills.forget_key(connection, till_id)
        return row

    with writing(db) as writer:
        before = writer.call(free)
    if before.quarantined_at_ms:
        click.echo(f"Till {till_id} is released; it comes back within five minutes, or by `tillside sync now` on it")
    else:
        click.echo(f"Till {till_id} was in no quarantine")
    if forget_key:
        click.echo(f"Till {till_id} is asked for no signatures until it hands in a key")


@click.command()
@database_option
@json_option
@click.option("--limit", type=click.IntRange(1), default=FLAGS_SHOWN, show_default=True, help="Newest so many.")
def flags(db: Path, *, as_json: bool, limit: int) -> None:
    """What staff should look at: adjusted and rejected operations, with both ends' figures in points."""
    from till_cloud.store import ops

    with reading(db) as connection:
        rows = ops.flags(connection, limit)
    if as_json:
        echo_json(rows)
        return
    echo_table(
        ("time (UTC)", "operation", "code", "member", "till", "cloud", "detail"),
        [
            (time_text(row.at_ms), row.op, row.code, row.member_id, row.till_points, row.cloud_points, row.detail)
            for row in rows
        ],
    )


def _expect_id(text: str) -> None:
    if not TILL_ID.fullmatch(text):
        raise click.ClickException(f"expected an id of 1 to 40 letters, digits, _ and -, not {text!r}")


def _echo_code(till_id: str, code: str) -> None:
    click.echo(f"Enrolment code of till {till_id}, good for one use within 24 hours, not shown again:", err=True)
    click.echo(code)
