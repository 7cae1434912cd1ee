"""`tillside page`: open the agent's own pages in a browser of this machine, and say which browsers may use them."""

from pathlib import Path
from typing import Any

import click

from till_agent.cli.options import config_option, echo_json, json_option

PAGES = click.Choice(("panel", "status"))


@click.group(help="Open the agent's own pages in a browser, and say which browsers may use them.")
def page() -> None:
    """Nothing of its own to do."""


@page.command("open", short_help="Open the cashier's panel or the status page in a browser.")
@config_option
@click.argument("page", metavar="panel|status", type=PAGES)
@click.option("--print", "print_only", is_flag=True, help="Print the address with its code; open nothing.")
def open_page(config: Path, page: str, print_only: bool) -> None:
    """Open the cashier's panel or the status page in this user's browser.

    The address hands a one-time code over behind `#`, which no browser sends anywhere; the page trades it for a
    token of its own. It is good once, for five minutes.
    """
    found = _code(config, page)
    if print_only:
        click.echo(found["url"])
        return
    import webbrowser

    if not webbrowser.open(found["url"]):
        click.echo(found["url"])
        click.echo("No browser could be opened: open this address within five minutes.", err=True)


@page.command(short_help="Print a page's address, and a code to key into it.")
@config_option
@json_option
@click.argument("page", metavar="panel|status", type=PAGES)
def link(config: Path, page: str, as_json: bool) -> None:
    """Print a page's address and a one-time code, for a browser that this command can't open: key the code there."""
    found = _code(config, page)
    if as_json:
        echo_json(found)
        return
    code = found["code"]
    click.echo(f"address  {found['url'].partition('#')[0]}")
    click.echo(f"code     {code[:4]} {code[4:]}")
    click.echo(f"The code is good once, for {found['expires_in_ms'] // 60_000} minutes.", err=True)


@page.command("list", short_help="List the browsers that may use the pages.")
@config_option
@json_option
def list_browsers(config: Path, as_json: bool) -> None:
    """List the browsers that may use the pages, and when each was last seen since the agent started."""
    from till_agent.cli.asking import ask_or_fail
    from till_agent.cli.words import moment, table

    found = ask_or_fail(_state_dir(config), "GET", "/v1/pairings")
    if as_json:
        echo_json(found)
        return
    if not found["pairings"]:
        click.echo("no browser is known: `tillside page open panel` makes one known")
        return
    rows = [(one["client"], one["page"], moment(one["since_ms"]), moment(one["seen_ms"])) for one in found["pairings"]]
    table([("NAME", "PAGE", "SINCE", "LAST SEEN"), *rows])


@page.command(short_help="Forget a browser: its token is refused from now on.")
@config_option
@click.argument("name")
def forget(config: Path, name: str) -> None:
    """Forget the browser NAME, as `page list` tells it: its token is refused from now on."""
    from urllib.parse import quote

    from till_agent.cli.asking import ask_or_fail

    ask_or_fail(_state_dir(config), "DELETE", f"/v1/pairings/{quote(name, safe='')}")
    click.echo(f"{name} is forgotten.")


def _code(config: Path, page: str) -> Any:
    from till_agent.cli.asking import ask_or_fail

    return ask_or_fail(_state_dir(config), "POST", "/v1/pairing/codes", {"page": page})


def _state_dir(config: Path) -> Path:
    from till_config import load

    return Path(load(config).agent.state_dir)
