"""`tillside ready`: will tomorrow's sale work? A certificate on screen, as JSON, and on paper."""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_installer.doctor.cli import Doctor, place_options

if TYPE_CHECKING:
    from till_config.settings import Settings
    from till_installer.doctor.certificate import Certificate, Step
    from till_installer.doctor.ready_slip import NoteBlock
    from till_installer.doctor.scene import Scene

KEPT_FILE = "ready.json"
"""In `state_dir`: the last certificate."""
KEPT_LIMIT_BYTES = 65_536
WAIT_S = 60.0
READY, NOT_READY, FAILED = 0, 1, 3
LANGUAGES = ("ru", "kk", "ky", "uk", "en")


class FailedError(click.ClickException):
    """Raised when there is no certificate to show."""

    exit_code = FAILED


@click.command(cls=Doctor, short_help="Say whether tomorrow's sale will work, with a certificate.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--print", "on_paper", is_flag=True, help="Print the certificate on the till's printer.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the slip as a picture to this file.")
@click.option("--cached", is_flag=True, help="Show the last certificate, and whether it still holds; try nothing.")
@click.option("--no-scan", is_flag=True, help="Ask nobody to scan; the certificate says that it was not tried.")
@click.option(
    "--wait",
    type=click.FloatRange(1, 600),
    default=WAIT_S,
    show_default=True,
    help="Seconds to wait for the slip and for the scan, each.",
)
@click.option("--language", type=click.Choice(LANGUAGES), help="Of the certificate; the till's own without it.")
@click.pass_context
def ready(
    ctx: click.Context,
    config: Path | None,
    root: Path | None,
    as_json: bool,
    on_paper: bool,
    png: Path | None,
    cached: bool,
    no_scan: bool,
    wait: float,
    language: str | None,
) -> None:
    """Try what tomorrow's sale needs: agent, receipt, printer and scanner by a printed code, clock, disk, cloud, rules.

    A till without a line is ready too: sales are kept, and the certificate says so. Exit status: 0 ready, 1 not ready,
    3 the command failed or was called wrongly.
    """
    from till_installer.doctor.scene import Scene
    from till_installer.layout import this_layout

    scene = Scene(this_layout(root), config=config, system=root or Path("/"))
    settings = scene.settings()
    spoken = language or settings.agent.language
    if cached:
        certificate = _kept(scene, spoken)
    else:
        certificate = _made(scene, settings, language=spoken, wait_s=wait, scan=not no_scan)
        _keep(scene, certificate)
    _tell(certificate, settings, spoken, as_json=as_json, on_paper=on_paper, png=png)
    holds = certificate.ready and scene.now_ms() <= certificate.valid_until_ms
    if certificate.ready and not holds:
        _say(spoken, "held_until", until=certificate.valid_until)
    ctx.exit(READY if holds else NOT_READY)


def _made(scene: "Scene", settings: "Settings", *, language: str, wait_s: float, scan: bool) -> "Certificate":
    from till_installer.doctor.certificate import STEPS, Certificate, end_of_next_day, sealed, steps_of, zone_of
    from till_installer.doctor.every import all_checks
    from till_installer.doctor.findings import NotLooked
    from till_installer.doctor.proving import prove_devices, prove_sale
    from till_installer.doctor.running import examine, report_of

    _say(language, "looking")
    begun = time.monotonic()
    told = examine(scene, tuple(each for each in all_checks() if not each.deep))
    report = report_of(scene, told, time.monotonic() - begun)
    tried: dict[str, Step] = {}
    if _is_up(scene) and scene.config_problem() is None:
        tried["sale"] = prove_sale(scene.state_dir)
        tell = partial(_say, language)
        tried |= asyncio.run(prove_devices(settings, language=language, wait_s=wait_s, scan=scan, tell=tell))
    steps = steps_of(report, tried)
    try:
        identity = scene.identity()
    except NotLooked:
        identity = None
    zone = zone_of(identity.time_zone if identity else "UTC")
    now_ms = scene.now_ms()
    end = end_of_next_day(now_ms, zone)
    return sealed(
        Certificate(
            ready=len(steps) == len(STEPS) and not any(each.state == "bad" for each in steps) and _is_up(scene),
            till=identity.till if identity else "",
            store=identity.store if identity else "",
            store_name=identity.store_name if identity else "",
            version=report.version,
            at_ms=now_ms,
            at=_local(now_ms, zone.key),
            valid_until_ms=int(end.timestamp()) * 1000,
            valid_until=end.strftime("%Y-%m-%d %H:%M"),
            time_zone=zone.key,
            language=language,
            steps=steps,
        ),
        identity.private_key if identity else "",
    )


def _is_up(scene: "Scene") -> bool:
    try:
        return scene.is_up()
    except OSError:
        return False


def _local(wall_ms: int, zone: str) -> str:
    from datetime import UTC, datetime

    from till_installer.doctor.certificate import zone_of

    return datetime.fromtimestamp(wall_ms // 1000, UTC).astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")


def _keep(scene: "Scene", certificate: "Certificate") -> None:
    """For `--cached`, and for the support bundle. A disk that takes it not is told by the certificate itself."""
    import contextlib

    import msgspec

    from till_agent.bridge.token_files import write_private

    with contextlib.suppress(OSError):
        write_private(scene.state_dir / KEPT_FILE, msgspec.json.encode(certificate))


def _kept(scene: "Scene", language: str) -> "Certificate":
    import msgspec

    from till_installer.doctor.certificate import Certificate

    path = scene.state_dir / KEPT_FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(KEPT_LIMIT_BYTES), type=Certificate)
    except FileNotFoundError:
        from till_installer.doctor.ready_details import say

        raise FailedError(say(language, "none_kept")) from None
    except (OSError, msgspec.DecodeError) as exc:
        raise FailedError(f"expected a certificate in {path}: {exc}; run `tillside ready` without --cached") from exc


def _tell(
    certificate: "Certificate",
    settings: "Settings",
    language: str,
    *,
    as_json: bool,
    on_paper: bool,
    png: Path | None,
) -> None:
    from msgspec.structs import replace

    from till_installer.doctor.ready_slip import certificate_blocks

    # A kept one is shown in the language that is asked for; what was signed stays as it was.
    shown = replace(certificate, language=language)

    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(certificate), indent=2).decode())
    else:
        from till_installer.doctor.ready_screen import show

        show(shown)
    if png is not None:
        from till_drivers.preview import to_png
        from till_drivers.printers.profile import PROFILE_80MM, Profile

        printers = [each for each in settings.printers if each.name == settings.slips.printer] or settings.printers[:1]
        try:
            png.write_bytes(to_png(certificate_blocks(shown), Profile.of(printers[0]) if printers else PROFILE_80MM))
        except OSError as exc:
            raise FailedError(f"expected to write {png}: {exc.strerror}") from exc
        click.echo(str(png), err=True)
    if on_paper:
        _print(settings, certificate_blocks(shown), language)


def _print(settings: "Settings", blocks: "list[NoteBlock]", language: str) -> None:
    from till_agent.fixes import fix_of
    from till_installer.doctor.proving import NO_PRINTER, print_certificate
    from till_installer.doctor.ready_details import ENGLISH, say

    why = print_certificate(settings, blocks)
    if not why:
        _say(language, "being_printed")
    elif why == NO_PRINTER:
        _say(language, "not_printed", why=say(language, "no_printer"))
    else:
        # What a driver says is English: elsewhere the one thing to do stands for it.
        _say(language, "not_printed", why=why if language == ENGLISH else fix_of("fault", why, language))


def _say(language: str, key: str, **values: Any) -> None:
    from till_installer.doctor.ready_details import say

    click.echo(say(language, key, **values), err=True)
