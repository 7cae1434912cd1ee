"""`tillside support`: a file for whoever helps from far away, with no secret and nobody's name in it."""

import time
from pathlib import Path

import click

from till_installer.doctor.cli import place_options


@click.command(short_help="Make a file for support, with no secret and nobody's name in it.")
@place_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; without it, `tillside-support-TILL-TIME.tar.gz` here.",
)
@click.option("--show", is_flag=True, help="Print what would be in it, every line, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def support(config: Path | None, root: Path | None, out: Path | None, show: bool, as_json: bool) -> None:
    """Make a bundle of at most 5 MB: findings of the doctor, status, figures, versions, masked settings, the log's end.

    It holds what is on a list and nothing else. Its first page tells what is in it; read it before you send it.
    """
    from till_installer.doctor.scene import Scene
    from till_installer.layout import this_layout
    from till_installer.support.exceptions import SupportError
    from till_installer.support.gathering import gather
    from till_installer.support.packing import Bundle, encode, manifest, pack, write

    scene = Scene(this_layout(root), config=config, system=root or Path("/"))
    found = gather(scene, tell=lambda line: click.echo(line, err=True))
    now_s = scene.now_ms() // 1000
    moment = time.gmtime(now_s)
    page = manifest(found, till=scene.till, version=scene.version, made=time.strftime("%Y-%m-%d %H:%M UTC", moment))
    if show:
        click.echo(page)
        for name, data in found.members.items():
            click.echo(f"=== {name}")
            click.echo(data.decode())
        return
    path = out or Path(f"tillside-support-{scene.till or 'till'}-{time.strftime('%Y%m%dT%H%M%SZ', moment)}.tar.gz")
    try:
        data = pack(found, page=page, now_s=now_s)
        write(path, data)
    except SupportError as exc:
        raise click.ClickException(str(exc)) from exc
    sizes = {name: len(each) for name, each in found.members.items()}
    if as_json:
        click.echo(encode(Bundle(file=str(path), bytes=len(data), members=sizes, missing=found.missing)))
    else:
        click.echo(page)
        click.echo(f"{path} ({len(data) // 1024 + 1} KB)")
