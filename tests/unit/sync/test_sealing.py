"""What a till seals, only the cloud opens: whole, once, in its own operation."""

from base64 import b64decode, b64encode

import msgspec
import pytest

from till_loyalty.receipt import StoreClock
from till_sync.exceptions import SealError
from till_sync.ops import RegisterBody, Subject, encode_body, is_sealed
from till_sync.sealing import SealedPerson, is_key, new_private_key, open_sealed, public_key_of, seal

OLD, NEW = "11" * 32, "22" * 32
PERSON = SealedPerson(uid="r-1", name="Фарида Фоминична", birth_date="1990-04-17", sex="female")


def test_a_sealed_person_comes_out_whole_and_shows_nothing() -> None:
    """Nothing of them is in the text or in a repr, and no two boxes are alike."""
    text = seal(public_key_of(NEW), PERSON)
    assert open_sealed((NEW, OLD), text, uid="r-1") == PERSON
    box = b64decode(text.split(".")[1])
    for said in (b"1990", "Фарида".encode(), b"female"):
        assert said not in box
        assert said not in text.encode()
    assert seal(public_key_of(NEW), PERSON) != text
    assert "Фарида" not in repr(PERSON)


def test_what_was_sealed_before_a_rotation_opens_after_it() -> None:
    """All former keys are tried by name."""
    assert open_sealed((NEW, OLD), seal(public_key_of(OLD), PERSON), uid="r-1") == PERSON


def _changed(text: str) -> str:
    name, box = text.split(".")
    raw = bytearray(b64decode(box))
    raw[-1] ^= 1
    return f"{name}.{b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("text", "uid", "code"),
    [
        (seal(public_key_of(OLD), PERSON), "r-1", "seal_unknown_key"),
        ("", "r-1", "seal_unknown_key"),
        ("zzzz", "r-1", "seal_unknown_key"),
        (_changed(seal(public_key_of(NEW), PERSON)), "r-1", "seal_broken"),
        (seal(public_key_of(NEW), PERSON)[:60], "r-1", "seal_broken"),
        (seal(public_key_of(NEW), PERSON), "r-2", "seal_broken"),
        (f"{public_key_of(NEW)[:8]}.***", "r-1", "seal_broken"),
        (f"{public_key_of(NEW)[:8]}." + "A" * 20_000, "r-1", "seal_broken"),
        (f"{public_key_of(NEW)[:8]}.ключ", "r-1", "seal_broken"),
    ],
    ids=["a lost key", "nothing", "no box", "changed", "cut", "of another", "no base64", "long", "no ASCII"],
)
def test_what_is_no_box_of_ours_is_refused_by_a_stable_code(text: str, uid: str, code: str) -> None:
    """And the refusal tells nothing of what was inside."""
    with pytest.raises(SealError) as caught:
        open_sealed((NEW,), text, uid=uid)
    assert caught.value.code == code
    assert "Фарида" not in str(caught.value)


def test_only_64_hex_digits_are_a_key() -> None:
    """So that no till seals to something else."""
    assert is_key(public_key_of(new_private_key()))
    for text in ("", "11" * 31, "zz" * 32, "11" * 33):
        assert not is_key(text)
    with pytest.raises(ValueError, match="expected a key of 32 bytes"):
        seal("11" * 31, PERSON)


def test_a_stored_registration_says_whether_it_is_sealed() -> None:
    """By its field, not by a name that looks like one."""
    fields = {"store": "s", "at_wall_ms": 1, "at_mono_ms": 1, "boot": "b", "programme_id": "p", "programme_version": 1}
    body = RegisterBody(
        **fields,  # type: ignore[arg-type]  # its own fields
        uid="r-1",
        subject=Subject(tag="phone:12345678"),
        clock=StoreClock(local_time="2026-01-01T12:00:00", business_date="2026-01-01"),
        consent_version="1",
        consent_wall_ms=1,
        name='"sealed":"x"',
    )
    assert not is_sealed(encode_body(body))
    assert is_sealed(encode_body(msgspec.structs.replace(body, name="", sealed="a.b")))
    assert not is_sealed(b"no JSON")
