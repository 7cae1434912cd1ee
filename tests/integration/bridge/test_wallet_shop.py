"""Cloud, two tills, a scanner and a line that is cut: wallet codes from where they are made to where they are used."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge import test_bridge_offline_spending as of_spending
from integration.bridge.agent_kit import LiveAgent, body_of, receipt
from integration.bridge.serving_kit import tillside
from integration.bridge.test_bridge_offline_spending import Shop, core
from till_loyalty import rotating

CARD = "2900000000001"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Kim has a card; the programme takes changing codes of it."""
    monkeypatch.setattr(of_spending, "MEMBERS", of_spending.MEMBERS.replace("+79161231235,", f"+79161231235,{CARD}"))
    database = of_spending.chain(tmp_path)
    text = (tmp_path / "programme.toml").read_text(encoding="utf-8").replace("version = 1", "version = 2", 1)
    (tmp_path / "programme.toml").write_text(text + "\n[identifiers.rotating]\n", encoding="utf-8")
    tillside("cloud", "programme", "upload", "--db", str(database), str(tmp_path / "programme.toml"))
    with contextlib.ExitStack() as stack:
        made = Shop(tmp_path, database, stack)
        made.open("t1", "t2")
        yield made


def token(shop: Shop) -> str:
    return tillside("cloud", "wallet", "token", "m-kim", "--db", str(shop.database)).split()[-1]


def phone(shop: Shop) -> str:
    """What Kim's phone shows now, by what Google was given."""
    given = json.loads(tillside("cloud", "wallet", "google", CARD, "--db", str(shop.database)))["rotatingBarcode"]
    (parameters,) = given["totpDetails"]["parameters"]
    at_s = int(time.time())
    value = rotating.totp(bytes.fromhex(parameters["key"]), at_s // 30, parameters["valueLength"])
    return str(given["valuePattern"].replace(rotating.SECONDS, str(at_s)).replace(rotating.VALUE, value))


def identify(till: LiveAgent, text: str) -> str:
    """Whose it is, or the problem's code; a problem has a sentence for the cashier."""
    answer = till.call("POST", "/v1/identify", {"scan": text})
    if answer.status == 200:
        return str(answer.json["reference"])
    assert answer.json["cashier"]
    return str(answer.json["code"])


def sell(till: LiveAgent, uid: str, text: str) -> Any:
    return till.call("PUT", f"/v1/sales/{uid}", receipt(10_000) | {"member": {"scan": text}})


def used(till: LiveAgent) -> Any:
    """The newest codes that this till knows to be used; asked on its loop."""
    found = core(till).cache.by_id("m-kim")
    assert found is not None
    return found.row.facts.wallet


def test_a_code_used_at_one_till_is_refused_at_the_other(shop: Shop) -> None:
    """As soon as its next page is there; and the same sale sent again gets its first answer, byte by byte."""
    first, second = shop.tills["t1"], shop.tills["t2"]
    text = token(shop)
    assert [identify(first, text), identify(first, text)] == ["m-kim", "m-kim"]
    quote = first.call("POST", "/v1/quotes", receipt(10_000) | {"member": {"code": text}})
    assert body_of(quote)["member"]["reference"] == "m-kim"
    sold = sell(first, "a", text)
    assert body_of(sold)["member"]["reference"] == "m-kim"
    assert sell(first, "a", text).body == sold.body
    assert identify(first, text) == "wallet_used"
    second.wait_for(lambda: bool(used(second)))
    assert identify(second, text) == "wallet_used"
    assert identify(second, token(shop)) == "m-kim"


def test_what_no_till_can_know_without_a_line_the_cloud_tells_staff(shop: Shop) -> None:
    """A picture used at both tills while they are cut off: each takes it once, a power cut does not revive it, both
    sales stand, and there is one flag."""
    text = token(shop)
    shop.cut()
    for name in ("t1", "t2"):
        assert body_of(sell(shop.tills[name], f"{name}-a", text))["offline"]
    shop.kill("t1")
    first = shop.start("t1")
    first.wait_for(lambda: first.running.agent.open_core is not None)
    assert identify(first, text) == "wallet_used"
    assert sell(first, "t1-b", text).json["code"] == "wallet_used"
    shop.mend()
    assert shop.ask("SELECT code FROM flags WHERE code = 'wallet_used'") == [("wallet_used",)]
    assert shop.verdicts() == set()
    shop.verify()
    for till in shop.tills.values():
        till.wait_for(lambda till=till: bool(used(till)))


def test_the_phones_changing_code_is_taken_and_nothing_of_it_is_written_down(shop: Shop) -> None:
    """By the secret that came with the greeting. No file of the till has the card, the code or the token."""
    till = shop.tills["t1"]
    text, signed = phone(shop), token(shop)
    assert identify(till, text) == "m-kim"
    body_of(sell(till, "g", text))
    body_of(sell(till, "h", signed))
    assert identify(till, text) == "wallet_used"
    secrets = (CARD.encode(), text.split("-")[-1].encode(), signed[-60:].encode())
    kept = b"".join(path.read_bytes() for path in (shop.folder / "t1").rglob("*") if path.is_file())
    assert [each for each in secrets if each in kept] == []
    metrics = till.call("GET", "/metrics", client="admin").body
    assert [each for each in secrets if each in metrics] == []
