"""`tillside cloud run`, `verify` and `backup`."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, reading, told

TOKEN_LIMIT = 200


@click.command()
@database_option
@click.option("--host", "hosts", multiple=True, help="Address to serve on; may be repeated. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="0 takes any free port. Default: 17580.")
@click.option("--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Gets port and pid when serving.")
@click.option(
    "--send-codes",
    metavar="COMMAND",
    default="",
    envvar="TILLSIDE_CLOUD_SEND_CODES",
    help="Program that sends one-time codes: gets JSON with phone, code, language, purpose. Default: none are sent.",
)
@click.option(
    "--metrics-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TILLSIDE_CLOUD_METRICS_TOKEN_FILE",
    help="Serve /metrics to who has the token in this file. Default: to nobody.",
)
@click.option(
    "--updates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TILLSIDE_CLOUD_UPDATES",
    help="Folder `public` of an update repository: tills fetch signed updates of the programs from it.",
)
def run(
    db: Path,
    hosts: tuple[str, ...],
    port: int | None,
    ready_file: Path | None,
    send_codes: str,
    metrics_token_file: Path | None,
    updates: Path | None,
) -> None:
    """Serve tills until SIGTERM or SIGINT.

    Tills' tokens travel in the clear: for any host but this machine, put a proxy with TLS before it.
    """
    import asyncio
    import logging

    from till_cloud.server import DEFAULT_HOST, DEFAULT_PORT, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not db.exists():
        # A chain may begin by being served; and a name may be typed wrong.
        logging.getLogger(__name__).warning(
            "A new chain begins in %s, where there was no database: tills of another one are refused", db
        )
    served = hosts or (DEFAULT_HOST,)
    _check_command(send_codes)
    token = _token_in(metrics_token_file) if metrics_token_file is not None else ""
    wanted = DEFAULT_PORT if port is None else port
    with told():
        try:
            serving = serve(
                db,
                hosts=served,
                port=wanted,
                ready_file=ready_file,
                send_codes=send_codes,
                metrics_token=token,
                updates=updates,
            )
            asyncio.run(serving)
        except OSError as error:
            raise click.ClickException(
                f"can't serve on {', '.join(served)} port {wanted}: {error}; --host and --port choose another place"
            ) from error


def _token_in(path: Path) -> str:
    """At least 16 characters: a token that can be guessed is none."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"expected a readable token in {path}: {error}") from error
    if not (16 <= len(token) <= TOKEN_LIMIT and token.isascii() and token.isprintable() and " " not in token):
        raise click.ClickException(f"expected 16 to {TOKEN_LIMIT} printable characters without spaces in {path}")
    return token


def _check_command(text: str) -> None:
    """Told at the start, not when the first customer waits for a code."""
    import shlex
    import shutil

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"expected --send-codes to be a command: {error}") from error
    if words and shutil.which(words[0]) is None:
        raise click.UsageError(f"expected --send-codes to name a program, but {words[0]!r} can't be run")


@click.command()
@database_option
def verify(db: Path) -> None:
    """Add the whole ledger up again and print its figures as JSON; exit status 1 if any rule is broken."""
    from till_cloud.verify import verify as check

    with reading(db) as connection:
        found = check(connection)
    echo_json(found)
    if not found.holds:
        raise SystemExit(1)


@click.command()
@database_option
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def backup(db: Path, target: Path) -> None:
    """Copy the database to the new FILE as it stands at this moment. The copy can be verified and put back."""
    from till_cloud.backup import back_up

    with reading(db) as connection:
        size = back_up(connection, target)
    click.echo(f"{target}: {size} bytes; `tillside cloud verify --db {target}` adds it up")
