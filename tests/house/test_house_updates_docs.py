"""Rolling out, and the stick, as their pages say: each command of the chain's side, in its order."""

import platform
from pathlib import Path

import pytest

from house.shell import Block, Shell, blocks, carry_out
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import report, texts
from kit.bundles import PUBLIC, small_bundle
from till_cloud.store import meta, tills
from till_installer.bundle.archive import pack
from till_loyalty.programme_document import programme_json
from till_sync import keys
from till_sync.carried import CarriedWriter, Head, Stretch
from unit.cloud.cloud_kit import NOON_MS, chain, programme


def _stage(folder: Path) -> None:
    """What the pages take as given: a chain with tills, its next programme, a signed bundle, and a carried queue."""
    private = keys.new_key()
    with chain(folder / "chain.db") as made:

        def add(connection) -> None:
            tills.put_store(connection, tills.StoreRow("pilot", "Pilot", "Europe/Moscow"), 0)
            for number in range(40):
                tills.add_till(connection, f"k{number}", "pilot" if number < 5 else "s1", 0)
                tills.enrol(connection, f"k{number}", "t", NOON_MS, public_key=keys.public_of(private))

        made.centre.write(add).result()
        till = made.till("till-1")
        till.sale("s1")
        made.centre.write(
            lambda c: c.execute("UPDATE tills SET public_key = ? WHERE till = 'till-1'", (keys.public_of(private),))
        ).result()
        (folder / "usb").mkdir()
        stretch = Stretch(epoch=1, first_seq=1, last_seq=1)
        key = made.centre.read(meta.seal_key)
        with (folder / "usb/till-1-1-30.tillside-queue").open("wb") as file:
            writer = CarriedWriter(file, Head(till="till-1", made_ms=NOON_MS, stretches=(stretch,), key=key))
            writer.add(till.request(remaining=-1))
            writer.close(private)
    (folder / "programme.json").write_text(programme_json(programme(2)))
    (folder / "dist").mkdir()
    pack(small_bundle(folder / "bundle", "9.9.9"), folder / f"dist/tillside-9.9.9-linux-{platform.machine()}.tar.gz")
    (folder / "release.key.pub").write_text(PUBLIC)


@needs_a_shell
@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(400)
def test_versions_are_rolled_out_and_carried_as_their_pages_say(tmp_path: Path) -> None:
    """Keys, repository, releases, three kinds of waves, halts, rotation, the stick; on the till, what needs no till."""
    _stage(tmp_path)
    variables = environment(tmp_path, TILLSIDE_KEY_PASSPHRASE="correct horse battery")

    def others(block: Block) -> bool:
        if not block.note:
            return False
        if block.note == "at the centre":
            shell.run(block.code)
        elif "update trust" in block.code:
            shell.run(block.code.replace("sudo ", "").replace("root.json", "root.json --root till"))
        return True

    with Shell(tmp_path, variables) as shell:
        shell.run("set -e")
        for name in ("roll-out", "update-by-usb-stick"):
            page = texts()[f"docs/how-to/{name}.md"].replace("programme.toml", "programme.json")
            report(carry_out(page.replace("linux-x86_64", f"linux-{platform.machine()}"), shell, others=others))
        assert "9.9.9" in shell.run("tillside update repo show --repo updates")
        assert shell.run("tillside update status --root till").count("root 1") == 1
    assert (tmp_path / "usb/tillside-updates/metadata/timestamp.json").is_file()


def test_the_table_of_refusals_has_them_all() -> None:
    """Each with the status and the code that the command gives."""
    from till_installer.update.exceptions import RefusedError

    page = texts()["docs/how-to/roll-out.md"]
    wanted = [f"| {each.exit_code} | `{each.code}` |" for each in RefusedError.__subclasses__()]
    assert [row for row in wanted if row not in page] == []
    assert blocks(page)
