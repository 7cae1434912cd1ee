"""Mixed versions: a till of 0.1.0 at today's cloud, and a till of today at a cloud of 0.1.0, message by message."""

import json
import types
import typing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from integration.upgrade.upgrade_kit import (
    TILL,
    LiveCloud,
    by_place,
    exchanges,
    expected,
    golden_cloud,
    live_cloud,
    old_wire,
    unpack,
    wanted_balances,
)
from till_cloud.verify import verify
from till_sync import asking, wire
from till_sync.ops import decode_body

PATHS = {"ops": "/v1/tills/k1/ops", "holds": "/v1/holds", "enrolments": "/v1/enrolments"}
REQUESTS = {"ops": "PushRequest", "holds": "HoldRequest", "enrolments": "EnrolmentRequest"}
ANSWERS = {
    "ops": "PushAnswer",
    "holds": "HoldAnswer",
    "enrolments": "EnrolmentAnswer",
    "changes": "ChangesAnswer",
    "hello": "HelloAnswer",
}
ONLY_WHEN_ASKED = {("ChangesAnswer", "rows"): {"grant", "left"}}
"""Words that no till of 0.1.0 gets, since it does not ask for them; `test_an_old_till_reads_every_page_of_today`."""
STRUCTS = sorted(
    name for name, found in vars(old_wire()).items() if isinstance(found, type(msgspec.Struct)) and name != "Struct"
)


def today_s(name: str) -> Any:
    """A message as today's code has it; two modules share them since 0.1.0."""
    return getattr(wire, name, None) or getattr(asking, name)


def waiting_pushes() -> list[tuple[str, str]]:
    """The batches, as bytes, that the old till sent when the line was back, and what the old cloud said."""
    after = expected()["exchanges"][expected()["waiting_from"] :]
    return [(asked, answer) for till, kind, asked, answer in after if (till, kind) == (TILL, "ops")]


def sent_before() -> list[tuple[str, str]]:
    """Those that the golden cloud holds already."""
    every = exchanges("ops")
    return every[: len(every) - len(waiting_pushes())]


class OldTill:
    """Sends what was captured; reads answers as 0.1.0 did."""

    def __init__(self, cloud: LiveCloud, folder: Path) -> None:
        token = json.loads((unpack("till", folder) / "identity.json").read_text("utf-8"))["token"]
        self._client = httpx.Client(
            base_url=cloud.url, trust_env=False, timeout=30, headers={"Authorization": f"Bearer {token}"}
        )

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, kind: str, body: str | bytes) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return self._client.post(PATHS[kind], content=content, headers={"Content-Type": "application/json"})

    def ask(self, kind: str, body: str | bytes) -> Any:
        reply = self.send(kind, body)
        assert reply.status_code == 200, reply.text
        return self.read(kind, reply)

    def get(self, kind: str, **query: object) -> Any:
        params = {name: str(value) for name, value in query.items()}
        reply = self._client.get(f"/v1/tills/{TILL}/{kind}", params=params)
        assert reply.status_code == 200, reply.text
        return self.read(kind, reply)

    @staticmethod
    def read(kind: str, reply: httpx.Response) -> Any:
        return msgspec.json.decode(reply.content, type=getattr(old_wire(), ANSWERS[kind]))


def verdicts(answer: Any) -> list[tuple[Any, ...]]:
    """What a till does something with; positions are the database's own."""
    return [(r.seq, r.status, r.code, r.tag, r.balance, r.held, r.effect_points, r.first) for r in answer.results]


def test_the_old_tills_queue_goes_into_todays_cloud(tmp_path: Path) -> None:
    """Byte for byte as 0.1.0 sent it: the same verdicts, and the same balances in the end."""
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        hello = till.get("hello")
        assert (hello.epoch, hello.acked_seq) == (1, 14)
        for asked, answer in waiting_pushes():
            said = till.ask("ops", asked)
            wanted = msgspec.json.decode(answer, type=old_wire().PushAnswer)
            assert verdicts(said) == verdicts(wanted)
            assert (said.acked_seq, said.head_hash, said.incarnation) == (
                wanted.acked_seq,
                wanted.head_hash,
                wanted.incarnation,
            )
        assert by_place(cloud.balances()) == by_place(wanted_balances())
        checked = cloud.read(verify)
        assert checked.holds, checked.breaches


def test_what_was_sent_before_is_a_duplicate_with_its_first_verdict(tmp_path: Path) -> None:
    """The answer was lost, and the cloud was upgraded meanwhile: the till hears what the first one said."""
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        before = cloud.balances()
        assert len(sent_before()) > 1
        for asked, answer in sent_before():
            said = till.ask("ops", asked)
            wanted = msgspec.json.decode(answer, type=wire.PushAnswer)
            assert [r.status for r in said.results] == ["duplicate"] * len(said.results)
            assert [(r.seq, r.first, *row[2:7]) for r, row in zip(said.results, verdicts(said), strict=True)] == [
                (r.seq, r.status, *row[2:7]) for r, row in zip(wanted.results, verdicts(wanted), strict=True)
            ]
        assert cloud.balances() == before


def test_other_bytes_under_an_old_op_are_refused(tmp_path: Path) -> None:
    """The fingerprints of before the upgrade still count."""
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        asked = sent_before()[0][0].replace('"number":"1"', '"number":"2"', 1)
        assert asked != sent_before()[0][0]
        reply = till.send("ops", asked)
        assert (reply.status_code, reply.json()["code"]) == (422, "fingerprint_mismatch")


def test_an_old_till_reads_every_page_of_today(tmp_path: Path) -> None:
    """All members and the programme, also after an upgrade that gave rows new fields; also from a cursor of before."""
    pulls = [
        answer
        for till, kind, _asked, answer in expected()["exchanges"][: expected()["waiting_from"]]
        if (till, kind) == (TILL, "changes")
    ]
    old_cursor = msgspec.json.decode(pulls[-1], type=wire.ChangesAnswer).next
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        till.ask("ops", waiting_pushes()[0][0])
        seen: dict[str, int] = {}
        programmes: set[str] = set()
        cursor = ""
        while True:
            page = till.get("changes", since=cursor, limit=3)
            for row in page.rows:
                if isinstance(row, old_wire().MemberRow):
                    seen[row.member_id] = row.balance
                else:
                    programmes.add(row.digest)
            cursor = page.next
            if not page.more:
                break
        assert seen == {who: balance - debt for who, (balance, debt, *_figures) in cloud.balances().items()}
        assert len(programmes) == 1
        assert page.acked_seq == cloud.acked()
        assert till.get("changes", since=cursor, limit=3).rows == ()
        since = till.get("changes", since=old_cursor, limit=100)
        assert not since.more
        assert {row.member_id for row in since.rows if isinstance(row, old_wire().MemberRow)} >= {"m-dina", "m-farida"}


def test_an_old_till_reserves_and_enrols_at_todays_cloud(tmp_path: Path) -> None:
    """A hold of before the upgrade asked for again gives the same answer; a new one is given; an old code enrols."""
    open_request, open_answer = next(pair for pair in exchanges("holds") if '"k1-open"' in pair[0])
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        again = till.ask("holds", open_request)
        first = msgspec.json.decode(open_answer, type=old_wire().HoldAnswer)
        assert (again.hold, again.points, again.expires_at_ms) == (first.hold, first.points, first.expires_at_ms)
        fresh = json.loads(open_request) | {"hold": "h-k1-new", "sale_uid": "later"}
        assert till.ask("holds", json.dumps(fresh)).held == again.points * 2
        used = next(asked for asked, _answer in exchanges("holds") if '"k1-redeems"' in asked)
        refused = till.send("holds", used)
        assert (refused.status_code, refused.json()["code"]) == (409, "hold_used")


def test_a_code_given_out_before_the_upgrade_enrols_after_it(tmp_path: Path) -> None:
    """Unless its day is over, which it is for the golden one: then the cloud says so, in words a till of then knows."""
    with live_cloud(golden_cloud(tmp_path / "cloud")) as cloud, OldTill(cloud, tmp_path / "till") as till:
        asked = json.dumps({"code": expected()["unused_code"], "salt": "y"})
        assert till.send("enrolments", asked).status_code in (401, 403, 404, 409, 410)
        cloud.centre.write(
            lambda c: c.execute("UPDATE enrolment_codes SET expires_at_ms = 4102444800000 WHERE till = 'k3'")
        ).result()
        identity = till.ask("enrolments", asked)
        assert (identity.till, identity.last_epoch) == ("k3", 0)
        known = msgspec.json.decode(exchanges("enrolments")[0][1], type=wire.EnrolmentAnswer)
        assert (identity.identifier_key, identity.incarnation) == (known.identifier_key, known.incarnation)


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_todays_till_reads_every_answer_of_the_old_cloud(kind: str) -> None:
    """A till may be upgraded before its cloud: fields that are new have defaults."""
    found = exchanges(kind)
    assert found
    for _asked, answer in found:
        read = msgspec.json.decode(answer, type=today_s(ANSWERS[kind]))
        old = msgspec.json.decode(answer, type=getattr(old_wire(), ANSWERS[kind]))
        assert contains(shown(read), shown(old))


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_todays_cloud_reads_every_request_of_the_old_till(kind: str) -> None:
    """And what today's till would send instead, the old cloud can read."""
    found = exchanges(kind)
    assert found
    for asked, _answer in found:
        today = msgspec.json.decode(asked, type=today_s(REQUESTS[kind]))
        again = msgspec.json.decode(msgspec.json.encode(today), type=getattr(old_wire(), REQUESTS[kind]))
        assert again == msgspec.json.decode(asked, type=getattr(old_wire(), REQUESTS[kind]))


def shown(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_every_old_op_is_read_by_todays_code() -> None:
    """Each kind of body that 0.1.0 made, and nothing of it is lost when it is read and written again."""
    kinds: dict[str, int] = {}
    for asked, _answer in exchanges("ops"):
        for op in json.loads(asked)["ops"]:
            body = decode_body(json.dumps(op["body"]).encode())
            assert contains(json.loads(msgspec.json.encode(body)), op["body"])
            kinds[op["body"]["kind"]] = kinds.get(op["body"]["kind"], 0) + 1
    assert kinds == {"sale": 44, "void": 4, "return": 8, "hold-release": 2}


def contains(new: Any, old: Any) -> bool:
    """Whether everything in `old` is in `new`, with the same value."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and contains(new[name], value) for name, value in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(contains, new, old))
    return bool(new == old)


@pytest.mark.parametrize("name", STRUCTS)
def test_no_message_lost_a_field_or_asks_for_a_new_one(name: str) -> None:
    """The rule for every message: what 0.1.0 knew is there under its name, always sent if 0.1.0 asks for it, and what
    is new may be left out."""
    old, new = getattr(old_wire(), name), today_s(name)
    before = {field.name: field for field in msgspec.structs.fields(old)}
    today = {field.name: field for field in msgspec.structs.fields(new)}
    assert before.keys() <= today.keys()
    assert [field for field in today.keys() - before.keys() if today[field].required] == []
    for field, was in before.items():
        # With `omit_defaults` a field that has got a default would be left out where 0.1.0 asks for it.
        assert today[field].required == was.required, f"{name}.{field}"
    assert new.__struct_config__.tag == old.__struct_config__.tag
    assert new.__struct_config__.tag_field == old.__struct_config__.tag_field


@pytest.mark.parametrize("name", STRUCTS)
def test_no_message_has_a_word_that_the_old_till_does_not_know(name: str) -> None:
    """A new word in a closed list of words would make the whole answer unreadable there."""
    old, new = typing.get_type_hints(getattr(old_wire(), name)), typing.get_type_hints(today_s(name))
    for field, hint in old.items():
        known = words(hint) | ONLY_WHEN_ASKED.get((name, field), set())
        assert words(new[field]) <= known, f"{name}.{field}"


def words(hint: Any) -> set[Any]:
    """The words of a Literal, and the tags of a union's structs, wherever they are in a type."""
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    if isinstance(hint, types.UnionType) or typing.get_args(hint):
        return {word for part in typing.get_args(hint) for word in words(part)}
    config = getattr(hint, "__struct_config__", None)
    return {config.tag} if config is not None and config.tag is not None else set()
